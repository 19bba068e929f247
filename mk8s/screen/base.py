"""What every screen can be told. The engine's observer, plus a beginning and an end."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from machines import Member, Record
from mk8s.forecast.beside import Prediction
from mk8s.traffic import Moving

__all__ = ["Screen"]


class Screen(AbstractContextManager["Screen"], Protocol):
    """Shows a run while it goes on. Never raises for what it is shown; never writes to stdout but data."""

    def record(self, record: Record) -> None:
        """Something happened and stands in the journal."""
        ...

    def note(self, member: Member, text: str) -> None:
        """Passing news of a node: bytes sent, what it waits for."""
        ...

    def beat(self) -> None:
        """Time has passed: called every few seconds, so that nobody has to wonder at a silence."""
        ...

    def moving(self, total: Moving) -> None:
        """How far the files of the whole run are, on all nodes together: called every second or so."""
        ...

    def predicted(self, told: Prediction) -> None:
        """How long the run will take. May come at any time, or never."""
        ...

    def say(self, text: str) -> None:
        """News of the run as a whole that stands in no record."""
        ...

    def bug(self, member: Member, error: Exception) -> None:
        """A mistake of ours, on one node's edge. Its traceback is worth keeping."""
        ...
