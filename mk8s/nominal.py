"""How large the files of a release are where nobody has them: for simulations before anything was downloaded.

Orders of magnitude, in bytes: sizes of RKE2's, K3s' and k0s' are what practice says (none is published),
those of upstream's are of releases about v1.31. A file that is here has its own size. Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["nominal_size"]

MIB = 1 << 20
SMALL = 64 << 10  # a list of hashes, a manifest, a script

UPSTREAM: Mapping[str, int] = {
    "containerd": 45 * MIB,
    "runc": 11 * MIB,
    "crictl": 19 * MIB,
    "cni-plugins": 50 * MIB,
    "etcd": 22 * MIB,
    "kubeadm": 57 * MIB,
    "kubectl": 56 * MIB,
    "kubelet": 77 * MIB,
    "kube-proxy": 66 * MIB,
    "kube-apiserver": 90 * MIB,
    "kube-controller-manager": 86 * MIB,
    "kube-scheduler": 65 * MIB,
}
"""The biggest are binaries as they are; containerd, etcd and the plugins are archives."""

SIZES: Mapping[str, Mapping[str, int]] = {
    "rke2": {"binary": 45 * MIB, "images": 850 * MIB},  # 35 to 50, 0.75 to 0.9 GB as zst
    "k3s": {"binary": 70 * MIB, "images": 185 * MIB},  # 60 to 75, 170 to 200 as zst
    "k0s": {"binary": 250 * MIB, "images": 300 * MIB},  # 250, 250 to 350
    "kubeadm": {**UPSTREAM, "images": 550 * MIB},  # all of a server, not compressed
    "vanilla": {**UPSTREAM, "images": 70 * MIB},  # coredns, pause
}
USUAL: Mapping[str, int] = {"binary": 45 * MIB, "images": 850 * MIB}  # of another party's distro


def nominal_size(distro: str, item: str) -> int:
    """Bytes of a file by its id, such as ``images``, ``images-core`` or ``binary:arm64``."""
    sizes, name = SIZES.get(distro, USUAL), item.partition(":")[0]
    return sizes.get(name) or sizes.get(name.partition("-")[0], SMALL)
