"""The K3s driver: what K3s has of its own; the engine, which is RKE2's too, is in `distros.rancher`.

    engine     where it differs from RKE2       versions    what began with which release
    artifacts  the files of a release           installing  how they are put on a host
    scripts    unit, killall and uninstall      commands    what is run on a node
    converting from SQLite to etcd              faults      what a manifest asks for in vain
    model      the same behaviour for simulated hosts

Begin reading at `driver`, then `rancher`.
"""

from mk8s.distros.k3s.driver import DISTRO, K3s

__all__ = ["DISTRO", "K3s"]
