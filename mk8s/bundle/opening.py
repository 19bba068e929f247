"""A bundle opened for reading, be it one file or a set of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mk8s.bundle.files import explained, open_plain
from mk8s.bundle.head import Head
from mk8s.bundle.index import BundleError
from mk8s.bundle.progress import Progress
from mk8s.bundle.reading import Readable, Reader
from mk8s.bundle.splitting import is_chunk, open_chunks

__all__ = ["opened", "read_head", "refuse_other_file"]


@contextmanager
def opened(path: Path, doing: str) -> Iterator[Reader]:
    """A reader of the bundle at `path`, or of the chunks that `path` is one of. Tells progress as `doing`.

    Raises BundleError when it cannot be read, and as the reader does.
    """
    with _stream(path) as (stream, size), Progress(doing, size) as progress:
        yield Reader(stream, path.name, size=size, spent=progress)


def read_head(path: Path) -> Head:
    """What a bundle says of itself, its members unread."""
    with _stream(path) as (stream, size):
        return Reader(stream, path.name, size=size).head


def refuse_other_file(path: Path) -> None:
    """Raise BundleError where something stands that is not a bundle, and would be overwritten by one."""
    if not path.exists():
        return
    try:
        read_head(path)
    except BundleError as error:
        raise BundleError(
            f"{path} is there, and is no bundle", cause="it would be overwritten", remedy="name another file"
        ) from error


@contextmanager
def _stream(path: Path) -> Iterator[tuple[Readable, int]]:
    if is_chunk(path):
        with open_chunks(path) as (chunks, size):
            yield chunks, size
        return
    with open_plain(path) as stream:
        yield _Named(stream, path), path.stat().st_size


class _Named:
    """A file whose trouble is told with its own name, whoever else is at work around it."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self._path = path

    def read(self, size: int, /) -> bytes:
        with explained(self._path, "read"):
            return self._stream.read(size)
