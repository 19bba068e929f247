"""One run at a time on a folder of this machine.

`flock` on a file of its own: the kernel lets go of it when the process ends, however it ends. It
holds only on this machine, and is not to be trusted on a network file system.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

import msgspec

__all__ = ["FolderLock", "Holder", "JournalLocked", "holder_now", "this_process"]

LOCKS = Path("/proc/locks")
LOOKS = 3  # at a list that is read page by page: it can leave one out when another goes meanwhile


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, for people."""

    pid: int
    host: str
    since: str  # local time, ISO 8601

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class JournalLocked(Exception):  # noqa: N818 - it says what is the case
    """Another run works on the folder. Nothing was changed."""

    def __init__(self, folder: Path, holder: Holder | None) -> None:
        super().__init__(
            f"{folder}: another run works here: {holder or 'it has not said who it is'}\n"
            "hint: wait until it ends, or stop it there with Ctrl-C; the lock goes with its process"
        )
        self.folder = folder
        self.holder = holder


def this_process() -> Holder:
    """This process, as of now."""
    return Holder(os.getpid(), socket.gethostname(), time.strftime("%Y-%m-%dT%H:%M:%S%z"))


class FolderLock:
    """Holds a folder from construction until `release`. Raises `JournalLocked`, OSError."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        path = folder / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise JournalLocked(folder, _holder(path)) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, msgspec.json.encode(holder), 0)

    def release(self) -> None:
        """Let others in. Releasing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def holder_now(folder: Path, table: Path = LOCKS) -> Holder | None:
    """Who holds the folder at this moment; None: nobody, as far as can be seen.

    It only looks: taking the lock, even for a moment, could turn away a run that begins just then.
    `table` is the kernel's list of locks. Where there is none, the process that last held the folder
    is looked for; one of another machine cannot be seen.
    """
    path = folder / "lock"
    holder = _holder(path)
    if holder is None or holder.host != socket.gethostname():
        return None
    inode = path.stat().st_ino
    try:
        return holder if any(_is_listed(table, holder.pid, inode) for _ in range(LOOKS)) else None
    except OSError:
        return holder if _lives(holder.pid) else None


def _is_listed(table: Path, pid: int, inode: int) -> bool:
    return any(_is_of(line, pid, inode) for line in table.read_text().splitlines())


def _is_of(line: str, pid: int, inode: int) -> bool:
    """``1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF``. Some file systems show another device there."""
    words = line.split()
    return len(words) > 5 and words[1] == "FLOCK" and words[4] == str(pid) and words[5].endswith(f":{inode}")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _holder(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
