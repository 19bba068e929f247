"""A journal that another process appends to, read as it grows. Reads; takes no lock, writes nothing.

A line without its end is being written, or was torn by a crash: it is read again until it is whole, or
cut off by the next run. So what was read is never read again. Begin reading at `follow`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from machines import Record
from machines.framing import Lines
from mk8s.errors import Mk8sError
from mk8s.retelling.lines import Entry
from mk8s.transcript import RUN, StepDone, read_transcript

__all__ = ["ENDS", "Ended", "JournalTail", "StepTail", "await_run", "follow"]

Ended: TypeAlias = Literal["finished", "stopped", "cut off"]
ENDS: Mapping[Ended, str] = {
    "finished": "the run has ended",
    "stopped": "the run was stopped; `mk8s run` goes on with it",
    "cut off": "no run is seen here any more, and nothing was written for 10 s; `mk8s run` goes on with it",
}
AGAIN = "ask again: it is then read from its beginning"
QUIET = 10.0  # seconds without a record, and without a run to be seen, after which nobody is waited for


class JournalTail:
    """The records of a journal's file that were not read yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = Lines(str(path))

    def read(self) -> list[Record]:
        """Those that are whole by now. Raises `JournalDamaged`; Mk8sError when the file is gone or cut."""
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._lines.offset:
                    raise Mk8sError(f"{self._path} was replaced or cut while it was followed", remedy=AGAIN)
                file.seek(self._lines.offset)
                return self._lines.take(file.read())
        except OSError as error:
            raise Mk8sError(
                f"{self._path} cannot be read any more: {error.strerror}", remedy=AGAIN
            ) from error


class StepTail:
    """The steps of a transcript that were not read yet; none while there is no transcript."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._begun = ""  # the line that ties what follows to a run

    def read(self, started: Sequence[str]) -> list[StepDone]:
        """Those of the run whose headers say these beginnings."""
        lines = self._lines()
        found = read_transcript([self._begun, *lines], started).steps
        begun = [line for line in lines if f'"{RUN}"' in line and '"started"' in line]
        self._begun = begun[-1] if begun else self._begun
        return list(found)

    def _lines(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                whole, end, _ = file.read().rpartition(b"\n")
        except OSError:
            return []
        self._offset += len(whole) + len(end)
        return whole.decode("utf-8", "replace").split("\n") if end else []


@dataclass(slots=True)
class _Watch:
    """Whether the run that writes is over."""

    is_going: Callable[[], bool]
    clock: Callable[[], float]
    last: Record | None = None
    heard: float = 0.0

    def hear(self, news: Sequence[Entry]) -> None:
        if news:
            self.heard = self.clock()
        self.last = next((each for each in reversed(news) if isinstance(each, Record)), self.last)

    def over(self) -> Ended | None:
        """None: it goes on, or may. A run that begins behind the end of another is seen by its lock."""
        if self.is_going():
            self.heard = self.clock()
            return None
        if self.last is not None and not self.last.node:
            if self.last.kind == "finished":
                return "finished"
            if self.last.kind == "stopped":
                return "stopped"
        return "cut off" if self.clock() - self.heard >= QUIET else None


def await_run(
    has_begun: Callable[[], bool],
    is_going: Callable[[], bool],
    clock: Callable[[], float],
    wait: Callable[[], None],
) -> None:
    """Wait for the first record of a cluster that has none: a run looks at its hosts before it writes.

    It returns when there is one, or when no run has been seen for `QUIET` seconds. The rest as for `follow`.
    """
    heard = clock()
    while not has_begun():
        heard = clock() if is_going() else heard
        if clock() - heard >= QUIET:
            return
        wait()


def follow(
    read: Callable[[], list[Entry]],
    is_going: Callable[[], bool],
    clock: Callable[[], float],
    wait: Callable[[], None],
) -> Iterator[list[Entry] | Ended]:
    """What comes, as it comes, first what is there; at last, how the run ended.

    `read` gives what is new; `is_going`: whether a run is seen; `clock` is in seconds; `wait` returns after a
    moment, so that nobody turns in a circle. Whoever is told of an end was told of all before it.
    """
    watch = _Watch(is_going, clock, heard=clock())
    while True:
        ended = watch.over()  # asked before reading: what is written up to an end is read below
        news = read()
        watch.hear(news)
        if news:
            yield news
        elif ended is not None:
            yield ended
            return
        else:
            wait()
