"""The RKE2 driver: what Rancher's RKE2 needs and says, and nothing that its own tools do.

    versions   what began or ended with which release     config     config.yaml, the user's text kept
    tokens     join tokens and other secrets              artifacts  the files of a release
    faults     what a manifest asks for in vain           commands   what is run on a node
    readiness  what the answers mean                      steps      the edges, as steps
    model      the same behaviour for simulated hosts

Begin reading at `driver`, then `steps`.
"""

from mk8s.distros.rke2.driver import DISTRO, Rke2

__all__ = ["DISTRO", "Rke2"]
