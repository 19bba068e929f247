"""Containers for files, written so that the same input gives the same bytes.

Tar members carry no time and no owner; gzip's header carries no time and no name. The zstd frames hold
raw blocks only: valid for every decompressor, and nothing is compressed, so no library is needed.
The compressed bytes of gzip are those of the Python and zlib that run: two machines may differ.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO

__all__ = ["RawZstd", "noise", "tar_gz", "tar_member"]

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
FRAME_HEADER = b"\x00\x50"  # no checksum, no content size; window descriptor 0x50 = 1 MiB (RFC 8878, 3.1.1.1)
LARGEST_BLOCK = 128 << 10  # RFC 8878, 3.1.1.2.4
NOISE_CHUNK = 1 << 20


class RawZstd:
    """A writer that frames what it gets as one zstd frame of uncompressed blocks. `close` ends the frame."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._waiting = bytearray()
        target.write(ZSTD_MAGIC + FRAME_HEADER)

    def write(self, data: bytes) -> int:
        self._waiting += data
        while len(self._waiting) > LARGEST_BLOCK:
            self._block(bytes(self._waiting[:LARGEST_BLOCK]), last=False)
            del self._waiting[:LARGEST_BLOCK]
        return len(data)

    def close(self) -> None:
        self._block(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _block(self, data: bytes, *, last: bool) -> None:
        header = len(data) << 3 | int(last)  # block type 0: raw
        self._target.write(header.to_bytes(3, "little") + data)


class _Stream(io.RawIOBase):
    """The chunks of an iterator as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        size = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def noise(size: int, seed: int, name: str) -> Iterator[bytes]:
    """`size` bytes that look random, depend only on `seed` and `name`, and do not compress."""
    for number in range(0, size, NOISE_CHUNK):
        key = f"{seed}/{name}/{number}".encode()
        yield hashlib.shake_256(key).digest(min(NOISE_CHUNK, size - number))


def tar_member(
    tar: tarfile.TarFile, name: str, size: int, chunks: Iterable[bytes], mode: int = 0o644
) -> None:
    """Add one file of `size` bytes, root's own and without a time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uname, info.gname = size, mode, "root", "root"
    tar.addfile(info, _Stream(iter(chunks)))


def tar_gz(members: Iterable[tuple[str, bytes, int]]) -> bytes:
    """A .tar.gz of (name, content, mode)."""
    target = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, content, mode in members:
            tar_member(tar, name, len(content), [content], mode)
    return target.getvalue()
