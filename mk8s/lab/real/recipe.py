"""What the release is made of, as data: versions, packages, programs, flags.

Laws:

1. A finished release is known by the text of this whole package: change anything here and it is made anew.
   The compiled programs are known by the few files that decide about them, because they take longest.
2. Debian's packages are those of one suite, wherever the machine itself stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "BUILD_PACKAGES",
    "COREDNS",
    "ETCD_IMAGE",
    "ETCD_TARBALL",
    "IMAGE_PACKAGES",
    "KUBERNETES",
    "NODE_PACKAGES",
    "PAUSE",
    "SOURCE_DIGEST",
    "SOURCE_FILE",
    "SUITE",
    "VERSION",
    "programs_digest",
    "release_digest",
]

SUITE = "bookworm"
VERSION = "v1.20.2"
SOURCE_FILE = "kubernetes_1.20.5+really1.20.2.orig.tar.gz"  # Debian's name for upstream's v1.20.2, complete
SOURCE_DIGEST = "b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc"
KUBERNETES = (
    *("kubeadm", "kubectl", "kubelet", "kube-proxy"),
    *("kube-scheduler", "kube-controller-manager", "kube-apiserver"),
)
"""The programs, those first that others share most code with."""

# The tags that kubeadm v1.20.2 itself asks for. What is in etcd's image is Debian's 3.4.23.
ETCD_IMAGE, PAUSE, COREDNS = "3.4.13-0", "3.2", "1.7.0"
ETCD_TARBALL = "etcd-v3.4.23-linux-amd64"

BUILD_PACKAGES = ("golang-1.19-go", "golang-1.19-src", "golang-github-modern-go-reflect2-dev")
IMAGE_PACKAGES = (
    *("libc6", "busybox", "busybox-static", "netbase", "etcd-server", "etcd-client", "iptables", "conntrack"),
    *("libip4tc2", "libip6tc2", "libxtables12", "libmnl0", "libnfnetlink0", "libnetfilter-conntrack3"),
    "libnftnl11",
)
NODE_PACKAGES = ("containerd", "runc", "containernetworking-plugins")

HERE = Path(__file__).resolve().parent
DECIDE_PROGRAMS = ("recipe.py", "building.py", "patches.py", "files/crictl/main.go", "files/coredns/main.go")


def release_digest(folder: Path = HERE) -> str:
    """Twelve letters for all that decides how the release looks."""
    files = (path for path in folder.rglob("*") if path.suffix in (".py", ".go", ".txt"))
    return _digest(folder, (path.relative_to(folder).as_posix() for path in files))


def programs_digest(folder: Path = HERE) -> str:
    """Twelve letters for all that decides how the compiled programs look."""
    return _digest(folder, DECIDE_PROGRAMS)


def _digest(folder: Path, names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(names):
        content = (folder / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]
