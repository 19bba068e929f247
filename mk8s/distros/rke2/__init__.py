"""The RKE2 driver: what RKE2 has of its own; the engine, which is K3s' too, is in `distros.rancher`.

    engine     where it differs from K3s        versions      what began or ended with which release
    artifacts  the files of a release           installing    how they are put on a host
    commands   what is run on a node            readiness     what the answers mean
    faults     what a manifest asks for in vain requirements  what it wants of a host
    model      the same behaviour for simulated hosts

Begin reading at `driver`, then `rancher`.
"""

from mk8s.distros.rke2.driver import DISTRO, Rke2

__all__ = ["DISTRO", "Rke2"]
