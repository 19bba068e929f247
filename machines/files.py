"""The journal in a file: ``journal.jsonl`` in a folder that is nobody else's.

What survives what: a record survives ``kill -9`` from its append on, and a power loss from the sync
on that `durable` waits for. A crash can tear the last record; it is cut off at the next opening.
Damage anywhere else is refused (`framing`). After a failed sync the kernel may have dropped pages
without telling again, so nothing is written any more and the run stops.

Law of this room: the file is only ever appended to, and cut at its torn end. Begin reading at `FileJournal`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from machines.framing import Parsed, frame, parse
from machines.journal import GroupCommit, JournalError
from machines.lock import FolderLock, Holder, this_process
from machines.records import Kind, Record

__all__ = ["JOURNAL", "Disk", "FileJournal", "read_journal"]

JOURNAL = "journal.jsonl"


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable: its folder has to be synced too."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Disk:
    """What can fail on a bad day, so that a test can bring such a day."""

    write: Callable[[int, bytes], int] = os.write
    sync: Callable[[int], None] = os.fdatasync
    sync_folder: Callable[[Path], None] = _sync_folder


def read_journal(folder: Path) -> list[Record]:
    """The records in a folder, without locking or mending: for looking on while a run goes.

    No journal: an empty list. Raises `JournalDamaged`, OSError.
    """
    path = folder / JOURNAL
    return parse(path.read_bytes(), str(path)).records if path.exists() else []


class FileJournal:
    """A journal in a folder, held against other processes until `close`.

    Makes the folder (0700) and the file (0600). Raises `JournalLocked` when another process works
    here, `JournalDamaged` when the file is not sound, `JournalError` when the disk refuses.
    """

    def __init__(self, folder: Path, *, disk: Disk | None = None, holder: Holder | None = None) -> None:
        self.path = folder / JOURNAL
        self._disk = disk or Disk()
        self._broken: JournalError | None = None
        self._fd = -1
        self._seq = 0
        self._length = 0  # bytes of sound records
        # What a killed run wrote may be in the page cache only: nothing is durable before the first sync.
        self._commits = GroupCommit(self._sync)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FolderLock(folder, holder or this_process())
            self._open_or_let_go()
        except OSError as error:
            raise JournalError(_what_is_there(self.path, error)) from error

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        self._refuse_if_broken()
        record = Record(seq=self._seq + 1, at=at, kind=kind, **fields)
        self._write(frame(record))
        self._seq = record.seq
        return record

    async def durable(self, seq: int) -> None:
        self._refuse_if_broken()
        await self._commits.wait(seq)
        self._refuse_if_broken()

    def records(self) -> list[Record]:
        return self._parse().records

    @property
    def syncs(self) -> int:
        """How often the disk was waited for."""
        return self._commits.syncs

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._lock.release()

    def _open_or_let_go(self) -> None:
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        is_new = not self.path.exists()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if is_new:
            self._disk.sync_folder(self.path.parent)
            self._disk.sync_folder(self.path.parent.parent)  # the folder may be new, too
        parsed = self._parse()
        self._length = parsed.length
        self._seq = len(parsed.records)
        if os.fstat(self._fd).st_size > parsed.length:
            self._cut()

    def _parse(self) -> Parsed:
        return parse(self.path.read_bytes(), str(self.path))

    def _write(self, line: bytes) -> None:
        """Write the whole line, or cut off what was written of it and never write again."""
        rest = memoryview(line)
        try:
            while rest:
                written = self._disk.write(self._fd, bytes(rest))
                rest = rest[written:]
        except OSError as error:
            self._broken = JournalError(_what_to_do(self.path, error))
            self._cut_quietly()
            raise self._broken from error
        self._length += len(line)

    async def _sync(self) -> int:
        """Sync in a worker thread, so that a slow disk does not hold up the nodes."""
        self._refuse_if_broken()
        covered = self._seq
        try:
            await trio.to_thread.run_sync(self._disk.sync, self._fd)
        except OSError as error:
            self._broken = JournalError(_what_to_do(self.path, error))
            raise self._broken from error
        return covered

    def _cut(self) -> None:
        os.ftruncate(self._fd, self._length)
        os.fsync(self._fd)

    def _cut_quietly(self) -> None:
        """The write has failed already; if this fails too, the next opening cuts the torn tail."""
        try:
            self._cut()
        except OSError:
            return

    def _refuse_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken


def _what_is_there(path: Path, error: OSError) -> str:
    return (
        f"{path}: cannot be opened: {error.strerror or error}; nothing was begun\n"
        "hint: look at what stands there, at its owner and at its disk, then run again"
    )


def _what_to_do(path: Path, error: OSError) -> str:
    text = f"{path}: cannot be written: {error.strerror or error}; the run stops here and can be resumed"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{text}\nhint: make room on this machine's disk, then run again"
    return f"{text}\nhint: look at this machine's disk (`dmesg`), then run again"
