"""One node on one edge: its attempts, until the edge is settled.

The order of an attempt: a place in the limiter; the clock starts; where an earlier attempt may have
had its effect unseen, the probe is asked; the intent is made durable; the action runs, bounded by the
edge's timeout and by what is left of its deadline; what came of it is written; the table decides.
Queueing is never counted as time, waiting between attempts is.

Begin reading at `EdgeRun.run`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import trio

from machines.calls import call, describe, seconds_in_words
from machines.crew import Crew, Node, StopRequested, Walker
from machines.errors import Failure
from machines.limiter import Limiter
from machines.records import Kind, Record
from machines.registry import Context
from machines.retry import jitter_key, wait_before_retry
from machines.rollback import roll_back
from machines.spec import Catch, EdgeSpec

__all__ = ["EdgeRun"]


class EdgeRun:
    """The attempts of one node on one edge that has an action."""

    def __init__(self, node: Node, edge: EdgeSpec, crew: Crew) -> None:
        self._node = node
        self._life = node.life
        self._edge = edge
        self._crew = crew
        self._started = 0.0  # when the attempt's clock began to run
        self._used_before = 0.0  # of the deadline, at that moment
        self._reached = 0  # the attempt's highest mark
        self._compares = any(clause.renew == "progress" for clause in edge.retry)

    async def run(self) -> None:
        """Work until the edge is settled, or until it turns out that it may not begin.

        Raises StopRequested when the run is being stopped before that.
        """
        async with self._place("edge"):
            wait: float | None = 0.0
            while wait is not None:
                await self._back_off(wait)
                async with self._place("attempt"):
                    if not self._may_attempt():
                        return
                    wait = await self._attempt()

    def _place(self, scope: Literal["attempt", "edge"]) -> AbstractAsyncContextManager[None]:
        """A place in the edge's limiter, if it has one of this scope."""
        limiter = self._crew.limiters.get(self._edge.limit or "")
        if limiter is None or self._edge.limit_scope != scope:
            return nullcontext()
        return self._place_of(limiter)

    @asynccontextmanager
    async def _place_of(self, limiter: Limiter) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            with self._crew.pausing(self._node):
                place = limiter.place(self._node.position, partial(self._note_queue, limiter))
                await stack.enter_async_context(place)
            yield

    def _may_attempt(self) -> bool:
        """Begin the edge unless it has begun. False: while queueing, its role was told to begin nothing."""
        if self._crew.stopping:
            raise StopRequested
        if self._life.edge is not None:
            return True
        if self._crew.gate.why_held(self._node.member):
            return False
        walker = Walker(self._node.member, self._life.state)
        self._crew.table.begin(walker, self._edge.name)
        self._move_to(walker.state)
        return True

    async def _attempt(self) -> float | None:
        """One attempt. Returns the seconds to wait before the next one; None when the edge is settled.

        A run that was cut off between an end and what follows from it makes no attempt: it goes on there.
        """
        failure = self._life.failure
        if not self._life.achieved and not (self._life.undecided and failure):
            failure = await self._try_anew()
        if self._life.achieved or failure is None:
            self._succeed()
            return None
        return await self._decide(failure)

    async def _try_anew(self) -> Failure | None:
        """Try, with the clock running from here, and write down how it failed. None: the effect is there."""
        self._life.settle(self._crew.logbook.now())
        self._started, self._used_before = trio.current_time(), self._life.used
        self._reached = 0
        context = self._context(self._life.attempt + 1)
        failure = await self._try(context)
        return self._write_error(failure, context.attempt) if failure is not None else None

    async def _try(self, context: Context) -> Failure | None:
        """Ask where there is doubt, then act. None: the effect is there."""
        if self._edge.probe is not None and self._life.doubt == self._edge.name:
            answer = await self._ask(self._edge.probe, context)
            if answer is not False:
                return None if answer is True else answer
        if self._remaining() <= 0:
            return Failure(("timeout",), "no time left for an attempt", final=True)
        return await self._act(context)

    async def _ask(self, probe: str, context: Context) -> bool | Failure:
        """Whether the effect is there already, or why nobody can tell."""
        timeout = self._edge.timeout or math.inf
        answer = await call(self._crew.registry.probes[probe], context, timeout, self._on_bug)
        if isinstance(answer, Failure):
            return answer
        found = answer is not None
        self._record("probed", attempt=context.attempt, found=found, evidence=answer or {}, used=self._used())
        return found

    async def _act(self, context: Context) -> Failure | None:
        name = self._edge.do or ""
        digest = describe(self._crew.registry.digests.get(name), context, self._on_bug)
        if isinstance(digest, Failure):
            return digest
        intent = self._record("intent", attempt=context.attempt, digest=digest, used=self._used())
        await self._crew.logbook.durable(intent)
        seconds = min(self._edge.timeout or math.inf, self._remaining())
        answer = await call(self._crew.registry.actions[name], context, seconds, self._on_bug)
        if isinstance(answer, Failure):
            return answer
        self._record("done", attempt=context.attempt, evidence=answer or {})
        return None

    def _write_error(self, failure: Failure, attempt: int) -> Failure:
        """The failure as the journal has it: final, and saying so, when the deadline allows no more."""
        used = self._used()
        clause = self._crew.table.retry_index(self._edge.name, failure)
        reached = self._reached if self._compares else 0
        tries = self._life.tries_with(clause, reached) if clause is not None else 0
        over = (
            self._edge.deadline is not None
            and used + self._wait(clause, tries, attempt) >= self._edge.deadline
        )
        told = self._with_deadline(failure) if over else failure
        self._record(
            "error",
            attempt=attempt,
            lineage=failure.lineage,
            message=told.message,
            remedy=told.remedy,
            ambiguous=failure.ambiguous,
            final=failure.final or over,
            clause=-1 if clause is None else clause,
            used=used,
            reached=reached,
        )
        return self._life.failure or failure

    async def _decide(self, failure: Failure) -> float | None:
        """Ask the table what follows from a failure that is written, and do it."""
        walker = Walker(self._node.member, self._life.state)
        tries = self._life.tries
        verdict = self._crew.table.fail(walker, self._edge.name, failure, tries, exhausted=failure.final)
        if isinstance(verdict, Catch):
            if verdict.rollback:
                await roll_back(self._node, self._edge, self._crew)
            self._move_to(verdict.to)
            return None
        clause = self._crew.table.retry_index(self._edge.name, failure)
        delay = self._wait(clause, tries.get(clause or 0, 1), self._life.attempt)
        self._record(
            "retry",
            attempt=self._life.attempt,
            delay=delay,
            clause=clause or 0,
            used=round(self._life.used, 6),
        )
        return delay

    async def _back_off(self, seconds: float) -> None:
        if seconds > 0:
            with self._crew.pausing(self._node):
                await trio.sleep(seconds)

    def _succeed(self) -> None:
        walker = Walker(self._node.member, self._life.state)
        self._crew.table.succeed(walker, self._edge.name)
        self._move_to(walker.state)

    def _move_to(self, state: str) -> None:
        self._record("state", source=self._life.state, to=state)
        self._crew.gate.moved(self._node.member, state)

    def _wait(self, clause: int | None, tries: int, attempt: int) -> float:
        if clause is None:
            return 0.0
        key = jitter_key(self._crew.seed, self._life.name, self._edge.name, attempt)
        return wait_before_retry(self._edge.retry[clause], tries, key)

    def _used(self) -> float:
        """Seconds of the deadline that are used up by now."""
        return round(self._used_before + trio.current_time() - self._started, 6)

    def _remaining(self) -> float:
        return math.inf if self._edge.deadline is None else self._edge.deadline - self._used()

    def _with_deadline(self, failure: Failure) -> Failure:
        """That it is too late to go on; and what went wrong before the attempt that the deadline cut off."""
        over = f"the deadline of {seconds_in_words(self._edge.deadline or 0)} leaves no time to try again"
        before = (self._life.failure if failure.kind == "timeout" else None) or Failure(())
        words = [failure.message, over, f"the attempt before: {before.message}" if before.message else ""]
        return replace(
            failure, message=_together(filter(None, words)), remedy=failure.remedy or before.remedy
        )

    def _context(self, attempt: int) -> Context:
        return Context(self._node.member, self._edge.name, attempt, self._edge.args, self._note, self._reach)

    def _reach(self, mark: int) -> None:
        self._reached = max(self._reached, mark)

    def _note_queue(self, limiter: Limiter) -> None:
        self._note(f"queueing for {limiter.name} ({limiter.capacity} at a time)")

    def _note(self, text: str) -> None:
        self._crew.logbook.note(self._node.member, text)

    def _on_bug(self, error: Exception) -> None:
        self._crew.logbook.bug(self._node.member, error)

    def _record(self, kind: Kind, **fields: Any) -> Record:
        return self._crew.record(self._node, kind, edge=self._edge.name, **fields)


def _together(messages: Iterable[str]) -> str:
    """One message of several; what stands in further lines of any stays behind them all."""
    parts = [message.partition("\n") for message in messages]
    return "; ".join(first for first, _, _ in parts) + "".join(end + rest for _, end, rest in parts)
