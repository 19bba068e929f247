"""Where a delta's missing members come from: the folder, or the file, of the bundle that came before.

A base is known by the hash of its index. What it gives is verified by whoever takes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from mk8s.bundle.files import explained, open_plain
from mk8s.bundle.head import Head
from mk8s.bundle.index import INDEX, LARGEST_INDEX, BundleError, Entry, Index, digest_of, read_index
from mk8s.bundle.reading import CHUNK, Reader
from mk8s.bundle.tar import BLOCK, stored_size

__all__ = ["Base", "FileBase", "FolderBase", "damaged", "open_base", "refuse_base"]

_T = TypeVar("_T")


class Base(Protocol):
    """A bundle, or what was unpacked from one, whose members can be read in any order."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """Of its index."""
        ...

    @property
    def index(self) -> Index: ...

    def parts(self, entry: Entry) -> Iterator[bytes]:
        """The content of the member that has the same hash, not verified. Raises BundleError."""
        ...


class FolderBase:
    """A folder that a bundle was unpacked to."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder
        with open_plain(folder / INDEX) as stream:
            content = stream.read(LARGEST_INDEX)
        self.digest = digest_of(content)
        self.index = read_index(content)
        self._paths = {entry.sha256: entry.path for entry in self.index.members}

    def parts(self, entry: Entry) -> Iterator[bytes]:
        path = self._folder / _known(self._paths, entry, self.name)
        with open_plain(path) as stream, explained(path, "read"):
            while part := stream.read(CHUNK):
                yield part


class FileBase:
    """A whole bundle's file. Each member's place follows from the sizes before it."""

    def __init__(self, file: Path) -> None:
        self.name = str(file)
        self._file = file
        with open_plain(file) as stream:
            head = Reader(stream, self.name, size=file.stat().st_size).head
        if head.note:
            raise BundleError(
                f"{file} is a delta itself",
                remedy="name a whole bundle as base, or the folder that it was unpacked to",
            )
        self.digest = head.digest
        self.index = head.index
        self._places = dict(_places(head))

    def parts(self, entry: Entry) -> Iterator[bytes]:
        with open_plain(self._file) as stream, explained(self._file, "read"):
            stream.seek(_known(self._places, entry, self.name))
            left = entry.size
            while left and (part := stream.read(min(left, CHUNK))):
                left -= len(part)
                yield part


def open_base(path: Path) -> Base:
    """The base at a path, a folder or a file. Raises BundleError when it is neither."""
    return FolderBase(path) if path.is_dir() else FileBase(path)


def refuse_base(head: Head, base: Base | None, name: str) -> None:
    """Raise BundleError where a delta has no base, or another than it was made for."""
    if head.note is None:
        return
    wanted = f"{head.index.cluster} {head.note.base_version} ({head.note.base[:12]}…)"
    if base is None:
        raise BundleError(
            f"{name} is a delta: it needs the bundle of {wanted}",
            remedy="name that bundle, or the folder it was unpacked to, with --base",
        )
    if base.digest != head.note.base:
        found = f"{base.index.cluster} {base.index.version} ({base.digest[:12]}…)"
        raise BundleError(
            f"{base.name} is not what {name} was made for: it is {found}, and {wanted} is needed",
            remedy="name the right one with --base",
        )


def damaged(base: Base, entry: Entry) -> BundleError:
    """What is said of a base whose content is not what its index says."""
    return BundleError(
        f"{base.name}: {entry.path} is missing there or was changed",
        cause="a delta takes from its base what has not changed",
        remedy="name another copy of the base, or use the whole bundle",
    )


def _known(places: dict[str, _T], entry: Entry, name: str) -> _T:
    if entry.sha256 not in places:
        raise BundleError(f"{name} does not have {entry.path}", remedy="use the whole bundle")
    return places[entry.sha256]


def _places(head: Head) -> Iterator[tuple[str, int]]:
    """Each member's hash and where its content begins."""
    first, *rest = head.carried
    yield first.sha256, BLOCK
    at = stored_size(first.size) + sum(stored_size(len(content)) for content in head.extras.values())
    for entry in rest:
        yield entry.sha256, at + BLOCK
        at += stored_size(entry.size)
