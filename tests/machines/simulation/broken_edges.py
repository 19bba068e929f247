"""How one node can be wrong on one edge: broken on purpose, each in one thing. `mutants` puts them in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import msgspec
import trio

from machines.attempts import EdgeRun
from machines.crew import Crew, Node
from machines.errors import ActionError, Failure
from machines.journal import MemoryJournal
from machines.limiter import Limiter
from machines.registry import Context, Evidence
from machines.spec import EdgeSpec
from tests.machines.groups import PATIENT, with_edge

SECRET = "hunter2"


# -- the journal, and what comes before an effect -------------------------------------------------------


class ActsFirst(EdgeRun):
    """The effect, and then the intent."""

    async def _act(self, context: Context) -> Failure | None:
        await self._crew.registry.actions[self._edge.do or ""](context)
        return await super()._act(context)


class LyingJournal(MemoryJournal):
    """Says that a record is durable, and has not waited for it."""

    async def durable(self, seq: int) -> None:
        return


class DoneWithoutIntent(EdgeRun):
    """Takes the node's word for it."""

    async def _act(self, context: Context) -> Failure | None:
        self._record("done", attempt=context.attempt)
        return None


async def tell_all(_context: Context) -> Evidence | None:
    """An action whose evidence holds what it was told in confidence."""
    return {"command": f"join --token {SECRET}"}


class TakesDoubtForSuccess(EdgeRun):
    """An answer that was lost is as good as one that came."""

    async def _try(self, context: Context) -> Failure | None:
        failure = await super()._try(context)
        return None if failure is not None and failure.ambiguous else failure


class NeverAsks(EdgeRun):
    """Tries again, and does not look whether it has been done."""

    async def _try(self, context: Context) -> Failure | None:
        return await self._act(context)


class AsksForNothing(EdgeRun):
    """Looks whether it has been done, and does it again in any case."""

    async def _ask(self, probe: str, context: Context) -> bool | Failure:
        answer = await super()._ask(probe, context)
        return False if answer is True else answer


# -- limits ---------------------------------------------------------------------------------------------


class Generous(Limiter):
    """Has one place more than it was told."""

    def __init__(self, name: str, capacity: int) -> None:
        super().__init__(name, capacity)
        self._free = capacity + 1


class Batches(Limiter):
    """Gives out places when all of them are free."""

    def _grant(self) -> None:
        if self._free == self.capacity:
            super()._grant()


class Backwards(Limiter):
    """Serves the last of the plan first."""

    @asynccontextmanager
    async def place(self, position: int, on_queue: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        async with super().place(-position, on_queue):
            yield


class KeepsItsPlace(EdgeRun):
    """Who is rolled back goes without giving back his place."""

    async def _decide(self, failure: Failure) -> float | None:
        delay = await super()._decide(failure)
        limiter = self._crew.limiters.get(self._edge.limit or "")
        if limiter is not None and self._life.state == "rolled-back":
            limiter._free -= 1
        return delay


class OtherQueue(EdgeRun):
    """Queues for the other limit of the machine."""

    def __init__(self, node: Node, edge: EdgeSpec, crew: Crew) -> None:
        other = "builders" if edge.limit == "joins" else edge.limit
        super().__init__(node, msgspec.structs.replace(edge, limit=other), crew)


class AsksAlone(EdgeRun):
    """While it asks its probe, nobody else is given a place."""

    async def _ask(self, probe: str, context: Context) -> bool | Failure:
        limiter = self._crew.limiters[self._edge.limit or ""]
        given, limiter._grant = limiter._grant, lambda: None  # type: ignore[method-assign]
        try:
            return await super()._ask(probe, context)
        finally:
            limiter._grant = given  # type: ignore[method-assign]
            limiter._grant()


class AsksOutside(EdgeRun):
    """Asks its probe first, and then for a place."""

    @asynccontextmanager
    async def _place(self, scope: Literal["attempt", "edge"]) -> AsyncIterator[None]:
        if scope == "attempt" and self._edge.probe and self._life.doubt == self._edge.name:
            await self._crew.registry.probes[self._edge.probe](self._context(self._life.attempt + 1))
        async with super()._place(scope):
            yield


# -- clocks ---------------------------------------------------------------------------------------------


class CountsTheQueue(EdgeRun):
    """Its clock runs while the node queues."""

    _queued = 0.0

    @asynccontextmanager
    async def _place(self, scope: Literal["attempt", "edge"]) -> AsyncIterator[None]:
        asked = trio.current_time()
        async with super()._place(scope):
            self._queued += trio.current_time() - asked
            yield

    def _used(self) -> float:
        return round(super()._used() + self._queued, 6)


class TakesTheQueueOffTheTimeout(CountsTheQueue):
    """Writes the right times, and gives an action less than its timeout after a queue."""

    def _used(self) -> float:
        return EdgeRun._used(self)

    def _remaining(self) -> float:
        return super()._remaining() - self._queued - 3500


class CountsTheQueueOfAProbe(EdgeRun):
    """Its clock runs while the node queues to ask its probe, and only then."""

    _waited = 0.0

    @asynccontextmanager
    async def _place(self, scope: Literal["attempt", "edge"]) -> AsyncIterator[None]:
        asked = trio.current_time()
        async with super()._place(scope):
            self._waited = trio.current_time() - asked
            yield

    async def _ask(self, probe: str, context: Context) -> bool | Failure:
        self._started -= self._waited
        return await super()._ask(probe, context)


class KnowsNoDeadline(EdgeRun):
    """Begins an attempt although the deadline is over."""

    def __init__(self, node: Node, edge: EdgeSpec, crew: Crew) -> None:
        super().__init__(node, msgspec.structs.replace(edge, deadline=None), crew)


class KnowsNoTimeout(EdgeRun):
    """Lets an attempt last as long as it likes."""

    def __init__(self, node: Node, edge: EdgeSpec, crew: Crew) -> None:
        super().__init__(node, msgspec.structs.replace(edge, timeout=None), crew)


# -- repetitions ----------------------------------------------------------------------------------------


class CountsNothing(EdgeRun):
    """Repeats as long as there is time."""

    async def _decide(self, failure: Failure) -> float | None:
        self._life.tries.clear()
        return await super()._decide(failure)


class ComparesNothing(EdgeRun):
    """Takes any mark for progress, as often as an attempt reaches it."""

    def _write_error(self, failure: Failure, attempt: int) -> Failure:
        self._life.furthest = 0
        return super()._write_error(failure, attempt)


class Flatters(EdgeRun):
    """Writes that an attempt got further, and nobody had said so."""

    def _write_error(self, failure: Failure, attempt: int) -> Failure:
        self._reached = self._life.furthest + 1
        return super()._write_error(failure, attempt)


class LosesPatience(EdgeRun):
    """Takes the first failure for the last."""

    async def _decide(self, failure: Failure) -> float | None:
        return await super()._decide(replace(failure, final=True))


async def get_nowhere(context: Context) -> Evidence | None:
    """An action that always gets as far as before."""
    context.reached(3)
    raise ActionError("exit.1", "exit", message="no")


RENEWED = with_edge("build", retry=[msgspec.structs.replace(PATIENT[0], renew="progress")])


class Hammers(EdgeRun):
    """Says how long it will wait, and does not."""

    async def _back_off(self, seconds: float) -> None:
        return


class NeverMorePatient(EdgeRun):
    """Waits before the tenth attempt as long as before the second."""

    def _wait(self, clause: int | None, tries: int, attempt: int) -> float:
        return super()._wait(clause, min(tries, 1), attempt)


# -- failures -------------------------------------------------------------------------------------------


class LastCatch(EdgeRun):
    """Takes the last catch clause, whatever happened."""

    async def _decide(self, failure: Failure) -> float | None:
        return await super()._decide(replace(failure, lineage=("unheard-of",)))


class NoWayBack(EdgeRun):
    """Says that it was rolled back, and takes nothing back."""

    async def _decide(self, failure: Failure) -> float | None:
        undo, self._life.finished = self._edge.undo, []
        self._edge = msgspec.structs.replace(self._edge, undo=[])
        try:
            return await super()._decide(failure)
        finally:
            self._edge = msgspec.structs.replace(self._edge, undo=undo)


class OldestFirst(EdgeRun):
    """Takes back what was done in the order in which it was done."""

    async def _decide(self, failure: Failure) -> float | None:
        oldest = self._crew.table.edges[self._life.finished[0].edge]
        for undo in oldest.undo:
            self._crew.record(self._node, "undo", edge=oldest.name, undo=undo)
            self._crew.record(self._node, "undone", edge=oldest.name, undo=undo)
        return await super()._decide(failure)
