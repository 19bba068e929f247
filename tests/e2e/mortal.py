"""mk8s, killed by SIGKILL right after its process has written so many records: `mortal.py 7 run a.yaml`.

A program of its own: nothing of the product knows of it. The record is in the file, whole, and nothing of
what follows from it has happened. Records that only say that a run goes on where it was are not counted,
so that each run comes a little further than the one before.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from functools import partial
from pathlib import Path

import mk8s.session
from machines import FileJournal
from machines.files import Disk
from mk8s.cli import main

GOING_ON = (b'"kind":"header"', b'"kind":"resumed"')
AGAIN = re.compile(rb'"kind":"intent".*"attempt":([2-9]|1[0-9])')


class Countdown:
    """Writes for the journal, and ends the process after the last write that it was given."""

    def __init__(self, left: int) -> None:
        self._left = left

    def write(self, fd: int, line: bytes) -> int:
        written = os.write(fd, line)
        self._left -= _counts(line)
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return written


def _counts(line: bytes) -> bool:
    return not any(kind in line for kind in GOING_ON) and not AGAIN.search(line)


def journal_that_kills(left: int, folder: Path) -> FileJournal:
    """The product's own journal, on such a disk."""
    return FileJournal(folder, disk=Disk(write=Countdown(left).write))


if __name__ == "__main__":
    mk8s.session.FileJournal = partial(journal_that_kills, int(sys.argv[1]))  # type: ignore[attr-defined,assignment]
    sys.exit(main(sys.argv[2:]))
