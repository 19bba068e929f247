"""A clock that stands still while anyone can run, and then is at once where the next one wakes.

Laws:

1. Time passes only when every task waits; what is due at one moment wakes together.
2. What `call_at` plans is played by the clock itself, at its moment, between the tasks. It may plan more and
   wake tasks, and says whether it did; it must not raise and must not wait.
3. `sleep` is `trio.sleep` for virtual time: the same moments, the same cancellation, a quarter of the
   cost, for it makes no cancel scope and no deadline. Both may be used side by side.
4. `trio.testing.wait_all_tasks_blocked` never returns here: sleep instead, which waits for the same.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

__all__ = ["VirtualClock"]


class VirtualClock(trio.abc.Clock):
    """Seconds of one simulated run, from 0. Serves one `trio.run`."""

    def __init__(self) -> None:
        self._now = 0.0
        self._count = 0
        self._due: list[tuple[float, int, Callable[[], bool]]] = []  # a heap: what is to be played, and when

    def start_clock(self) -> None:
        """Nothing runs on its own."""

    def current_time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Asked by trio when nobody can run: go to the next moment, and wait no real second for it."""
        due = self._due
        while due and due[0][0] <= deadline:
            self._now = moment = due[0][0]
            woke = False
            while due and due[0][0] == moment:
                woke = heappop(due)[2]() or woke
            if woke:
                return 0.0
        if deadline == inf:
            return inf
        self._now = max(self._now, deadline)
        return 0.0

    def call_at(self, moment: float, act: Callable[[], bool]) -> None:
        """Play `act` at that second, at once if it is over. It says whether a task can run now."""
        now = self._now
        self._count += 1
        heappush(self._due, (moment if moment > now else now, self._count, act))

    def scope(self, deadline: float) -> trio.CancelScope:
        """A block that is cancelled at that second."""
        return trio.CancelScope(deadline=deadline)

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass for this task; others may run also where they are none."""
        sleeper = _Sleeper(current_task())
        self.call_at(self._now + seconds, sleeper.wake)
        await wait_task_rescheduled(sleeper.give_up)


class _Sleeper:
    """A task that sleeps, until it is woken or cancelled."""

    __slots__ = ("_task",)

    def __init__(self, task: Task) -> None:
        self._task: Task | None = task

    def wake(self) -> bool:
        """Its moment has come. False: it was cancelled before."""
        if self._task is None:
            return False
        reschedule(self._task)
        return True

    def give_up(self, _raise_cancel: RaiseCancelT) -> Abort:
        """It is cancelled."""
        self._task = None
        return Abort.SUCCEEDED
