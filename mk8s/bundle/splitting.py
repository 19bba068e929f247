"""A bundle in chunks for media that it does not fit on: NAME.001, NAME.002 … and NAME.parts.json.

The list beside them holds the size and hash of every chunk and of the whole, so that a chunk that is
missing, cut off or of another set is named, before anything is made of it. It is not signed, and need not
be: the bundle that is put together is verified as any other.

Joining goes on where it stopped: what was put together from verified chunks stays. So chunks may come one
by one, medium by medium.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from mk8s.bundle.files import explained, growing, open_plain, refuse_full_disk
from mk8s.bundle.index import BundleError, Digest, Size, Word
from mk8s.bundle.reading import CHUNK, Readable
from transports.base import digest_of_file

__all__ = ["ChunkList", "is_chunk", "join", "open_chunks", "split", "whole_of"]

SUFFIX = ".parts.json"
NUMBER = re.compile(r"(?P<name>.+)\.(?P<number>[0-9]{3,})")
MOST_CHUNKS = 999
SMALLEST = 1 << 16
LARGEST_LIST = 1 << 20
Spent = Callable[[int], None]


class Chunk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One chunk; its name follows from its place in the list."""

    size: Size
    sha256: Digest


class ChunkList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What NAME.parts.json holds."""

    kind: Literal["mk8s-parts"] = "mk8s-parts"
    name: Word  # of the whole
    size: Size
    sha256: Digest
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class _Set:
    """A list of chunks, and the folder where it lies."""

    folder: Path
    known: ChunkList

    def path(self, number: int) -> Path:
        return self.folder / chunk_name(self.known.name, number)

    @property
    def paths(self) -> list[Path]:
        return [self.path(number) for number in range(len(self.known.chunks))]


def chunk_name(name: str, number: int) -> str:
    """NAME.001 is number 0."""
    return f"{name}.{number + 1:03d}"


def is_chunk(path: Path) -> bool:
    """Whether a name is that of a chunk, or of a list of chunks."""
    return path.name.endswith(SUFFIX) or NUMBER.fullmatch(path.name) is not None


def split(path: Path, size: int, folder: Path, *, spent: Spent = lambda _: None) -> list[Path]:
    """Write the chunks of a file, and their list, into a folder. Returns their paths, the list last.

    A chunk that is there already and right is left alone. Raises BundleError.
    """
    with open_plain(path) as stream, explained(path, "read"):
        total = path.stat().st_size
        count = _refuse_count(path, total, size)
        places = [folder / chunk_name(path.name, number) for number in range(count)]
        refuse_full_disk(folder, total - _sizes(places), f"the chunks of {path.name}")
        with explained(folder, "made"):
            folder.mkdir(parents=True, exist_ok=True)
        whole = hashlib.sha256()
        chunks = [
            _write_chunk(stream, min(size, total - n * size), whole, places[n], spent) for n in range(count)
        ]
    known = ChunkList(name=path.name, size=total, sha256=whole.hexdigest(), chunks=tuple(chunks))
    listed = folder / (path.name + SUFFIX)
    content = msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n"
    with growing(listed, len(content)) as file:
        file.write(content)
    return [*places, listed]


def join(first: Path, path: Path, *, spent: Spent = lambda _: None) -> None:
    """Put the chunks together again, into the file `path`.

    Raises BundleError for a chunk that is missing, cut off or wrong, with its name; what was put together
    so far stays, and the same call goes on from there.
    """
    chunks = _read_set(first)
    with growing(path, chunks.known.size, resume=True) as stream:
        done = _whole_chunks(stream, chunks.known, spent)
        for number in range(done, len(chunks.known.chunks)):
            _append(stream, chunks, number, spent)
        if _digest(stream) != chunks.known.sha256:
            stream.truncate(0)
            raise BundleError(
                f"{path.name}: the chunks are right, and the whole is not",
                cause="the list of chunks is wrong",
            )


def whole_of(first: Path) -> tuple[Path, int]:
    """Where the whole that a chunk belongs to would be, beside it, and its bytes. Raises BundleError."""
    chunks = _read_set(first)
    return chunks.folder / chunks.known.name, chunks.known.size


@contextmanager
def open_chunks(first: Path) -> Iterator[tuple[Readable, int]]:
    """The chunks as one stream, and its size. Each chunk is verified before a byte of it is handed out."""
    chunks = _read_set(first)
    for number in range(len(chunks.known.chunks)):
        _refuse_size(chunks, number)
    stream = _Stream(chunks)
    try:
        yield stream, chunks.known.size
    finally:
        stream.close()


class _Stream:
    """Chunk after chunk."""

    def __init__(self, chunks: _Set) -> None:
        self._chunks = chunks
        self._next = 0
        self._open: BinaryIO | None = None

    def read(self, size: int, /) -> bytes:
        while self._open or self._next < len(self._chunks.known.chunks):
            if self._open is None:
                _refuse_content(self._chunks, self._next)
                self._open = open_plain(self._chunks.path(self._next))
                self._next += 1
            with explained(self._chunks.path(self._next - 1), "read"):
                part = self._open.read(size)
            if part:
                return part
            self.close()
        return b""

    def close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None


def _digest(stream: BinaryIO) -> str:
    hashed = hashlib.sha256()
    stream.seek(0)
    while part := stream.read(CHUNK):
        hashed.update(part)
    return hashed.hexdigest()


def _refuse_count(path: Path, total: int, size: int) -> int:
    if size < SMALLEST:
        raise BundleError(f"chunks of {size} bytes are too small", remedy="such as --size 4GB")
    count = max(-(-total // size), 1)
    if count > MOST_CHUNKS:
        raise BundleError(
            f"{path.name} would be {count} chunks, and {MOST_CHUNKS} are the most", remedy="make them larger"
        )
    return count


def _sizes(places: list[Path]) -> int:
    return sum(place.stat().st_size for place in places if place.is_file())


def _write_chunk(stream: BinaryIO, size: int, whole: hashlib._Hash, place: Path, spent: Spent) -> Chunk:
    """One chunk, unless it is there and right; then the stream stands behind it."""
    start = stream.tell()
    hashed = hashlib.sha256()
    for part in _parts(stream, size, place.name):
        hashed.update(part)
        whole.update(part)
    chunk = Chunk(size=size, sha256=hashed.hexdigest())
    if not _is_right(place, chunk):
        stream.seek(start)
        with growing(place, size) as file:
            for part in _parts(stream, size, place.name):
                file.write(part)
    spent(size)
    return chunk


def _parts(stream: BinaryIO, size: int, name: str) -> Iterator[bytes]:
    left = size
    while left:
        part = stream.read(min(left, CHUNK))
        if not part:
            raise BundleError(f"the file became shorter while {name} was being written", remedy="repeat")
        left -= len(part)
        yield part


def _is_right(path: Path, chunk: Chunk) -> bool:
    return path.is_file() and path.stat().st_size == chunk.size and digest_of_file(path) == chunk.sha256


def _read_set(first: Path) -> _Set:
    """The list that belongs to a chunk. Raises BundleError."""
    found = NUMBER.fullmatch(first.name)
    name = found["name"] if found else first.name.removesuffix(SUFFIX)
    listed = first.with_name(name + SUFFIX)
    if not listed.exists():
        raise BundleError(
            f"{listed} is not there",
            cause="it lists the chunks and their hashes",
            remedy="copy it beside them",
        )
    with open_plain(listed) as stream, explained(listed, "read"):
        content = stream.read(LARGEST_LIST)
    try:
        known = msgspec.json.decode(content, type=ChunkList, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{listed} is no list of chunks: {error}", remedy="copy it again") from error
    if known.name != name or sum(chunk.size for chunk in known.chunks) != known.size:
        raise BundleError(f"{listed} is of another file, or was changed", remedy="copy it again")
    return _Set(listed.parent, known)


def _refuse_size(chunks: _Set, number: int) -> None:
    path, expected = chunks.path(number), chunks.known.chunks[number].size
    missing = [place.name for place in chunks.paths[number:] if not place.exists()]
    if not path.exists():
        raise BundleError(
            f"{chunks.known.name}: {len(missing)} of {len(chunks.known.chunks)} chunks not here: "
            + ", ".join(missing),
            remedy=f"copy them to {chunks.folder}, then repeat: what was done is kept",
        )
    with explained(path, "read"):
        size = path.stat().st_size
    if size != expected:
        what = "is cut off" if size < expected else "is too long"
        raise BundleError(f"{path.name} {what}: it has {size} of {expected} bytes", remedy=COPY_AGAIN)


COPY_AGAIN = "copy this chunk again"


def _refuse_content(chunks: _Set, number: int) -> None:
    _refuse_size(chunks, number)
    path = chunks.path(number)
    with explained(path, "read"), open_plain(path) as stream:
        found = _digest(stream)
    if found != chunks.known.chunks[number].sha256:
        raise _swapped(chunks, number, found)


def _swapped(chunks: _Set, number: int, found: str) -> BundleError:
    name = chunks.path(number).name
    for other, chunk in enumerate(chunks.known.chunks):
        if chunk.sha256 == found:
            return BundleError(
                f"{name} holds what belongs into {chunks.path(other).name}",
                remedy="give them their own names",
            )
    return BundleError(f"{name} is damaged, or of another bundle", remedy=COPY_AGAIN)


def _whole_chunks(stream: BinaryIO, known: ChunkList, spent: Spent) -> int:
    """How many chunks stand in the file already, verified; it is cut off behind them."""
    stream.seek(0)
    for number, chunk in enumerate(known.chunks):
        start = stream.tell()
        hashed, left = hashlib.sha256(), chunk.size
        while left and (part := stream.read(min(left, CHUNK))):
            hashed.update(part)
            left -= len(part)
        if left or hashed.hexdigest() != chunk.sha256:
            stream.seek(start)
            stream.truncate()
            return number
        spent(chunk.size)
    stream.truncate()
    return len(known.chunks)


def _append(stream: BinaryIO, chunks: _Set, number: int, spent: Spent) -> None:
    """One chunk to the end, verified while it is copied; what was not right is cut off again."""
    _refuse_size(chunks, number)
    path, start, hashed = chunks.path(number), stream.tell(), hashlib.sha256()
    with open_plain(path) as source, explained(path, "read"):
        while part := source.read(CHUNK):
            hashed.update(part)
            stream.write(part)
            spent(len(part))
    if hashed.hexdigest() != chunks.known.chunks[number].sha256:
        stream.seek(start)
        stream.truncate()
        raise _swapped(chunks, number, hashed.hexdigest())
