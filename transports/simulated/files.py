"""Files on the road to a modelled host: whole ones, pieces of large ones, and those that are read.

Not modelled: parts of files that a broken `put` leaves behind. An `append` leaves what had arrived.
"""

from __future__ import annotations

import errno
from pathlib import PurePosixPath
from typing import TypeAlias

from transports.appending import too_short, wrong_piece
from transports.base import Bytes, OnProgress, Piece, Source
from transports.files import disk_full, not_whole
from transports.simulated.disk import SimulatedFile
from transports.simulated.faults import FaultLike
from transports.simulated.road import STALL, Road

__all__ = ["SIMULATED", "Files"]

Told: TypeAlias = OnProgress | None
SIMULATED = "a simulated fault"


class Files:
    """The operations on files over one road."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._host = road.host
        self._complaints = road.complaints

    async def put(self, source: Source, target: PurePosixPath, mode: int, owner: str, told: Told) -> None:
        """Write a whole file. Raises TransportError."""
        fault = self._road.fault("file.put")
        await self._road.connect()
        content = source.content if isinstance(source, Bytes) else None
        file = SimulatedFile(source.sha256, source.size, mode, owner, content)
        work = self._put(source, target, file, fault, told)
        await self._road.guarded(f"write {target}", _patience(fault), work)

    async def append(self, piece: Piece, part: PurePosixPath, told: Told) -> None:
        """Let a file grow by a piece. Raises TransportError."""
        fault = self._road.fault("file.append")
        await self._road.connect()
        work = self._append(piece, part, fault, told)
        await self._road.guarded(f"write {part}", _patience(fault), work)

    async def get(self, source: PurePosixPath, limit: int) -> bytes:
        """Read a whole file. Raises TransportError."""
        fault = self._road.fault("file.get")
        await self._road.connect()
        return await self._road.guarded(f"read {source}", _patience(fault), self._get(source, limit, fault))

    async def _put(
        self, source: Source, target: PurePosixPath, file: SimulatedFile, fault: FaultLike | None, told: Told
    ) -> None:
        doing = f"write {target}"
        kind = fault.kind if fault else ""
        if kind == "exit":
            raise self._complaints.refused("write", target, SIMULATED)
        if kind == "disk-full" or file.size > self._host.free:
            raise disk_full(self._road.name, file.size, target, 0 if kind else self._host.free)
        if fault and kind in ("drop", "reboot", "truncated"):
            arrived = int(file.size * fault.fraction)
            await self._carry(doing, arrived, None)
            if kind == "truncated":
                raise not_whole(self._road.name, source, target, str(arrived))
            self._road.strike(kind, doing)

        async def place() -> None:
            await self._carry(doing, file.size, told)
            self._place(target, file)

        await self._road.struck(fault, doing, self._road.latency, place)

    def _place(self, target: PurePosixPath, file: SimulatedFile) -> None:
        try:
            self._host.disk.place(target, file)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # something else took the room meanwhile
                raise disk_full(self._road.name, file.size, target, self._host.free) from None
            raise self._complaints.refused("write", target, str(error.strerror)) from None

    async def _append(self, piece: Piece, part: PurePosixPath, fault: FaultLike | None, told: Told) -> None:
        doing = f"write {part}"
        kind = fault.kind if fault else ""
        if kind == "exit":
            raise self._complaints.refused("write", part, SIMULATED)
        if kind == "disk-full":
            raise disk_full(self._road.name, piece.size, part, 0)

        def arrived(done: int, size: int) -> None:
            self._grow(piece, part, done)
            if told is not None:
                told(done, size)

        self._grow(piece, part, 0)
        if fault and kind in ("drop", "reboot", "truncated"):
            await self._road.network.carry(
                self._host, int(piece.size * fault.fraction), arrived, latency=self._waiting()
            )
            if kind == "truncated":
                raise wrong_piece(self._road.name, piece, part, str(self._host.files[part].size))
            self._road.strike(kind, doing)
        await self._road.struck(
            fault, doing, self._road.latency, lambda: self._carry(doing, piece.size, arrived)
        )

    def _grow(self, piece: Piece, part: PurePosixPath, size: int) -> None:
        try:
            self._host.disk.grow(part, piece.whole or piece.sha256, piece.start, size)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise disk_full(self._road.name, piece.size, part, 0) from None
            if error.errno == errno.EINVAL:
                there = self._host.files.get(part)
                raise too_short(self._road.name, piece, part, str(there.size if there else 0)) from None
            raise self._complaints.refused("write", part, str(error.strerror)) from None

    async def _get(self, source: PurePosixPath, limit: int, fault: FaultLike | None) -> bytes:
        doing = f"read {source}"
        kind = fault.kind if fault else ""
        if kind in ("exit", "disk-full"):
            raise self._complaints.refused("read", source, SIMULATED)

        async def read() -> bytes:
            content = self._read(source)
            if len(content) > limit:
                raise self._complaints.error(
                    "exit.too-large", "exit", message=f"{source} is larger than {limit} bytes", final=True
                )
            await self._carry(doing, len(content), None)
            return content

        content = await self._road.struck(fault, doing, self._road.latency, read)
        if kind == "truncated":
            raise self._complaints.error("integrity", message=f"{source} arrived cut")
        return content

    def _read(self, source: PurePosixPath) -> bytes:
        try:
            return self._host.disk.read(source)
        except OSError as error:
            raise self._complaints.refused("read", source, str(error.strerror)) from None

    async def _carry(self, doing: str, size: int, told: Told) -> None:
        await self._road.carry(doing, size, told, self._waiting())

    def _waiting(self) -> float:
        """Seconds before the first byte: this machine's own work, and one round trip."""
        return self._road.network.attend() + self._road.latency


def _patience(fault: FaultLike | None) -> float | None:
    """How long a transfer may take: only one that hangs makes no progress."""
    return STALL if fault is not None and fault.kind == "hang" else None
