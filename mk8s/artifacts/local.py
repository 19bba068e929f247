"""file:// URLs: files of this machine, taken as if they were fetched."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from mk8s.artifacts.cache import Known, Part
from mk8s.artifacts.fault import FetchError

__all__ = ["copy_local", "read_local"]

CHUNK = 1 << 20


def copy_local(url: str, part: Part) -> None:
    """A file of this machine, as if it were fetched. Slow."""
    part.begin(Known(url))
    try:
        with _path(url).open("rb") as stream:
            while piece := stream.read(CHUNK):
                part.add(piece)
    except OSError as error:
        raise _unreadable(url, error) from error


def read_local(url: str) -> bytes:
    """A small file of this machine. Raises FetchError."""
    try:
        return _path(url).read_bytes()
    except OSError as error:
        raise _unreadable(url, error) from error


def _path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.hostname not in (None, "localhost"):
        raise FetchError("file", f"{url} names a host", remedy="a local file is written file:///path/to/it")
    return Path(unquote(parts.path))


def _unreadable(url: str, error: OSError) -> FetchError:
    return FetchError(
        "file", f"{_path(url)} cannot be read: {error.strerror}", remedy="correct its URL in the manifest"
    )
