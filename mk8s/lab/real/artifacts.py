"""Lays out the folders of release files that manifests name: one as for kubeadm, one as for plain programs.

Laws:

1. Names are flat and say the platform; archives have the layout that upstream gives them.
2. What both folders have is one file with two names, so that the disk holds it once.
3. Each folder has SHA256SUMS over all its files, and a README.txt that says where they come from.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from .contents import Ingredients, node_images, server_images
from .images import add_file, write_archive
from .recipe import ETCD_TARBALL
from .sources import file_digest

__all__ = ["CNI_PLUGINS", "lay_out", "write_sums", "write_tar_gz"]

PLATFORM = "linux-amd64"
IMAGES = f"images-{PLATFORM}.tar"
CNI_PLUGINS = (
    *("bridge", "host-local", "loopback", "portmap", "firewall", "tuning", "static", "ptp", "vlan"),
    "bandwidth",
)
ON_EVERY_NODE = ("kubelet", "kubectl")
ONLY_KUBEADM = ("kubeadm",)
ONLY_VANILLA = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
GZIP_LEVEL = 6  # half the time of the best, for a few per cent


def lay_out(ingredients: Ingredients, kubeadm: Path, vanilla: Path, scratch: Path) -> None:
    """Fill both folders, which are there and empty. `scratch` is a folder for what waits to be packed."""
    _common_files(ingredients, kubeadm)
    for path in kubeadm.iterdir():
        os.link(path, vanilla / path.name)
    _link_programs(ingredients, ONLY_KUBEADM, kubeadm)
    _link_programs(ingredients, ONLY_VANILLA, vanilla)
    write_tar_gz(vanilla / f"etcd-{PLATFORM}.tar.gz", _etcd_files(ingredients))
    images = node_images(ingredients)
    write_archive(images, vanilla / IMAGES, scratch)
    write_archive([*server_images(ingredients), *images], kubeadm / IMAGES, scratch)
    for folder in (kubeadm, vanilla):
        shutil.copyfile(Path(__file__).parent / "files" / "README.txt", folder / "README.txt")
        write_sums(folder)


def write_tar_gz(target: Path, files: Mapping[str, Path]) -> None:
    """An archive of programs, by their names in it. On one Python the same files give the same bytes."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, path in sorted(files.items()):
            add_file(tar, name, path)


def write_sums(folder: Path) -> None:
    """SHA256SUMS as `sha256sum --check` reads it."""
    sums = folder / "SHA256SUMS"
    paths = sorted(path for path in folder.iterdir() if path != sums)
    sums.write_text("".join(f"{file_digest(path)}  {path.name}\n" for path in paths))


def _common_files(ingredients: Ingredients, folder: Path) -> None:
    _link_programs(ingredients, ON_EVERY_NODE, folder)
    packages = ingredients.packages
    write_tar_gz(folder / f"crictl-{PLATFORM}.tar.gz", {"crictl": ingredients.programs / "crictl"})
    containerd = sorted((packages / "containerd/usr/bin").iterdir())
    write_tar_gz(folder / f"containerd-{PLATFORM}.tar.gz", {f"bin/{path.name}": path for path in containerd})
    plugins = {name: packages / "containernetworking-plugins/usr/lib/cni" / name for name in CNI_PLUGINS}
    write_tar_gz(folder / f"cni-plugins-{PLATFORM}.tgz", plugins)
    shutil.copy(packages / "runc/usr/sbin/runc", folder / "runc.amd64")


def _link_programs(ingredients: Ingredients, names: tuple[str, ...], folder: Path) -> None:
    for name in names:
        os.link(ingredients.programs / name, folder / f"{name}-{PLATFORM}")


def _etcd_files(ingredients: Ingredients) -> Mapping[str, Path]:
    packages = {"etcd": "etcd-server", "etcdctl": "etcd-client"}
    return {
        f"{ETCD_TARBALL}/{name}": ingredients.packages / package / "usr/bin" / name
        for name, package in packages.items()
    }
