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

__all__ = ["FolderLock", "Holder", "JournalLocked", "this_process"]


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


def _holder(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
