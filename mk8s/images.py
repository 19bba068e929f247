"""Which container images an archive holds, read here before any node gets it.

Two kinds of archive are known: what `docker save` writes (``manifest.json``) and an OCI layout
(``index.json``), as a tar or a tar.gz. Nothing is unpacked: headers are walked, and one small JSON file
is read. An archive is foreign content, so what it claims of itself is bounded: names, sizes, members.

Law: *not known* is never *empty*. An archive of another kind (zstd, lz4, damaged) gives None.

This module knows no cluster and no node. Begin reading at `image_names`.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from machines.words import printable
from transports.base import File

__all__ = ["IMAGES", "image_names", "images_in", "images_of", "is_cut"]

IMAGES = "images"  # ids of archives begin with it
GZIP = b"\x1f\x8b"
DOCKER, OCI = "manifest.json", "index.json"
ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
LARGEST_JSON = 4 << 20  # bytes; a thousand images take about a quarter of one MiB
LARGEST_READ = 16 << 20  # bytes in one piece: also headers claim sizes
LARGEST_ARCHIVE = 64 << 30  # bytes, unpacked
MOST_MEMBERS = 200_000
LONGEST_NAME = 512  # characters


class _NotReadable(Exception):  # noqa: N818 - an answer: this archive is of no kind that is known here
    """Of another kind, damaged, or larger than anything sensible."""


def images_in(release: Mapping[str, File]) -> tuple[str, ...]:
    """The names in all archives of a release (items whose id begins with ``images``), each once, in order.

    Archives that cannot be read add nothing: an empty answer means *not known*.
    """
    return images_of({name: file.path for name, file in release.items()})


def images_of(files: Mapping[str, Path]) -> tuple[str, ...]:
    """The same for files that nobody has hashed; one that is not there adds nothing."""
    archives = [path for name, path in files.items() if name.startswith(IMAGES)]
    return tuple(dict.fromkeys(name for path in archives for name in image_names(path) or ()))


def image_names(path: Path) -> tuple[str, ...] | None:
    """The images' names, such as ``registry.k8s.io/pause:3.2``, as the archive has them. Reads the file.

    None: what it holds is not known, because it is no tar or tar.gz of either kind or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return tuple(dict.fromkeys(_names(_unpacked(stream))))
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, RecursionError, _NotReadable):
        return None


def is_cut(path: Path) -> bool:
    """Whether an archive whose names can be read ends before its last member does. Reads its headers only.

    (Of a tar.gz all of it, for there is no other way to its end.)
    """
    try:
        with (
            path.open("rb") as stream,
            tarfile.open(fileobj=cast("IO[bytes]", _unpacked(stream)), mode="r:") as tar,
        ):
            for count, _ in enumerate(tar):
                if count > MOST_MEMBERS:
                    return False  # of no sensible kind: not known
    except (tarfile.ReadError, EOFError):
        return image_names(path) is not None
    except (OSError, zlib.error, tarfile.TarError, ValueError, _NotReadable):
        return False
    return False


class _Bounded:
    """A file that gives no huge piece and has no far end: tarfile believes the sizes that headers claim."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_READ:
            raise _NotReadable(f"a piece of {size} bytes")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset > LARGEST_ARCHIVE:
            raise _NotReadable(f"it would be {offset} bytes")
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _unpacked(stream: IO[bytes]) -> _Bounded:
    packed = stream.read(len(GZIP)) == GZIP
    stream.seek(0)
    return _Bounded(cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if packed else stream)


def _names(stream: _Bounded) -> Iterable[str]:
    """Docker's list where there is one that names images, for it is the complete one; otherwise OCI's.

    Docker's cannot say a digest, so a layout that stands before it is asked for those.
    """
    found: dict[str, list[str]] = {}
    by_digest: list[str] = []
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as tar:
        for name, member in _lists(tar):
            document = _json(tar, member)
            found[name] = list(READERS[name](document))
            if name == DOCKER and found[name]:
                return [*found[name], *by_digest]
            by_digest = list(_digest_names(document)) if name == OCI else by_digest
    if not found:
        raise _NotReadable("no list of images in it")
    return found.get(OCI) or ()


def _lists(tar: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    for count, member in enumerate(tar):
        if count > MOST_MEMBERS:
            raise _NotReadable("too many members")
        name = member.name.removeprefix("./")
        if name in READERS and member.isreg():
            yield name, member


def _json(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    stream = tar.extractfile(member)
    if stream is None or member.size > LARGEST_JSON or member.issparse():
        raise _NotReadable(f"{member.name} of {member.size} bytes")
    return json.loads(stream.read(LARGEST_JSON))


def _docker_names(document: Any) -> Iterator[str]:
    for image in _mappings(document):
        tags = image.get("RepoTags")
        yield from filter(_is_name, tags if isinstance(tags, list) else ())


def _oci_names(document: Any) -> Iterator[str]:
    """The containerd annotation is a whole name; the other one may be a bare tag, which names nothing."""
    for names in _annotated(document):
        yield from names[:1]


def _digest_names(document: Any) -> Iterator[str]:
    for names in _annotated(document):
        yield from (name for name in names if "@" in name)


def _annotated(document: Any) -> Iterator[list[str]]:
    for image in _mappings(document.get("manifests") if isinstance(document, dict) else None):
        given = image.get("annotations")
        notes = given if isinstance(given, dict) else {}
        yield [notes[key] for key in ANNOTATIONS if _is_name(notes.get(key)) and ":" in notes[key]]


READERS = {DOCKER: _docker_names, OCI: _oci_names}


def _mappings(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, list):
        raise _NotReadable("a list of images that is none")
    return [entry for entry in document if isinstance(entry, dict)]


def _is_name(value: object) -> bool:
    """Something that can be shown and passed on: names become arguments and lines of configuration."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        return False
    return printable(value) == value and not value.startswith("-") and not any(c.isspace() for c in value)
