"""The run's own hand: gives every record its time, keeps it, folds it and shows it.

State changes only here, by appending a record and applying it. Observers look on; whatever happens
to them must not happen to the run.
"""

from __future__ import annotations

from typing import Any, Protocol

import trio

from machines.fold import History, HistoryError, begun, fold
from machines.journal import Journal
from machines.records import Header, Kind, Record
from machines.registry import Member
from machines.table import Table

__all__ = ["Logbook", "Observer", "Silent"]


class Observer(Protocol):
    """Someone who looks on: a screen, a log, a stream of events. Must be quick; may not await."""

    def record(self, record: Record) -> None:
        """A record was appended."""
        ...

    def note(self, member: Member, text: str) -> None:
        """Progress within an attempt, or what a node waits for. No record by itself."""
        ...

    def bug(self, member: Member, error: Exception) -> None:
        """Code of the program raised what it should not have: the journal only says ``internal``."""
        ...


class Silent:
    """An observer that nobody hears."""

    def record(self, record: Record) -> None:
        """Nothing."""

    def note(self, member: Member, text: str) -> None:
        """Nothing."""

    def bug(self, member: Member, error: Exception) -> None:
        """Nothing."""


class Logbook:
    """A journal, its history and whoever looks on."""

    def __init__(self, journal: Journal, table: Table, observer: Observer) -> None:
        self._journal = journal
        self._table = table
        self._observer = observer
        self._history: History | None = None
        self._began = 0.0  # what trio's clock showed at second 0 of the run
        self.observer_error: Exception | None = None  # the first thing that went wrong in the observer

    @property
    def history(self) -> History:
        """What has happened so far. Raises `HistoryError` before `open`."""
        if self._history is None:
            raise HistoryError("the logbook is not open yet")
        return self._history

    def open(self, header: Header) -> bool:
        """Begin the journal, or go on with it; the run's clock starts. Returns whether it goes on.

        Raises `HistoryError` when the journal does not fit the machine or the plan.
        """
        self._history = fold(self._journal.records(), self._table)
        self._began = trio.current_time()
        if self._history is None:
            self._append("header", header=header)
            return False
        _refuse_other_plan(self._history, header)
        self._began -= self._history.at
        self._append("resumed", header=header)
        return True

    def now(self) -> float:
        """Seconds of the run; 0 before it has begun."""
        return trio.current_time() - self._began if self._history is not None else 0.0

    def record(self, kind: Kind, **fields: Any) -> Record:
        """Append a record, apply it, show it. Raises `JournalError`."""
        return self._append(kind, **fields)

    async def durable(self, record: Record) -> None:
        """Return when the record survives a power loss. Raises `JournalError`."""
        await self._journal.durable(record.seq)

    def note(self, member: Member, text: str) -> None:
        """Show progress."""
        try:
            self._observer.note(member, text)
        except Exception as error:  # an onlooker's trouble is not the run's
            self._remember(error)

    def bug(self, member: Member, bug: Exception) -> None:
        """Show an exception that should not have been."""
        try:
            self._observer.bug(member, bug)
        except Exception as error:  # see `note`
            self._remember(error)

    def _append(self, kind: Kind, **fields: Any) -> Record:
        before = self._history.at if self._history is not None else 0.0
        record = self._journal.append(max(before, round(self.now(), 6)), kind, **fields)
        if self._history is None:
            self._history = begun(record, self._table)
        else:
            self._history.take(record)
        self._show(record)
        return record

    def _show(self, record: Record) -> None:
        try:
            self._observer.record(record)
        except Exception as error:  # see `note`
            self._remember(error)

    def _remember(self, error: Exception) -> None:
        self.observer_error = self.observer_error or error


def _refuse_other_plan(history: History, header: Header) -> None:
    """The plan may have grown since; nodes that ran may not vanish from it or change their role."""
    missing = history.missing(name for name, _ in header.members)
    if missing:
        raise HistoryError(
            f"the journal knows {', '.join(missing)}, and the plan no longer does: put them back, "
            "or take them out of the group first"
        )
    for name, role in header.members:
        life = history.lives.get(name)
        if life is not None and life.role != role:
            raise HistoryError(f"{name} was {life.role!r} when the run began and is {role!r} in the plan now")
