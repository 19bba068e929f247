"""Which files of a K3s release a cluster needs, and where each goes on a node. Pure.

One program for servers and agents, one archive of images, one list of hashes, per architecture. In a
cluster of mixed architectures the plain ids belong to the primary's; the others carry theirs as a suffix.
Names and URLs are those of K3s' own release workflow and install script.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Node
from mk8s.distros import bare
from mk8s.distros.base import ArtifactItem, Origin
from mk8s.distros.k3s.versions import ZST_IMAGES, release_of

__all__ = ["artifact_items"]

RELEASES = "https://github.com/k3s-io/k3s/releases/download"
INSTALLER = "https://get.k3s.io"  # install.sh of the repository: of no version, and no hash is published
PROGRAM = {"amd64": "k3s", "arm64": "k3s-arm64"}  # amd64's has no suffix
DATA_DIR = "/var/lib/rancher/k3s"
OWN_NAME = re.compile(r"k3s-airgap-images-(amd64|arm64)\.tar(\.gz|\.zst)?")


def artifact_items(cluster: Cluster) -> list[ArtifactItem]:
    """Every file for every architecture in the cluster, in the order in which it is used."""
    items = [item for arch in bare.architectures(cluster) for item in _items(cluster, arch)]
    if cluster.install_method == "script":
        place = Origin(INSTALLER, destination="/var/lib/mk8s/artifacts/install.sh")
        items.append(bare.item("installScript", "install.sh", "K3s' own installer", place))
    added = bare.added_images(cluster, _images_dir(cluster.primary))
    return [_renamed(cluster, item) for item in [*items, *added]]


def _items(cluster: Cluster, arch: str) -> list[ArtifactItem]:
    hashes, program, images = f"sha256sum-{arch}.txt", PROGRAM[arch], _images_name(cluster, arch)
    listed, folder = bare.published(RELEASES, cluster, hashes), _images_dir(cluster.primary)
    return [
        bare.item(
            bare.id_of(cluster, "checksums", arch),
            hashes,
            f"hashes of the release files for {arch}",
            Origin(listed, arch=arch),
            on_nodes=False,
        ),
        bare.item(
            bare.id_of(cluster, "binary", arch),
            program,
            f"K3s itself for {arch}",
            Origin(
                bare.published(RELEASES, cluster, program),
                listed,
                arch=arch,
                destination="/usr/local/bin/k3s",
            ),
        ),
        bare.item(
            bare.id_of(cluster, "images", arch),
            images,
            f"every image that a node needs ({arch})",
            Origin(
                bare.published(RELEASES, cluster, images),
                listed,
                arch=arch,
                destination=str(folder / images),
            ),
        ),
    ]


def _images_name(cluster: Cluster, arch: str) -> str:
    suffix = "tar.zst" if release_of(cluster.version).minor >= ZST_IMAGES else "tar"
    return f"k3s-airgap-images-{arch}.{suffix}"


def _images_dir(node: Node) -> PurePosixPath:
    """Where the engine looks for archives of images when it starts."""
    return PurePosixPath(str(node.config.get("data-dir") or DATA_DIR)) / "agent" / "images"


def _renamed(cluster: Cluster, item: ArtifactItem) -> ArtifactItem:
    """The manifest's name for a file. Another of K3s' own forms, such as .tar.gz, is fetched as that."""
    given = cluster.artifacts.get(item.id)
    if given and OWN_NAME.fullmatch(given.name) and item.origin.url:
        return bare.renamed(cluster, item, bare.published(RELEASES, cluster, given.name))
    return bare.renamed(cluster, item)
