"""One at a time: a lock on a folder, held by this process or not at all.

The lock is the kernel's (flock on the folder itself), so it ends with the process, however that ends.
Whoever holds it may remove the folder; those who waited then find a new one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["locked"]


@contextmanager
def locked(folder: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Make the folder if need be and hold its lock. `waiting` is called once if somebody else has it."""
    descriptor = _hold(folder, waiting)
    try:
        yield
    finally:
        os.close(descriptor)


def _hold(folder: Path, waiting: Callable[[], None]) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # removed in between
            continue
        _lock(descriptor, waiting)
        if _is_still(folder, descriptor):
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int, waiting: Callable[[], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_still(folder: Path, descriptor: int) -> bool:
    """Whether the folder that we locked is the one that others will find."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
