"""One tar of several images, as docker saves it and at the same time as an OCI layout.

``manifest.json`` is read by docker and by mk8s itself, ``index.json`` with ``oci-layout`` by containerd,
which takes the layout where both are there. Both point to the same ``blobs/sha256/<hash>``.

Laws:

1. The same list of images gives the same bytes: no times, no owners, blobs sorted. docker's list keeps the
   order, because of two images with the same last name the first is the distro's own.
2. Each blob is in it once and is hashed while it is written; one that differs ends it.
3. The archive gets its name when it is whole and durable, in one step.

containerd finds an image only by its whole name (``docker.io/library/busybox:1``), so the layout has that,
by tag and by digest; docker's list has the names as they were asked for, and a layout's short name is
one that was asked for by its digest.
Begin reading at `write_images`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

from mk8s.artifacts.filing import CacheError, in_one_step
from mk8s.artifacts.manifests import Descriptor, check_config
from mk8s.artifacts.references import Reference, parse_reference
from mk8s.artifacts.registry import RegistryError, Resolved
from mk8s.images import image_names, is_cut

__all__ = ["holds_exactly", "write_images"]

FOLDER = "blobs/sha256/"
LAYOUT = {"imageLayoutVersion": "1.0.0"}
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
NAME, SHORT_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"
READABLE = 0o644


def write_images(images: Sequence[Resolved], blobs: Mapping[str, Path], target: Path, arch: str) -> None:
    """Write the archive. `blobs`: the file of each config and layer, by digest. Slow: for a thread.

    Raises RegistryError for an image that is not what it should be, CacheError for a disk that is full or
    a file that has changed. Nothing of it stays then.
    """
    for image in images:
        _check(image, blobs, arch)
    with in_one_step(target) as temporary:
        _write(images, blobs, temporary)


def holds_exactly(path: Path, names: Iterable[str]) -> bool:
    """Whether this archive is whole and has these images, as they were asked for, and no others."""
    found = image_names(path) if path.is_file() else None
    if found is None or is_cut(path):
        return False
    wanted = {listed for name in names for listed in _listed(parse_reference(name))}
    return {name for name in found if name in wanted or "@" not in name} == wanted


def _listed(reference: Reference) -> tuple[str, ...]:
    """What `mk8s.images` reads of it."""
    tagged = (reference.asked_by_tag,) if reference.tag else ()
    return (*tagged, reference.asked) if reference.digest else tagged


def _check(image: Resolved, blobs: Mapping[str, Path], arch: str) -> None:
    try:
        check_config(blobs[image.manifest.config.digest].read_bytes(), arch, len(image.manifest.layers))
    except ValueError as error:
        raise RegistryError(
            f"{image.reference.asked} cannot be put into the release: {error}",
            remedy="name another image for it in the manifest's `images`",
        ) from error


def _write(images: Sequence[Resolved], blobs: Mapping[str, Path], path: Path) -> None:
    documents = {image.digest: image.document for image in images}
    files = {blob.digest: blob for image in images for blob in image.blobs}
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, READABLE)
    with os.fdopen(descriptor, "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name, document in (("index.json", _index(images)), ("manifest.json", _docker(images))):
                _add(tar, name, _json(document))
            _add(tar, "oci-layout", _json(LAYOUT))
            for digest in sorted({*documents, *files}):
                if digest in documents:
                    _add(tar, _member(digest), documents[digest])
                else:
                    _add_file(tar, files[digest], blobs[digest])
        raw.flush()
        os.fsync(raw.fileno())


def _index(images: Sequence[Resolved]) -> dict[str, Any]:
    """Each image once for each of its names: containerd makes one image of each entry."""
    named = {name: image for image in images for name in image.reference.names}
    entries = [
        {
            "mediaType": image.manifest.media_type,
            "digest": image.digest,
            "size": len(image.document),
            "annotations": {NAME: name, SHORT_NAME: image.reference.asked if "@" in name else _tag(name)},
        }
        for name, image in sorted(named.items())
    ]
    return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}


def _tag(name: str) -> str:
    return name.rpartition(":")[2]


def _docker(images: Sequence[Resolved]) -> list[dict[str, Any]]:
    """Docker's list. It knows no digests as names: such an image has no name there."""
    grouped: dict[str, dict[str, Any]] = {}
    for image in images:
        entry = grouped.setdefault(
            image.digest,
            {
                "Config": _member(image.manifest.config.digest),
                "RepoTags": [],
                "Layers": [_member(layer.digest) for layer in image.manifest.layers],
            },
        )
        entry["RepoTags"] += filter(None, [image.reference.asked_by_tag])
    return [{**entry, "RepoTags": list(dict.fromkeys(entry["RepoTags"]))} for entry in grouped.values()]


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_info(name, len(content)), io.BytesIO(content))


def _add_file(tar: tarfile.TarFile, blob: Descriptor, path: Path) -> None:
    with path.open("rb") as stream:
        hashed = _Hashed(stream)
        tar.addfile(_info(_member(blob.digest), blob.size), cast("IO[bytes]", hashed))
        more = stream.read(1)
    if more or hashed.digest.hexdigest() != blob.sha256:
        raise CacheError(
            f"{path} has changed since it was fetched", remedy="remove it, then do the same again"
        )


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.digest.update(piece)
        return piece


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, READABLE
    return info


def _member(digest: str) -> str:
    return FOLDER + digest.removeprefix("sha256:")


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
