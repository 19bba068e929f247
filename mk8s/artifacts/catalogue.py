"""The list of a cluster's files and images, made from its manifest alone: nothing is asked of anybody.

A distro says which files its release has and where upstream publishes them (`Catalogue.artifacts`); here
the manifest's own words are put over that (`sources`), and everything is told of a file that a person or
a program may want to know before it is fetched. What no source says is *not known*; it is never guessed.

The only files that are read are the user's own: those of `manifests`, for their size and for the images
of their pods. `release_items` is what `mk8s download` and `mk8s bundle` go by, so that the list and the
deed are the same.

Begin reading at `list_release`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from mk8s.artifacts.sources import Source, is_own_file, sources_of
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Catalogue
from mk8s.registries.applied import fetched

__all__ = [
    "Artifact",
    "Image",
    "Kind",
    "Listed",
    "images_in_manifests",
    "list_release",
    "listing",
    "release_items",
]

Kind: TypeAlias = Literal["file", "images", "local", "hashes"]
"""file: fetched as it is; images: put together from container images; local: the user's own, already on
this machine; hashes: written here, of all files whose hash was verified."""
LARGEST_MANIFEST = 16 << 20  # bytes; etcd takes objects of 1.5 MiB


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of the release, with all that is known of it before it is here."""

    id: str
    file: str  # its name in artifacts_dir; of a local one its path
    kind: Kind
    arch: str  # empty: of every architecture
    purpose: str
    required: bool
    url: str  # where it is fetched from; empty: it is not, or nobody says
    upstream: str  # where upstream publishes it, if the manifest says another place; else the same
    sha256: str  # of the manifest; empty: not given there
    checksums_url: str  # the list that has its hash; empty: none is published
    size: int | None  # bytes; None: not known
    nodes: tuple[str, ...]  # names of the nodes that get it; empty: it stays on this machine
    destination: str  # where it ends on them; empty: nowhere
    images: tuple[str, ...] = ()  # what a made archive holds, as far as it is known
    unknown: str = ""  # what is not known of it, in words


@dataclass(frozen=True, slots=True)
class Image:
    """A container image that the release has to carry, and who wants it."""

    name: str
    wanted_by: str
    archives: tuple[str, ...]  # ids of the archives that mk8s puts it into; empty: upstream's have it


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything that the manifest says about the release."""

    artifacts: tuple[Artifact, ...]
    images: tuple[Image, ...]
    unknown: tuple[str, ...]  # what is not known before the download, as sentences


def list_release(cluster: Cluster, catalogue: Catalogue) -> Listed:
    """The whole list. Reads the user's manifests and nothing else; one that cannot be read is told so."""
    pods = _pods(cluster)
    items = _with_pods(cluster, catalogue, pods)
    sources = {source.item.id: source for source in sources_of(items, cluster)}
    artifacts = tuple(_artifact(item, sources.get(item.id), cluster) for item in items)
    images = _images(cluster, items, _wanted(cluster, pods))
    return Listed(artifacts, tuple(images), tuple(_unknown(artifacts, pods)))


def listing(cluster: Cluster, catalogue: Catalogue) -> list[Artifact]:
    """One entry for each file, in the order in which they are used."""
    return list(list_release(cluster, catalogue).artifacts)


def release_items(cluster: Cluster, catalogue: Catalogue) -> list[ArtifactItem]:
    """The catalogue's items, their archives of images completed by those of the user's own manifests."""
    return _with_pods(cluster, catalogue, _pods(cluster))


def images_in_manifests(cluster: Cluster) -> tuple[str, ...]:
    """The images of pods in the files of `manifests`, each once. Files that cannot be read add none."""
    return _named(_pods(cluster))


Pods: TypeAlias = dict[Path, tuple[str, ...] | None]
"""The images in each file of `manifests`; None for one that cannot be read."""


def _pods(cluster: Cluster) -> Pods:
    return {path: _images_in(path) for path in cluster.manifests}


def _images_in(path: Path) -> tuple[str, ...] | None:
    text = _text(path)
    found = None if text is None else fetched(text)
    return None if found is None else tuple(dict.fromkeys(image.name for image in found.images))


def _named(pods: Pods) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in pods.values() for name in names or ()))


def _with_pods(cluster: Cluster, catalogue: Catalogue, pods: Pods) -> list[ArtifactItem]:
    found = _named(pods)
    items = catalogue.artifacts(cluster)
    return [_completed(item, found) if _is_made(item) else item for item in items]


def _is_made(item: ArtifactItem) -> bool:
    """Whether mk8s puts it together from images, some of which may not be known yet."""
    return bool(item.origin.images or item.origin.unknown)


def _completed(item: ArtifactItem, found: Sequence[str]) -> ArtifactItem:
    images = tuple(dict.fromkeys((*item.origin.images, *found)))
    return replace(item, origin=replace(item.origin, images=images))


def _artifact(item: ArtifactItem, source: Source | None, cluster: Cluster) -> Artifact:
    origin = item.origin
    kind = _kind(item, source)
    taken = source if source and kind == "file" else None
    return Artifact(
        id=item.id,
        file=item.file,
        kind=kind,
        arch=origin.arch,
        purpose=item.purpose,
        required=item.required,
        url=taken.url if taken else "",
        upstream=taken.upstream if taken else "",
        sha256=source.promised if source else "",
        checksums_url=taken.checksums_url if taken else "",
        size=_size(item, cluster) if kind == "local" else origin.size,
        nodes=tuple(node.name for node in cluster.nodes if _gets(node, item)),
        destination=origin.destination if item.on_nodes else "",
        images=origin.images if kind == "images" else (),
        unknown="" if taken else origin.unknown,
    )


def _kind(item: ArtifactItem, source: Source | None) -> Kind:
    if source and source.url:
        return "file"
    if _is_made(item):
        return "images"
    return "local" if item.required or is_own_file(item) else "hashes"


def _gets(node: Node, item: ArtifactItem) -> bool:
    return item.on_nodes and node.role in item.roles and item.origin.arch in ("", node.arch)


def _size(item: ArtifactItem, cluster: Cluster) -> int | None:
    try:
        return (cluster.artifacts_dir / item.file).stat().st_size
    except OSError:
        return None


def _images(cluster: Cluster, items: Sequence[ArtifactItem], wanted: dict[str, str]) -> list[Image]:
    """Every image that is known by name, and where it comes from."""
    archives: dict[str, list[str]] = {}
    for item in items:
        for name in item.origin.images:
            archives.setdefault(name, []).append(item.id)
    names = dict.fromkeys([*archives, *wanted])
    usual = f"Kubernetes {cluster.version}"
    return [Image(name, wanted.get(name, usual), tuple(archives.get(name, ()))) for name in names]


def _wanted(cluster: Cluster, pods: Pods) -> dict[str, str]:
    """What the manifest itself asks for: image -> the words that say who."""
    asked = [(name, "the manifest's images") for name in cluster.images]
    if cluster.kube_vip:
        asked.append((cluster.kube_vip.image, "the manifest's kube_vip"))
    if cluster.smoke_image:
        asked.append((cluster.smoke_image, "the manifest's smoke_image"))
    asked += [(name, f"pods of {path.name}") for path, names in pods.items() for name in names or ()]
    wanted: dict[str, str] = {}
    for name, key in asked:
        wanted.setdefault(name, key)
    return wanted


def _unknown(artifacts: Sequence[Artifact], pods: Pods) -> list[str]:
    told = [f"{one.id}: {one.unknown}" for one in artifacts if one.unknown]
    told += [
        f"{one.id}: which images {one.file} holds is known when it is here"
        for one in artifacts
        if one.kind == "file" and one.id.startswith("images")
    ]
    told += [
        f"{one.id}: nobody publishes a hash of {one.file}; give one as `artifacts.{one.id}.checksum`, or the "
        "one of the first download is kept"
        for one in artifacts
        if one.kind == "file" and not (one.checksums_url or one.sha256 or one.id.startswith("checksums"))
    ]
    unread = [path for path, names in pods.items() if names is None]
    return told + [f"{path}: cannot be read as YAML, so its images are not known" for path in unread]


def _text(path: Path) -> str | None:
    """A manifest of the user's; None where it cannot be read or is too large to be one."""
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
