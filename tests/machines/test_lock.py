"""Who holds a folder can be seen without taking the lock."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import cast

import pytest

from machines.lock import LOCKS, FolderLock, Holder, holder_now, this_process


def test_the_holder_of_a_folder_is_seen_while_it_holds_it(tmp_path: Path) -> None:
    """And no longer than that; looking changes nothing."""
    assert holder_now(tmp_path) is None
    lock = FolderLock(tmp_path, this_process())
    seen = holder_now(tmp_path)
    lock.release()
    assert seen is not None
    assert seen.pid == os.getpid()
    assert holder_now(tmp_path) is None


def test_without_a_list_of_locks_the_process_is_looked_for(tmp_path: Path) -> None:
    """On systems that have no such list, a process that is gone holds nothing."""
    missing = tmp_path / "no-such-list"
    holder = this_process()
    FolderLock(tmp_path, holder).release()
    assert holder_now(tmp_path, missing) == holder
    FolderLock(tmp_path, Holder(2**22 + 1, holder.host, holder.since)).release()
    assert holder_now(tmp_path, missing) is None


class Flickering:
    """A list of locks that leaves everything out the first time."""

    def __init__(self) -> None:
        self.looks = 0

    def read_text(self) -> str:
        self.looks += 1
        return LOCKS.read_text() if self.looks > 1 else ""


def test_a_lock_that_the_list_left_out_is_looked_for_again(tmp_path: Path) -> None:
    """The kernel hands long lists out page by page, and another lock may go in between."""
    lock = FolderLock(tmp_path, this_process())
    seen = holder_now(tmp_path, cast(Path, Flickering()))
    lock.release()
    assert seen is not None


@pytest.mark.parametrize("host", ["", "elsewhere.example"])
def test_nothing_is_said_about_other_machines(tmp_path: Path, host: str) -> None:
    """Their processes cannot be seen from here."""
    lock = FolderLock(tmp_path, Holder(os.getpid(), host, ""))
    assert host != socket.gethostname()
    assert holder_now(tmp_path) is None
    lock.release()
