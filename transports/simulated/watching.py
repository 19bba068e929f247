"""Looks at a modelled host, again and again, without waking the task that waits for news.

Most of a rollout is waiting: the same question every few seconds, with the same answer. As long as that is
all that happens, the looks are made by the clock itself, each at its moment and with the time that it
takes; the task is woken for what is new. A look that meets a fault, a lost connection or a command that takes
long is left to the task, which makes it as any other; only its fault is then decided a pause earlier.

Needs a clock that plays callbacks (`Time.call_at`). Begin reading at `Watch.news`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias

import trio

from transports.base import Command, Outcome
from transports.simulated.faults import FaultLike
from transports.simulated.road import BRIEF, Road

__all__ = ["Ahead", "Told", "Watch"]

Told: TypeAlias = Callable[[float, Outcome], None]
"""Hears of each look: the seconds that it took, and its answer."""
Ahead: TypeAlias = tuple[FaultLike | None, float]
"""Of the next operation, drawn already: its fault, and the seconds that the host works on it."""


class Watch:
    """One wait. `known`: the answer that is no news; `road` is connected when it begins."""

    def __init__(
        self,
        road: Road,
        command: Command,
        pauses: Iterator[float],
        known: Outcome,
        call_at: Callable[[float, Callable[[], bool]], None],
        told: Told | None,
    ) -> None:
        self._road, self._command, self._pauses = road, command, pauses
        self._operation, self._brief = command.operation, min(BRIEF, command.timeout)
        self._host, self._latency = road.host, road.latency
        self._known, self._call_at, self._told = known, call_at, told
        self._now = road.network.time.now
        self._lifetime = self._host.lifetime
        self._task: trio.lowlevel.Task | None = None
        self._news: Outcome | Awaitable[Outcome] | None = None
        self._trouble: BaseException | None = None
        self._seconds = 0.0  # of the look that is under way
        self.ahead: Ahead | None = None  # what was drawn for a look that the task has to make itself

    async def news(self) -> Outcome | None:
        """The first answer that is another; None: the next look is due, and is not one for here."""
        self._task = trio.lowlevel.current_task()
        self._plan()

        def abort(_raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if self._trouble is not None:
            raise self._trouble
        if self._news is None or isinstance(self._news, Outcome):
            return self._news
        left = self._command.timeout - self._seconds
        return await self._road.guarded(self._command.description, left, self._news)

    def _plan(self) -> None:
        """The next look, at its end; or the task's own, at its beginning."""
        begins = self._now() + next(self._pauses)
        fault = self._road.fault(self._operation)
        work = self._host.seconds(self._operation)
        self.ahead = (fault, work)
        self._seconds = self._latency + work
        if fault is not None or self._seconds > self._brief:
            self._call_at(begins, self._wake)
        else:
            self._call_at(begins + self._seconds, self._look)

    def _look(self) -> bool:
        if self._task is None:  # the wait was given up
            return False
        try:
            self._news = self._answer()
        except BaseException as trouble:  # it belongs to the task, not to the clock that plays this
            self._trouble = trouble
        if self._news is not None or self._trouble is not None or self.ahead is not None:
            return self._wake()
        self._plan()
        return False

    def _answer(self) -> Outcome | Awaitable[Outcome] | None:
        """News, if there is any. A host that is away leaves the look to the task: `ahead` stays."""
        if not self._road.holds(self._lifetime):
            return None
        self.ahead = None
        answer = self._host.answer(self._command)
        if isinstance(answer, Outcome) and self._told is not None:
            self._told(self._seconds, answer)
        return None if answer is self._known or answer == self._known else answer

    def _wake(self) -> bool:
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)
        return task is not None
