"""A capacity that nodes queue for, in the order of the plan rather than of arrival.

Places are given out one scheduler tick after they were asked for, to the member that stands first in
the plan among all who wait. So the order depends on the plan and on time, not on which task happened
to run first, and the members that others wait for are served first.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

__all__ = ["Limiter"]


def _nothing() -> None:
    """Nobody wants to know."""


@dataclass(slots=True, order=True)
class _Turn:
    """One who waits. `left` marks one who gave up: he is skipped when his turn comes."""

    position: int
    granted: trio.Event = field(default_factory=trio.Event, compare=False)
    left: bool = field(default=False, compare=False)


class Limiter:
    """At most `capacity` holders at a time. Raises ValueError when that is less than one."""

    def __init__(self, name: str, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"limit {name!r} must be at least 1, got {capacity}")
        self.name = name
        self.capacity = capacity
        self._free = capacity
        self._queue: list[_Turn] = []

    @asynccontextmanager
    async def place(self, position: int, on_queue: Callable[[], None] = _nothing) -> AsyncIterator[None]:
        """Hold a place. `position` is the holder's own in the plan: lower is served first.

        `on_queue` is called when there is no place at once.
        """
        turn = _Turn(position)
        heapq.heappush(self._queue, turn)
        try:
            await trio.lowlevel.checkpoint()  # let everyone who asks in this tick ask
            self._grant()
            if not turn.granted.is_set():
                on_queue()
            await turn.granted.wait()
            yield
        finally:
            self._leave(turn)

    def _grant(self) -> None:
        while self._free and self._queue:
            turn = heapq.heappop(self._queue)
            if not turn.left:
                self._free -= 1
                turn.granted.set()

    def _leave(self, turn: _Turn) -> None:
        """Done, or cancelled: while queueing, or with a place that was given a moment ago."""
        turn.left = True
        if turn.granted.is_set():
            self._free += 1
            self._grant()
