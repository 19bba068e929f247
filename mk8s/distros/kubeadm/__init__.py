"""The kubeadm driver: upstream's own installer, run on each host as a unit, paced by etcd's membership.

    config     what kubeadm reads, by API version      arguments  flags, in either form of the API
    artifacts  the files of a release                  files      units, the runner, kube-vip
    faults     what a manifest asks for in vain        commands   what is run on a node
    readiness  what the answers mean                   steps      the edges, as steps
    requirements  what a bare host must offer          model      the same behaviour for simulated hosts

Begin reading at `driver`, then `steps`.
"""

from mk8s.distros.kubeadm.driver import DISTRO, Kubeadm

__all__ = ["DISTRO", "Kubeadm"]
