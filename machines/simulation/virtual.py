"""A clock that stands still while anyone can run, and then is at once where the next one wakes.

Laws:

1. Time passes only when every task waits; what is due at one moment wakes together.
2. `sleep` is `trio.sleep` for virtual time: the same moments, the same cancellation, a quarter of the
   cost, for it makes no cancel scope and no deadline. Both may be used side by side.
3. `trio.testing.wait_all_tasks_blocked` never returns here: sleep instead, which waits for the same.
"""

from __future__ import annotations

import heapq
from math import inf

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task

__all__ = ["VirtualClock"]


class VirtualClock(trio.abc.Clock):
    """Seconds of one simulated run, from 0. Serves one `trio.run`."""

    def __init__(self) -> None:
        self._now = 0.0
        self._count = 0
        self._sleepers: list[tuple[float, int, list[Task]]] = []  # a heap; one who was cancelled is empty

    def start_clock(self) -> None:
        """Nothing runs on its own."""

    def current_time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Asked by trio when nobody can run: go to the next moment, and wait no real second for it."""
        sleepers = self._sleepers
        if sleepers and sleepers[0][0] <= deadline:
            self._now = moment = sleepers[0][0]
            while sleepers and sleepers[0][0] == moment:
                for task in heapq.heappop(sleepers)[2]:
                    trio.lowlevel.reschedule(task)
        elif deadline == inf:
            return inf
        else:
            self._now = max(self._now, deadline)
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass for this task; others may run also where they are none."""
        sleeper = [trio.lowlevel.current_task()]
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), self._count, sleeper))

        def abort(_raise_cancel: RaiseCancelT) -> Abort:
            sleeper.clear()
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
