"""Which files of a K3s release a cluster needs, and where each goes on a node. Pure.

One program for servers and agents, one archive of images, one list of hashes, per architecture. In a
cluster of mixed architectures the plain ids belong to the primary's; the others carry theirs as a suffix.
Names and URLs are those of K3s' own release workflow and install script.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mk8s.cluster import Cluster
from mk8s.distros import bare
from mk8s.distros.base import ArtifactItem, Origin, Situation
from mk8s.distros.common import packages
from mk8s.distros.k3s.engine import K3S
from mk8s.distros.k3s.versions import ZST_IMAGES, release_of
from mk8s.distros.rancher.files import manifest_items
from mk8s.distros.rancher.images import Archive, archive_of, staging_dir
from transports.base import File

__all__ = ["archives", "artifact_items", "staged"]

RELEASES = "https://github.com/k3s-io/k3s/releases/download"
INSTALLER = "https://get.k3s.io"  # install.sh of the repository: of no version, and no hash is published
PROGRAM = {"amd64": "k3s", "arm64": "k3s-arm64"}  # amd64's has no suffix
OWN_NAME = re.compile(r"k3s-airgap-images-(amd64|arm64)\.tar(\.gz|\.zst)?")


def artifact_items(cluster: Cluster) -> list[ArtifactItem]:
    """Every file for every architecture in the cluster, in the order in which it is used."""
    added = bare.added_images(cluster, K3S.images_dir(cluster.primary))
    return [
        *(_renamed(cluster, item) for item in [*_release(cluster), *added]),
        *manifest_items(K3S, cluster),
        *packages.items(cluster),
    ]


def _release(cluster: Cluster) -> list[ArtifactItem]:
    """The release's own; nothing where it is on the nodes already."""
    if cluster.artifacts_mode == "preinstalled":
        return []
    items = [item for arch in bare.architectures(cluster) for item in _items(cluster, arch)]
    if cluster.install_method == "script":
        place = Origin(INSTALLER, destination=str(staging_dir(cluster) / "install.sh"))
        items.append(bare.item("installScript", "install.sh", "K3s' own installer", place))
    return items


def staged(s: Situation, part: str) -> tuple[File, PurePosixPath] | None:
    """A part's local file and its staged place, which has K3s' own name whatever the file is called."""
    script = part == "installScript"
    file = s.release.get(part if script else bare.id_of(s.cluster, part, s.node.arch))
    name = "install.sh" if script else PROGRAM[s.node.arch]
    return (file, staging_dir(s.cluster) / name) if file else None


def archives(s: Situation) -> list[Archive]:
    """The archives of images for this node: the release's, then those that the manifest adds."""
    found = [
        s.release[item.id]
        for item in artifact_items(s.cluster)
        if item.id.startswith("images") and item.id in s.release and item.origin.arch in ("", s.node.arch)
    ]
    return [archive_of(K3S, s, file) for file in found]


def _items(cluster: Cluster, arch: str) -> list[ArtifactItem]:
    hashes, program, images = f"sha256sum-{arch}.txt", PROGRAM[arch], _images_name(cluster, arch)
    listed, folder = bare.published(RELEASES, cluster, hashes), K3S.images_dir(cluster.primary)
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


def _renamed(cluster: Cluster, item: ArtifactItem) -> ArtifactItem:
    """The manifest's name for a file. Another of K3s' own forms, such as .tar.gz, is fetched as that."""
    given = cluster.artifacts.get(item.id)
    if given and OWN_NAME.fullmatch(given.name) and item.origin.url:
        return bare.renamed(cluster, item, bare.published(RELEASES, cluster, given.name))
    return bare.renamed(cluster, item)
