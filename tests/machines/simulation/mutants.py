"""Engines that are broken on purpose, each in one thing, and the invariant that must notice it.

Each mutant is the real engine with one part exchanged: by a subclass where the engine names its parts, or
by a journal, an action or a machine that comes in from outside anyway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import msgspec
import trio

from machines.attempts import EdgeRun
from machines.crew import Crew, Node
from machines.errors import ActionError, Failure
from machines.gate import Gate
from machines.journal import MemoryJournal
from machines.limiter import Limiter
from machines.node import NodeTask
from machines.registry import Context, Evidence, Member
from machines.signals import Event, Latched
from machines.simulation import FaultPlan, ScriptedFault
from machines.spec import EdgeSpec, MachineSpec
from machines.supervisor import Supervisor
from tests.machines.groups import PATIENT, SPEC, Act, Group, people, registry, run, with_edge

__all__ = ["MUTANTS", "Mutant"]

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


# -- signals, budgets, ends -----------------------------------------------------------------------------


class DeafToSignals(NodeTask):
    """Takes every signal for given."""

    def _is_latched(self, signal: str) -> bool:
        return True


class HastyGate(Gate):
    """Lets the signal come with the first member that moves at all."""

    named: ClassVar[list[str]] = ["lead"]

    def moved(self, member: Member, state: str) -> None:
        early: list[Event] = [Latched("lead-joined", {"have": 1, "need": 1, "members": self.named})]
        if self.event("lead-joined") is None:
            self._signals.restore(["lead-joined"])
            self._handle(early)
        super().moved(member, state)


class ModestGate(HastyGate):
    """Lets it come at once, and names nobody who brought it."""

    named: ClassVar[list[str]] = []


class SpendthriftGate(Gate):
    """Holds nobody back."""

    def why_held(self, member: Member) -> str:
        return ""


class PatientGate(Gate):
    """Never says that a signal cannot come."""

    def _handle(self, events: Any) -> None:
        super()._handle(event for event in events if isinstance(event, Latched))


class GoesOn(NodeTask):
    """Begins anew where a node has ended."""

    async def _walk(self) -> None:
        await super()._walk()
        self._life.state = self._crew.table.spec.initial
        await self._step()


class ForgetsOne(NodeTask):
    """Leaves one node on its way, and says nothing of it."""

    async def _step(self) -> None:
        await super()._step()
        if self._life.name == "f1" and self._life.state == "joined":
            raise Forgotten

    async def run(self) -> None:
        try:
            await super().run()
        except Forgotten:
            self._crew.gate.left()


class Forgotten(Exception):  # noqa: N818 - nobody remembers it
    """The task is over."""


class Jumps(EdgeRun):
    """Writes the target's successor as where the node is, and where it came from wrongly."""

    def _succeed(self) -> None:
        self._record("state", source=self._crew.table.spec.initial, to=self._edge.to)
        self._crew.gate.moved(self._node.member, self._edge.to)


# -- how they are put in --------------------------------------------------------------------------------


def working(attempts: type[EdgeRun]) -> type[Supervisor]:
    """An engine with another way to work on an edge."""
    task = type("Task", (NodeTask,), {"attempts": attempts})
    return walking(task)


def walking(task: type[NodeTask]) -> type[Supervisor]:
    """An engine with another walk of a node."""
    return type("Engine", (Supervisor,), {"task": task})


def limiting(limiter: type[Limiter]) -> type[Supervisor]:
    """An engine with other limiters."""

    class Engine(Supervisor):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.limiters = {name: limiter(name, each.capacity) for name, each in self.limiters.items()}

    return Engine


def gated(gate: type[Gate]) -> type[Supervisor]:
    """An engine with another gate."""

    class Engine(Supervisor):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            budgets = {**self.table.spec.budgets, **(options.get("budgets") or {})}
            self.gate = gate(self.table, args[2], budgets, self.logbook)

    return Engine


@dataclass(frozen=True)
class Mutant:
    """One thing that is broken, and the name of the invariant that must say so."""

    broken: str
    invariant: str
    engine: type[Supervisor] = Supervisor
    spec: MachineSpec = SPEC
    faults: Sequence[ScriptedFault] = ()
    followers: int = 6
    journal: type[MemoryJournal] = MemoryJournal
    actions: Mapping[str, Act] = field(default_factory=dict)  # instead of the simulated world's
    options: Mapping[str, Any] = field(default_factory=dict)
    kept: ClassVar[str] = SECRET

    def run(self, engine: type[Supervisor] | None = None) -> None:
        """Run a group on the broken engine, or another one. Raises `Broken`."""
        options: dict[str, Any] = {"engine": engine or self.engine, "limit": 1e6, "secrets": [SECRET]}
        options |= self.options
        if self.actions:
            run(people(self.followers), registry(**self.actions), self.spec, **options)
        else:
            group = Group(people(self.followers), FaultPlan(scripted=tuple(self.faults)), self.spec)
            group.run(self.journal(), **options)


async def lose_the_first(context: Context) -> Evidence | None:
    """Ten seconds of work; of its first attempt nobody knows how it ended."""
    await trio.sleep(10)
    if context.attempt == 1:
        raise ActionError("connection.lost", "connection", message="lost", ambiguous=True)
    return None


async def look_for_long(_context: Context) -> Evidence | None:
    """A minute, and nothing is found."""
    await trio.sleep(60)
    return None


IN_DOUBT: Mapping[str, Act] = {"build": lose_the_first, "has_joined": look_for_long}
ASKING = with_edge("build", probe="has_joined", limit="builders")
ALL_FAIL = (ScriptedFault("*", "build", "exit", attempt=None),)
FAILING_LEAD = (ScriptedFault("lead", "build", "exit", attempt=None),)

MUTANTS: Sequence[Mutant] = (
    Mutant("an effect comes before its intent", "intent-first", working(ActsFirst)),
    Mutant("the journal says durable and is not", "intent-first", journal=LyingJournal),
    Mutant("an attempt is done that never began", "intent-first", working(DoneWithoutIntent)),
    Mutant("a node goes on after its end", "one-life", walking(GoesOn)),
    Mutant("a state does not follow the one before", "one-life", working(Jumps)),
    Mutant("signals are ignored", "signal-first", walking(DeafToSignals)),
    Mutant("a signal comes without its members", "signal-first", gated(HastyGate)),
    Mutant("a signal comes with nobody", "signal-first", gated(ModestGate)),
    Mutant("a limiter has one place too many", "limits-kept", limiting(Generous)),
    Mutant("a probe is asked without a place", "limits-kept", working(AsksOutside), spec=ASKING,
           actions=IN_DOUBT),
    Mutant("a spent budget holds nobody back", "budgets-kept", gated(SpendthriftGate), faults=ALL_FAIL,
           spec=with_edge("build", retry=[]), options={"budgets": {"follower": "0"}}),
    Mutant("the deadline runs while a node queues", "clock-after-queue", working(CountsTheQueue)),
    Mutant("the clock runs while a node queues for its probe", "clock-after-queue",
           working(CountsTheQueueOfAProbe), spec=ASKING, actions=IN_DOUBT),
    Mutant("an action is cut off earlier after a queue", "clock-after-queue",
           working(TakesTheQueueOffTheTimeout), spec=with_edge("build", timeout=None),
           faults=(ScriptedFault("*", "build", "hang"),)),
    Mutant("a deadline that is over is ignored", "deadline-kept", working(KnowsNoDeadline), faults=ALL_FAIL,
           spec=with_edge("build", deadline=20.0, timeout=15.0)),
    Mutant("an attempt may outlast its timeout", "deadline-kept", working(KnowsNoTimeout),
           faults=(ScriptedFault("f0", "build", "slow"),)),
    Mutant("tries that are used up are not counted", "tries-kept", working(CountsNothing), faults=ALL_FAIL),
    Mutant("a count begins anew without progress", "tries-kept", working(ComparesNothing), spec=RENEWED,
           actions={"build": get_nowhere}),
    Mutant("progress is written that nobody told of", "tries-kept", working(Flatters), spec=RENEWED,
           faults=ALL_FAIL),
    Mutant("a node is given up with tries left", "tries-kept", working(LosesPatience), faults=ALL_FAIL),
    Mutant("places are given out in batches", "no-idle-place", limiting(Batches)),
    Mutant("places stay free while a probe is asked", "no-idle-place", working(AsksAlone), spec=ASKING,
           actions=IN_DOUBT),
    Mutant("the last of the plan is served first", "plan-order", limiting(Backwards)),
    Mutant("a secret stands in the evidence", "no-secret", actions={"join": tell_all}),
    Mutant("nobody says that a signal is lost", "everyone-ends", gated(PatientGate), faults=FAILING_LEAD),
    Mutant("a node is forgotten", "everyone-ends", walking(ForgetsOne)),
)  # fmt: skip
