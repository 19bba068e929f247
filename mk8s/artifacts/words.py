"""The list of a release for people, as a table, and for programs, as data. Pure.

Begin reading at `listed_as_text`; `listed_as_data` has the same in a form that is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mk8s.amounts import bytes_in_words
from mk8s.artifacts.catalogue import Artifact, Image, Listed
from mk8s.artifacts.egress import shown_url
from mk8s.cluster import Cluster

__all__ = ["listed_as_data", "listed_as_text"]

FORMAT = 1  # of the data; a reader of it refuses a larger one
HEAD = ("id", "file", "arch", "size", "checksum", "nodes", "goes to")
NOTHING = "-"


def listed_as_data(listed: Listed, cluster: Cluster) -> dict[str, Any]:
    """The same as a value that JSON can hold. Keys are only ever added."""
    return {
        "format": FORMAT,
        "cluster": cluster.name,
        "distro": cluster.distro,
        "version": cluster.version,
        "architectures": sorted({node.arch for node in cluster.nodes}),
        "artifacts": [_entry(artifact) for artifact in listed.artifacts],
        "images": [asdict(image) for image in listed.images],
        "unknown": list(listed.unknown),
    }


def listed_as_text(listed: Listed, cluster: Cluster) -> str:
    """A table of the files, then where each comes from, the images, and what is not known yet."""
    rows = [_row(artifact, len(cluster.nodes)) for artifact in listed.artifacts]
    parts = [_table([HEAD, *rows]), "\n".join(_origins(listed.artifacts))]
    if listed.images:
        parts.append("\n".join(["images that mk8s adds or knows by name:", *_image_lines(listed.images)]))
    if listed.unknown:
        parts.append("\n".join(["not known before the download:", *(f"  {line}" for line in listed.unknown)]))
    return "\n\n".join(parts)


def _entry(artifact: Artifact) -> dict[str, Any]:
    """`checksum` says in one word where the hash comes from; the rest is the artifact as it is."""
    return {**asdict(artifact), "checksum": _checksum(artifact)}


def _row(artifact: Artifact, nodes: int) -> tuple[str, ...]:
    return (
        artifact.id,
        artifact.file,
        artifact.arch or "any",
        "not known" if artifact.size is None else bytes_in_words(artifact.size),
        _checksum(artifact),
        _nodes(artifact, nodes),
        artifact.destination or NOTHING,
    )


def _checksum(artifact: Artifact) -> str:
    """manifest, published, digests (of the images), none, or own for what nobody else can vouch for."""
    if artifact.sha256:
        return "manifest"
    by_kind = {"images": "digests", "local": "own", "hashes": "own"}
    return by_kind.get(artifact.kind) or ("published" if artifact.checksums_url else "none")


def _nodes(artifact: Artifact, nodes: int) -> str:
    count = len(artifact.nodes)
    if count == nodes:
        return f"all {nodes}" if nodes > 1 else "1"
    return f"{count} of {nodes}" if count else NOTHING


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _origins(artifacts: Sequence[Artifact]) -> Iterator[str]:
    for artifact in artifacts:
        yield f"{artifact.id}: {artifact.purpose}"
        yield f"  {_origin(artifact)}"
        if artifact.upstream and artifact.upstream != artifact.url:
            yield f"  instead of {artifact.upstream}"
        if artifact.sha256:
            yield f"  sha256 {artifact.sha256}, from the manifest"
        elif artifact.checksums_url:
            yield f"  its hash: {shown_url(artifact.checksums_url)}"


def _origin(artifact: Artifact) -> str:
    if artifact.kind == "images":
        count = len(artifact.images)
        more = " known ones and what kubeadm names" if artifact.unknown else ""
        return f"put together here from {count}{more or (' image' if count == 1 else ' images')}"
    if artifact.kind == "local":
        return "yours: it is not fetched"
    if artifact.kind == "hashes":
        return "written here when files are fetched, or yours"
    return shown_url(artifact.url)


def _image_lines(images: Sequence[Image]) -> list[str]:
    width = max(len(image.name) for image in images)
    return [f"  {image.name.ljust(width)}  {image.wanted_by}; {_carrier(image)}" for image in images]


def _carrier(image: Image) -> str:
    if image.archives:
        return f"in {', '.join(image.archives)}"
    return "must be in an archive of the distro's own, or add it to `images`"
