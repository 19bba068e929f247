"""What the catalogues of k3s and k0s share: items of releases at GitHub, for any architectures. Pure.

Begin reading at `item`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import quote

from mk8s.cluster import Cluster, Role
from mk8s.distros.base import ArtifactItem, Origin

__all__ = [
    "EVERYONE",
    "added_images",
    "architectures",
    "artifact_faults",
    "component_faults",
    "id_of",
    "item",
    "published",
    "renamed",
]

EVERYONE: frozenset[Role] = frozenset({"primary", "server", "agent"})
ADDED = "imagesAdded"


def item(
    id_: str,
    file: str,
    purpose: str,
    origin: Origin,
    roles: frozenset[Role] = EVERYONE,
    *,
    on_nodes: bool = True,
) -> ArtifactItem:
    """A required file of the release."""
    return ArtifactItem(id_, file, purpose, True, frozenset(roles), on_nodes, origin)


def published(releases: str, cluster: Cluster, name: str) -> str:
    """A file of the cluster's release: every ``+`` is written %2B, which mirrors and proxies pass on."""
    return f"{releases}/{quote(cluster.version, safe='')}/{quote(name, safe='')}"


def architectures(cluster: Cluster, roles: frozenset[Role] = EVERYONE) -> list[str]:
    """Those of the nodes with these roles, each once; the primary's first where it is among them."""
    return list(dict.fromkeys(node.arch for node in cluster.nodes if node.role in roles))


def id_of(cluster: Cluster, part: str, arch: str) -> str:
    """The plain id for the primary's architecture, with a suffix for any other."""
    return part if arch == cluster.primary.arch else f"{part}-{arch}"


def added_images(
    cluster: Cluster, folder: PurePosixPath, roles: frozenset[Role] = EVERYONE
) -> list[ArtifactItem]:
    """The archive of the manifest's `images` for each architecture, and archives that the user brings.

    `folder`: where the distro looks for archives on a node.
    """
    made = [
        item(
            id_of(cluster, ADDED, arch),
            name := f"images-added-linux-{arch}.tar",
            f"the manifest's own images ({arch})",
            Origin(images=cluster.images, arch=arch, destination=str(folder / name)),
            roles,
        )
        for arch in architectures(cluster, roles)
        if cluster.images
    ]
    return [*made, *_brought(cluster, folder, roles, {one.id for one in made})]


def _brought(
    cluster: Cluster, folder: PurePosixPath, roles: frozenset[Role], made: set[str]
) -> Iterator[ArtifactItem]:
    """Any other id that begins with `images` and names a file adds an archive, for every such node."""
    for name, given in cluster.artifacts.items():
        own = name in made or name == "images" or name.startswith("images-")
        if name.startswith("images") and given.name and not own:
            origin = Origin(destination=str(folder / given.name))
            yield item(name, given.name, "images the manifest adds", origin, roles)


def renamed(cluster: Cluster, one: ArtifactItem, url: str = "") -> ArtifactItem:
    """The item under the manifest's own name for it; `url`: where a file of that name is published."""
    given = cluster.artifacts.get(one.id)
    if not given or not given.name:
        return one
    place = PurePosixPath(one.origin.destination)
    there = str(place.with_name(given.name)) if place.name == one.file else one.origin.destination
    return replace(
        one, file=given.name, origin=replace(one.origin, url=url or one.origin.url, destination=there)
    )


def component_faults(cluster: Cluster) -> Iterator[str]:
    """A release that is one program has its components in it."""
    if cluster.components:
        yield (
            f"components: a release of {cluster.distro} has containerd, runc and etcd in it; "
            "choose them by its `version`"
        )


def artifact_faults(cluster: Cluster, known: Sequence[ArtifactItem]) -> Iterator[str]:
    """Ids in the manifest's `artifacts` that name nothing here."""
    ids = [*(one.id for one in known), "installScript"]
    for name in cluster.artifacts:
        if name not in ids:
            close = difflib.get_close_matches(name, ids, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(ids)}"
            yield f"artifacts.{name}: {cluster.distro} needs no such file here; {hint}"
