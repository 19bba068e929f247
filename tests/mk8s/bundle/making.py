"""Small bundles for tests: in memory, of any members."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mk8s.bundle.head import DeltaNote, Head
from mk8s.bundle.index import README, SUMS, Entry, Index, Member, encode, entry_of, in_order, sums_text
from mk8s.bundle.reading import Reader
from mk8s.bundle.tar import END, header, padding
from transports.base import Bytes

__all__ = ["BIG", "FILES", "bundle", "contents", "head_of", "index_of", "read", "tree", "written"]

BIG = bytes(range(256)) * 9000  # more than one part of the reader
FILES: Mapping[str, bytes] = {
    "artifacts/images.tar.zst": BIG,
    "artifacts/rke2.linux-amd64.tar.gz": b"rke2",
    "cluster.yaml": b"name: test\n",
    "mk8s/lib/empty.py": b"",
    "mk8s/lib/other.py": b"",
    "mk8s/mk8s": b"#!/bin/sh\n",
}


def members(files: Mapping[str, bytes]) -> list[Member]:
    """All members of a bundle with these files; what ends in ``mk8s`` is executable."""
    given = [
        Member(path, Bytes(content), executable=path.endswith("/mk8s")) for path, content in files.items()
    ]
    given.append(Member(README, Bytes(b"read me\n")))
    given = in_order(given)
    sums = sums_text(entry_of(member) for member in given)
    return in_order([*given, Member(SUMS, Bytes(sums))])


def index_of(entries: Iterable[Entry], version: str = "v1.33.4+rke2r1") -> Index:
    return Index(
        kind="mk8s-bundle",
        format=1,
        cluster="test",
        distro="rke2",
        version=version,
        arches=("amd64",),
        mk8s="0.1.0",
        members=tuple(entries),
    )


def head_of(
    files: Mapping[str, bytes] = FILES, *, signature: bytes = b"", note: DeltaNote | None = None
) -> Head:
    index = index_of(map(entry_of, members(files)))
    return Head(encode(index), index, signature, note)


def contents(files: Mapping[str, bytes] = FILES) -> dict[str, bytes]:
    """The content of every member, README and SHA256SUMS too."""
    found = {}
    for member in members(files):
        assert isinstance(member.source, Bytes)
        found[member.path] = member.source.content
    return found


def bundle(
    files: Mapping[str, bytes] = FILES,
    *,
    head: Head | None = None,
    instead: Mapping[str, bytes] | None = None,
) -> bytes:
    """A whole bundle's bytes, put together apart from the product's writer.

    `instead`: contents in place of those that the index speaks of, of the same size.
    """
    head = head or head_of(files)
    found = contents(files) | dict(instead or {})
    first, *rest = head.carried
    parts = [member(first.path, found[first.path])]
    parts += [member(path, content) for path, content in head.extras.items()]
    parts += [member(entry.path, found[entry.path], executable=entry.executable) for entry in rest]
    return b"".join(parts) + END


def member(path: str, content: bytes, *, executable: bool = False) -> bytes:
    return header(path, len(content), executable=executable) + content + bytes(padding(len(content)))


def read(content: bytes) -> Reader:
    return Reader(io.BytesIO(content), "test.mk8s.tar", size=len(content))


def written(path: Path, content: bytes | None = None) -> Path:
    path.write_bytes(bundle() if content is None else content)
    return path


def tree(folder: Path, *, without: Sequence[str] = ()) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in without
    }
