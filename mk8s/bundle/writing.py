"""A bundle as bytes: the same input gives the same bytes, and nothing goes in unverified.

Every content is hashed while it is written and compared with the index that was made before. So a file
that changes under our hands ends the writing, and a bundle that is there is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from mk8s.bundle.files import explained, growing, open_plain
from mk8s.bundle.head import Head
from mk8s.bundle.index import BundleError, Entry, Member
from mk8s.bundle.reading import CHUNK
from mk8s.bundle.tar import END, header, padding
from transports.base import File

__all__ = ["Contents", "checked", "contents_of", "write_bundle"]

Contents: TypeAlias = Iterable[tuple[Entry, Iterable[bytes]]]
"""The members that a bundle carries, in its order, each with its content in parts."""

Spent = Callable[[int], None]


def write_bundle(path: Path, head: Head, contents: Contents, *, spent: Spent = lambda _: None) -> None:
    """Write a bundle whole, or nothing. `spent` is called with bytes as they are written.

    Raises BundleError when there is no room, when the disk refuses, and for a content that differs.
    """
    with growing(path, head.file_size) as stream:
        for number, (entry, content) in enumerate(contents):
            _write(stream, entry, content, spent)
            if number == 0:
                _write_extras(stream, head)
        stream.write(END)
        if stream.tell() != head.file_size:
            raise AssertionError("a bundle's members are not those of its head")


def contents_of(entries: Iterable[Entry], members: Iterable[Member]) -> Contents:
    """The contents of these entries, from members that are here."""
    by_path = {member.path: member for member in members}
    for entry in entries:
        yield entry, _parts(by_path[entry.path])


def _parts(member: Member) -> Iterator[bytes]:
    source = member.source
    if not isinstance(source, File):
        yield source.content
        return
    with open_plain(source.path) as stream, explained(source.path, "read"):
        while part := stream.read(CHUNK):
            yield part


def checked(entry: Entry, parts: Iterable[bytes], refusal: Callable[[], BundleError]) -> Iterator[bytes]:
    """The same content, ended by a refusal where its size or hash is not the entry's."""
    hashed, left = hashlib.sha256(), entry.size
    for part in parts:
        left -= len(part)
        if left < 0:
            break
        hashed.update(part)
        yield part
    if left or hashed.hexdigest() != entry.sha256:
        raise refusal()


def _write(stream: BinaryIO, entry: Entry, content: Iterable[bytes], spent: Spent) -> None:
    stream.write(header(entry.path, entry.size, executable=entry.executable))
    for part in checked(entry, content, lambda: _changed(entry)):
        stream.write(part)
        spent(len(part))
    stream.write(bytes(padding(entry.size)))


def _changed(entry: Entry) -> BundleError:
    return BundleError(
        f"{entry.path} has changed while the bundle was being written",
        cause="its size or its hash is not what it was a moment ago",
        remedy="let nothing else write to that file, and repeat",
    )


def _write_extras(stream: BinaryIO, head: Head) -> None:
    for path, content in head.extras.items():
        stream.write(header(path, len(content)) + content + bytes(padding(len(content))))
