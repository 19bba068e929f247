"""Where records are kept: the port, and the journal in memory.

Nothing above this port may assume a file. An append is in order and at once; what must not be lost
is waited for with `durable`. Everyone who waits in the same tick shares one sync.

The file is in `files`. Begin reading at `Journal`, then `GroupCommit`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import trio

from machines.framing import frame, parse
from machines.records import Kind, Record

__all__ = ["GroupCommit", "Journal", "JournalError", "MemoryJournal"]


class JournalError(Exception):
    """The journal cannot be written any more. The run stops: an effect without an intent is worse."""


class Journal(Protocol):
    """An append-only list of records."""

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        """Add a record and return it with its number. `at` is in seconds of the run.

        Raises `JournalError` when it cannot be kept.
        """
        ...

    async def durable(self, seq: int) -> None:
        """Return when record `seq` and all before it survive a power loss. Raises `JournalError`."""
        ...

    def records(self) -> Sequence[Record]:
        """Every record, oldest first."""
        ...

    def close(self) -> None:
        """Let go. Closing twice is fine. What was not durable may still be lost in a power loss."""
        ...


class GroupCommit:
    """Lets everyone who waits in the same tick share one sync. `syncs` counts them."""

    def __init__(self, sync: Callable[[], Awaitable[int]], durable: int = 0) -> None:
        """`sync` makes everything so far durable and returns the number of the last record it covered."""
        self._sync = sync
        self._round: trio.Event | None = None
        self.durable = durable
        self.syncs = 0

    async def wait(self, seq: int) -> None:
        """Return when record `seq` is durable. Raises what `sync` raises, to everyone who waits."""
        while self.durable < seq:
            if self._round is None:
                await self._lead()
            else:
                await self._round.wait()

    async def _lead(self) -> None:
        """Sync for everyone. Cancelled, or failed: the next who waits leads."""
        self._round = trio.Event()
        try:
            await trio.lowlevel.checkpoint()  # everyone of this tick comes along
            self.durable = max(self.durable, await self._sync())
            self.syncs += 1
        finally:
            self._round.set()
            self._round = None


class MemoryJournal:
    """A journal for simulation and tests: the bytes that a file would hold, and no file."""

    def __init__(self, data: bytes = b"") -> None:
        """Raises `JournalDamaged` for bytes that are no journal. A torn tail is cut off."""
        parsed = parse(data, "journal in memory")
        self._data = bytearray(data[: parsed.length])
        self._seq = len(parsed.records)
        self._commits = GroupCommit(self._sync, self._seq)

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        self._seq += 1
        record = Record(seq=self._seq, at=at, kind=kind, **fields)
        self._data += frame(record)
        return record

    async def durable(self, seq: int) -> None:
        await self._commits.wait(seq)

    def records(self) -> list[Record]:
        return parse(bytes(self._data), "journal in memory").records

    def close(self) -> None:
        """Nothing is held."""

    @property
    def data(self) -> bytes:
        """The bytes so far."""
        return bytes(self._data)

    @property
    def durable_seq(self) -> int:
        """The last record that would survive a power loss."""
        return self._commits.durable

    @property
    def syncs(self) -> int:
        """How often a disk would have been waited for."""
        return self._commits.syncs

    def digest(self) -> str:
        """The sha256 over the bytes: equal for equal runs."""
        return hashlib.sha256(self._data).hexdigest()

    async def _sync(self) -> int:
        return self._seq
