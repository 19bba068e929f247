"""Which files of a k0s release a cluster needs, and where each goes on a node. Pure.

One program for controllers and workers, and one bundle of images for nodes that run pods, per
architecture. A pure controller runs none; in a cluster of servers alone the servers have to. The list of
hashes is one for all architectures and exists from v1.28.2 on. The plain ids belong to the primary's
architecture. Names and URLs are those of k0s' release workflow at its tags.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Role
from mk8s.distros import bare
from mk8s.distros.base import ArtifactItem, Origin
from mk8s.distros.k0s.versions import BUNDLE_NAMES_OS, CHECKSUMS, release_of
from mk8s.distros.releases import has

__all__ = ["artifact_items", "workers"]

RELEASES = "https://github.com/k0sproject/k0s/releases/download"
HASHES = "sha256sums.txt"
PROGRAM = "/usr/local/bin/k0s"
IMAGES = PurePosixPath("/var/lib/k0s/images")


def artifact_items(cluster: Cluster) -> list[ArtifactItem]:
    """Every file for every architecture in the cluster, in the order in which it is used."""
    roles = workers(cluster)
    items = [
        *_checksums(cluster),
        *(_program(cluster, arch) for arch in bare.architectures(cluster)),
        *(_bundle(cluster, arch, roles) for arch in bare.architectures(cluster, roles)),
        *bare.added_images(cluster, IMAGES, roles),
    ]
    return [bare.renamed(cluster, item) for item in items]


def workers(cluster: Cluster) -> frozenset[Role]:
    """Roles of the nodes that run pods: agents, or everybody where there is no agent."""
    agents: frozenset[Role] = frozenset({"agent"})
    return agents if cluster.agents else bare.EVERYONE


def _checksums(cluster: Cluster) -> list[ArtifactItem]:
    if not has(release_of(cluster.version), CHECKSUMS):
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


def _bundle(cluster: Cluster, arch: str, roles: frozenset[Role]) -> ArtifactItem:
    new = has(release_of(cluster.version), BUNDLE_NAMES_OS)
    target = f"linux-{arch}.tar" if new else arch
    name = f"k0s-airgap-bundle-{cluster.version}-{target}"
    return bare.item(
        bare.id_of(cluster, "images", arch),
        name,
        f"every image that a node with pods needs ({arch})",
        _origin(cluster, name, arch, str(IMAGES / name)),
        roles,
    )


def _origin(cluster: Cluster, name: str, arch: str, place: str) -> Origin:
    listed = has(release_of(cluster.version), CHECKSUMS)
    hashes = bare.published(RELEASES, cluster, HASHES) if listed else ""
    return Origin(bare.published(RELEASES, cluster, name), hashes, arch=arch, destination=place)
