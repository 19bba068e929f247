"""Cutting a file into pieces, and comparing them with what a node holds.

A file is hashed once a run, off the event loop, for all nodes: its pieces, the longer strides that are sent
by one command each, and the whole, which must still be what it was found to be at the start.

This module knows no transport, no node and no SSH.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

import anyio
import anyio.to_thread

from machines.errors import ActionError
from mk8s.delivery import PIECE
from mk8s.parts import PartState
from transports.base import File, Piece

__all__ = ["STRIDE", "Cut", "Cuts", "Cutting", "cut_file", "pieces_of"]

STRIDE = 8 * PIECE  # bytes sent by one command: by 8 MiB, a quick link would idle half the time
BLOCK = 1 << 20  # bytes
EVERYTHING = 1 << 62  # bytes; more than a file has

RangeOf: TypeAlias = Callable[[File, int, int], Awaitable[Piece]]


@dataclass(frozen=True, slots=True)
class Cuts:
    """A file's pieces, each with its hash, and how to get any other range of it."""

    file: File
    pieces: tuple[Piece, ...]  # of PIECE bytes
    strides: tuple[Piece, ...]  # the same bytes in longer ranges
    range_of: RangeOf

    async def verified(self, there: PartState) -> int:
        """How many bytes of the file a part begins with, by the hashes that the node said."""
        same = 0
        for piece, digest in zip(self.pieces, there.hashes, strict=False):
            if piece.sha256 != digest:
                break
            same += 1
        if there.size > self.file.size:  # it ends too late: sending its last piece cuts it off
            same = min(same, len(self.pieces) - 1)
        at = same * PIECE
        if at + PIECE > self.file.size or there.size >= at + PIECE or there.size <= at:
            return min(at, self.file.size)
        tail = await self.range_of(self.file, at, there.size - at)
        return there.size if there.hashes[same:] == (tail.sha256,) else at

    async def rest(self, start: int) -> Sequence[Piece]:
        """All that lies behind the first `start` bytes, in order, ready to be sent."""
        whole = [stride for stride in self.strides if stride.start >= start]
        end = whole[0].start if whole else self.file.size
        return [await self.range_of(self.file, start, end - start), *whole] if start < end else whole


Cut: TypeAlias = Callable[[File], Awaitable[Cuts]]


@dataclass(slots=True)
class Cutting:
    """Cuts each file once, however many nodes want it at the same time."""

    cut: Cut
    _known: dict[str, Cuts] = field(default_factory=dict)
    _turns: dict[str, anyio.Lock] = field(default_factory=dict)

    async def of(self, file: File) -> Cuts:
        """Raises ActionError ``integrity`` where the file is not what it was."""
        async with self._turns.setdefault(file.sha256, anyio.Lock()):
            if file.sha256 not in self._known:
                self._known[file.sha256] = await self.cut(file)
            return self._known[file.sha256]


async def pieces_of(file: File) -> tuple[Piece, ...]:
    """The file's pieces. Raises ActionError ``integrity`` where it is not what it was."""
    return (await cut_file(file)).pieces


async def cut_file(file: File) -> Cuts:
    """Read a file once and cut it. Raises ActionError ``integrity`` where it is not what it was."""
    try:
        whole, pieces, strides = await anyio.to_thread.run_sync(_read, file.path)
    except OSError as error:
        raise _changed(file, f"cannot be read any more: {error.strerror}") from error
    if whole != file.sha256:
        raise _changed(file, f"has changed here since the run began: its sha256 is {whole[:12]}…")
    return Cuts(file, _pieces(file, PIECE, pieces), _pieces(file, STRIDE, strides), _read_range)


def _read(path: Path) -> tuple[str, list[str], list[str]]:
    """The hash of the whole, of each piece and of each stride.

    Each by a thread of its own, so that it takes about as long as one: hashing lets go of the interpreter,
    and all read the same pages.
    """
    with ThreadPoolExecutor(3) as threads:
        (whole,), pieces, strides = threads.map(partial(_digests, path), (EVERYTHING, PIECE, STRIDE))
    return whole, pieces, strides


def _digests(path: Path, size: int) -> list[str]:
    """The hash of each `size` bytes of a file, the last of which may be fewer."""
    found: list[str] = []
    with path.open("rb", buffering=0) as stream:
        for _ in range(0, max(1, path.stat().st_size), size):
            found.append(_digest(stream, size))
    return found


def _pieces(file: File, size: int, digests: Sequence[str]) -> tuple[Piece, ...]:
    return tuple(
        Piece(file.path, start, min(size, file.size - start), digest, file.sha256)
        for start, digest in zip(range(0, file.size, size), digests, strict=True)
    )


async def _read_range(file: File, start: int, size: int) -> Piece:
    def read() -> str:
        with file.path.open("rb") as stream:
            stream.seek(start)
            return _digest(stream, size)

    try:
        return Piece(file.path, start, size, await anyio.to_thread.run_sync(read), file.sha256)
    except OSError as error:
        raise _changed(file, f"cannot be read any more: {error.strerror}") from error


def _digest(stream: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size and (block := stream.read(min(BLOCK, size))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def _changed(file: File, words: str) -> ActionError:
    return ActionError(
        "integrity",
        message=f"{file.path} {words}",
        remedy="something writes to this file here: fetch it again, then run again",
    )
