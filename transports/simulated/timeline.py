"""What will happen on the modelled hosts, in order of time, with no task waiting for it.

Services start, hosts boot and members are promoted while nobody looks. Those happenings wait in one
queue and are played, each at its own moment, as soon as someone looks at any host: `catch_up`. So ten
thousand idle hosts cost nothing, and the result does not depend on how often they are looked at.

`Time` is where the present comes from: the event loop, or a simulation's own clock, which is quicker.

This module knows no host and no command.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import anyio

__all__ = ["Happening", "Scope", "Time", "Timeline"]


class Scope(Protocol):
    """What is cancelled as one: a cancel scope, anyio's or trio's."""

    @property
    def cancelled_caught(self) -> bool:
        """Whether it ended for that."""
        ...

    def cancel(self) -> None:
        """End what is in it."""
        ...


def _scope(deadline: float) -> AbstractContextManager[Scope]:
    return anyio.CancelScope(deadline=deadline)


@dataclass(frozen=True, slots=True)
class Time:
    """How models see what time it is, and let it pass: both of one clock. By default the event loop's."""

    now: Callable[[], float] = anyio.current_time  # seconds
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep  # seconds
    call_at: Callable[[float, Callable[[], bool]], None] | None = None
    """Play it at that second, without a task; it says whether it woke one. None: this clock cannot."""
    scope: Callable[[float], AbstractContextManager[Scope]] = _scope
    """A block that is cancelled at that second. A simulation's own loop has one that is quicker."""


class Happening:
    """One thing that is going to happen. `cancel` takes it back."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        """Cancelling twice, or after it happened, is fine."""
        self.act = None


class Timeline:
    """A queue of happenings. Two at the same moment are played in the order in which they were planned."""

    def __init__(self, present: Callable[[], float] = anyio.current_time) -> None:
        self._present = present
        self._due: list[tuple[float, int, Happening]] = []
        self._planned = 0
        self._at: float | None = None  # the moment that is being played; None: we are in the present

    @property
    def now(self) -> float:
        """The moment that is being played, or else the event loop's time, in seconds."""
        return self._present() if self._at is None else self._at

    def __len__(self) -> int:
        """How many happenings are still to come, those taken back included."""
        return len(self._due)

    def after(self, seconds: float, act: Callable[[], None]) -> Happening:
        """Plan `act` for so many seconds from now. It must not wait."""
        happening = Happening(act)
        self._planned += 1
        heapq.heappush(self._due, (self.now + seconds, self._planned, happening))
        return happening

    def catch_up(self) -> None:
        """Play everything that is due by now. Does nothing while something is being played."""
        if self._at is not None or not self._due:
            return
        present = self._present()
        if self._due[0][0] > present:
            return
        try:
            while self._due and self._due[0][0] <= present:
                self._at, _, happening = heapq.heappop(self._due)
                if happening.act is not None:
                    happening.act()
        finally:
            self._at = None
