"""Which files of a k0s release a cluster needs, and where each goes on a node. Pure.

One program for controllers and workers, and one bundle of images for nodes that run pods, per
architecture. A pure controller runs none. The list of hashes is one for all architectures and exists from
v1.28.2 on. The plain ids belong to the primary's architecture. Names and URLs are those of k0s' release
workflow at its tags.

Where the hosts have the release already (`artifacts_mode: preinstalled`), only what the manifest adds to it
is left. Begin reading at `artifact_items`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Role
from mk8s.distros import bare
from mk8s.distros.base import ArtifactItem, Origin, Situation
from mk8s.distros.common import packages
from mk8s.distros.k0s.roles import images_dir, is_single, manifests_dir, runs_pods, way
from mk8s.distros.k0s.versions import BUNDLE_NAMES_OS, CHECKSUMS, has_release
from transports.base import File

__all__ = [
    "Placed",
    "artifact_items",
    "image_archives",
    "manifest_files",
    "staged_program",
    "staging_dir",
    "workers",
]

RELEASES = "https://github.com/k0sproject/k0s/releases/download"
HASHES = "sha256sums.txt"
PROGRAM = "/usr/local/bin/k0s"
STAGING = PurePosixPath("/var/lib/mk8s/artifacts")
SERVERS: frozenset[Role] = frozenset({"primary", "server"})


def artifact_items(cluster: Cluster) -> list[ArtifactItem]:
    """Every file for every architecture in the cluster, in the order in which it is used."""
    roles = workers(cluster)
    folder = images_dir(cluster.primary)
    items = [*_release(cluster), *bare.added_images(cluster, folder, roles), *_manifests(cluster)]
    return [*(bare.renamed(cluster, item) for item in items), *packages.items(cluster)]


def workers(cluster: Cluster) -> frozenset[Role]:
    """Roles of the nodes that run pods."""
    agents: frozenset[Role] = frozenset({"agent"})
    servers_too = way(cluster) != "isolated" or is_single(cluster.primary)
    return bare.EVERYONE if servers_too else agents


def _release(cluster: Cluster) -> Iterator[ArtifactItem]:
    """k0s' own files; none where they are on the hosts already."""
    if cluster.artifacts_mode == "preinstalled":
        return
    yield from _checksums(cluster)
    yield from (_program(cluster, arch) for arch in bare.architectures(cluster))
    yield from (_bundle(cluster, arch) for arch in bare.architectures(cluster, workers(cluster)))


def _checksums(cluster: Cluster) -> list[ArtifactItem]:
    if not has_release(cluster, CHECKSUMS):
        return []
    origin = Origin(bare.published(RELEASES, cluster, HASHES))
    return [bare.item("checksums", HASHES, "hashes of the release files", origin, on_nodes=False)]


def _program(cluster: Cluster, arch: str) -> ArtifactItem:
    name = f"k0s-{cluster.version}-{arch}"
    return bare.item(
        bare.id_of(cluster, "binary", arch),
        name,
        f"k0s itself for {arch}",
        _origin(cluster, name, arch, PROGRAM),
    )


def _bundle(cluster: Cluster, arch: str) -> ArtifactItem:
    target = f"linux-{arch}.tar" if has_release(cluster, BUNDLE_NAMES_OS) else arch
    name = f"k0s-airgap-bundle-{cluster.version}-{target}"
    return bare.item(
        bare.id_of(cluster, "images", arch),
        name,
        f"every image that a node with pods needs ({arch})",
        _origin(cluster, name, arch, str(images_dir(cluster.primary) / name)),
        workers(cluster),
    )


def _origin(cluster: Cluster, name: str, arch: str, place: str) -> Origin:
    hashes = bare.published(RELEASES, cluster, HASHES) if has_release(cluster, CHECKSUMS) else ""
    return Origin(bare.published(RELEASES, cluster, name), hashes, arch=arch, destination=place)


def _manifests(cluster: Cluster) -> Iterator[ArtifactItem]:
    """The files that the user wants applied: every controller has them, and whoever leads applies them."""
    for number, path in enumerate(cluster.manifests):
        target = manifests_dir(cluster.primary) / _name_of(number, path.name)
        origin = Origin(destination=str(target))
        yield bare.item(f"manifest-{number}", str(path), "applied to the cluster", origin, SERVERS)


def _name_of(number: int, name: str) -> str:
    """In their order, and with the ending that k0s looks for."""
    stem = name.removesuffix(".yml").removesuffix(".yaml").removesuffix(".json")
    return f"{number:02d}-{stem}.yaml"


# On a node


@dataclass(frozen=True, slots=True)
class Placed:
    """A file of the release, where it is staged on a node, and its place among k0s' data."""

    file: File
    staged: PurePosixPath
    target: PurePosixPath


def staging_dir(cluster: Cluster) -> PurePosixPath:
    """The node's folder for the release, so that versions lie side by side."""
    return STAGING / cluster.version


def staged_program(s: Situation) -> tuple[File, PurePosixPath] | None:
    """The program for this node and its staged place; None where the host has it already."""
    file = s.release.get(bare.id_of(s.cluster, "binary", s.node.arch))
    return (file, staging_dir(s.cluster) / "k0s") if file else None


def image_archives(s: Situation) -> list[Placed]:
    """The archives of images that this node imports; none on a pure controller."""
    if not runs_pods(s.cluster, s.node):
        return []
    found = [
        (item, file)
        for item in artifact_items(s.cluster)
        if item.id.startswith("images") and _is_for(s, item) and (file := s.release.get(item.id))
    ]
    return [_placed(s, file, images_dir(s.node) / PurePosixPath(item.file).name) for item, file in found]


def _is_for(s: Situation, item: ArtifactItem) -> bool:
    return item.origin.arch in ("", s.node.arch) and s.node.role in item.roles


def manifest_files(s: Situation) -> list[Placed]:
    """The user's manifests, on controllers."""
    if not s.node.is_server:
        return []
    folder = manifests_dir(s.node)
    return [
        _placed(s, file, folder / _name_of(number, path.name))
        for number, path in enumerate(s.cluster.manifests)
        if (file := s.release.get(f"manifest-{number}"))
    ]


def _placed(s: Situation, file: File, target: PurePosixPath) -> Placed:
    return Placed(file, staging_dir(s.cluster) / target.parent.name / target.name, target)
