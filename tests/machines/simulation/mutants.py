"""Engines that are broken on purpose, each in one thing, and the invariant that must notice it.

Each mutant is the real engine with one part exchanged: by a subclass where the engine names its parts, or
by a journal, an action or a machine that comes in from outside anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import trio

from machines.attempts import EdgeRun
from machines.errors import ActionError
from machines.gate import Gate
from machines.journal import MemoryJournal
from machines.limiter import Limiter
from machines.node import NodeTask
from machines.registry import Context, Evidence
from machines.simulation import FaultPlan, ScriptedFault
from machines.spec import Catch, MachineSpec, Retry
from machines.supervisor import Supervisor
from tests.machines.groups import FAIL, SPEC, Act, Group, people, registry, run, with_edge, with_spec
from tests.machines.simulation.broken_edges import (
    RENEWED,
    SECRET,
    ActsFirst,
    AsksAlone,
    AsksForNothing,
    AsksOutside,
    Backwards,
    Batches,
    ComparesNothing,
    CountsNothing,
    CountsTheQueue,
    CountsTheQueueOfAProbe,
    DoneWithoutIntent,
    Flatters,
    Generous,
    Hammers,
    KeepsItsPlace,
    KnowsNoDeadline,
    KnowsNoTimeout,
    LastCatch,
    LosesPatience,
    LyingJournal,
    NeverAsks,
    NeverMorePatient,
    NoWayBack,
    OldestFirst,
    OtherQueue,
    TakesDoubtForSuccess,
    TakesTheQueueOffTheTimeout,
    get_nowhere,
    tell_all,
)
from tests.machines.simulation.broken_runs import (
    BeginsAnew,
    DeafToSignals,
    DeafToStops,
    ForgetsAttempts,
    ForgetsOne,
    ForgetsTime,
    GoesOn,
    HastyGate,
    HopelessGate,
    Jumps,
    LastWay,
    MiserlyGate,
    ModestGate,
    PatientGate,
    RepeatingGate,
    SpendthriftGate,
    Stubborn,
    TardyGate,
    TooFarBack,
    Unguarded,
)

__all__ = ["MUTANTS", "SECRET", "Mutant"]

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
    killed_after: int = 0  # records, of a run of the real engine that the broken one goes on with
    kept: ClassVar[str] = SECRET

    def run(self, engine: type[Supervisor] | None = None) -> None:
        """Run a group on the broken engine, or another one. Raises `Broken`."""
        options: dict[str, Any] = {"engine": engine or self.engine, "limit": 1e6, "secrets": [SECRET]}
        options |= self.options
        members = people(self.followers)
        if self.actions:
            run(members, registry(**self.actions), self.spec, **options)
            return
        group = Group(members, FaultPlan(scripted=tuple(self.faults)), self.spec)
        left = b""
        if self.killed_after:
            lines = group.run().journal.data.splitlines(keepends=True)
            left = b"".join(lines[: self.killed_after])
        group.run(self.journal(left), **options)


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
TWO_CATCHES = [Catch(match=["exit"], to="rolled-back"), Catch(match=["*"], to="failed")]
TWO_WAYS = with_spec(edges=[*SPEC.edges, msgspec.structs.replace(SPEC.edges[0], name="rebuild")])
LOSES_ITS_ANSWER = (ScriptedFault("f0", "follow", "apply-then-drop"),)
IS_REFUSED = (ScriptedFault("f0", "follow", "exit", attempt=None),)
ALL_FAIL = (ScriptedFault("*", "build", "exit", attempt=None),)
FAILING_LEAD = (ScriptedFault("lead", "build", "exit", attempt=None),)

MUTANTS: Sequence[Mutant] = (
    Mutant("an effect comes before its intent", "intent-first", working(ActsFirst)),
    Mutant("the journal says durable and is not", "intent-first", journal=LyingJournal),
    Mutant("an attempt is done that never began", "intent-first", working(DoneWithoutIntent)),
    Mutant("an answer that was lost counts as success", "effect-known", working(TakesDoubtForSuccess),
           faults=LOSES_ITS_ANSWER),
    Mutant("an attempt in doubt is repeated unasked", "effect-known", working(NeverAsks),
           faults=LOSES_ITS_ANSWER),
    Mutant("what a probe has found is done again", "effect-known", working(AsksForNothing),
           faults=LOSES_ITS_ANSWER),
    Mutant("a node goes on after its end", "one-life", walking(GoesOn)),
    Mutant("a state does not follow the one before", "one-life", working(Jumps)),
    Mutant("a blocked node goes on", "one-life", walking(Stubborn), faults=FAILING_LEAD),
    Mutant("a resumed run begins anew", "one-life", BeginsAnew, killed_after=60),
    Mutant("a resumed run forgets attempts", "one-life", ForgetsAttempts, killed_after=20),
    Mutant("a failed node is put back too far", "one-life", TooFarBack, faults=IS_REFUSED,
           spec=with_edge("follow", retry=[], catch=FAIL), killed_after=1000),
    Mutant("signals are ignored", "signal-first", walking(DeafToSignals)),
    Mutant("a signal comes without its members", "signal-first", gated(HastyGate)),
    Mutant("a signal comes with nobody", "signal-first", gated(ModestGate)),
    Mutant("a signal comes twice", "signal-first", gated(RepeatingGate)),
    Mutant("a signal comes late", "signal-first", gated(TardyGate)),
    Mutant("a signal is given up too soon", "signal-first", gated(HopelessGate),
           faults=(ScriptedFault("f0", "build", "exit", attempt=None),), spec=with_edge("build", retry=[])),
    Mutant("guards are ignored", "first-way", walking(Unguarded)),
    Mutant("the last open edge is taken", "first-way", walking(LastWay), spec=TWO_WAYS),
    Mutant("a limiter has one place too many", "limits-kept", limiting(Generous)),
    Mutant("another limit is queued for", "limits-kept", working(OtherQueue)),
    Mutant("a probe is asked without a place", "limits-kept", working(AsksOutside), spec=ASKING,
           actions=IN_DOUBT),
    Mutant("a spent budget holds nobody back", "budgets-kept", gated(SpendthriftGate), faults=ALL_FAIL,
           spec=with_edge("build", retry=[]), options={"budgets": {"follower": "0"}}),
    Mutant("a budget is spent too soon", "budgets-kept", gated(MiserlyGate),
           faults=(ScriptedFault("f0", "build", "exit", attempt=None),), spec=with_edge("build", retry=[]),
           options={"budgets": {"follower": "1"}}),
    Mutant("the deadline runs while a node queues", "clock-after-queue", working(CountsTheQueue)),
    Mutant("the clock runs while a node queues for its probe", "clock-after-queue",
           working(CountsTheQueueOfAProbe), spec=ASKING, actions=IN_DOUBT),
    Mutant("an action is cut off earlier after a queue", "clock-after-queue",
           working(TakesTheQueueOffTheTimeout), spec=with_edge("build", timeout=None),
           faults=(ScriptedFault("*", "build", "hang"),)),
    Mutant("a resumed run forgets the time", "clock-after-queue", ForgetsTime, killed_after=20),
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
    Mutant("a back-off is not waited for", "back-off-kept", working(Hammers),
           faults=(ScriptedFault("*", "build", "exit"),)),
    Mutant("a back-off does not grow", "back-off-kept", working(NeverMorePatient), faults=ALL_FAIL,
           spec=with_edge("build", retry=[Retry(match=["exit"], attempts=4, delay=5.0, jitter="none")])),
    Mutant("the last catch clause takes everything", "catch-kept", working(LastCatch), faults=ALL_FAIL,
           spec=with_edge("build", retry=[], catch=TWO_CATCHES)),
    Mutant("a rollback takes nothing back", "catch-kept", working(NoWayBack), faults=IS_REFUSED),
    Mutant("a rollback begins with the oldest", "catch-kept", working(OldestFirst), faults=IS_REFUSED,
           spec=with_edge("follow", retry=[])),
    Mutant("a stop is ignored", "stop-kept", DeafToStops, options={"stop_at": 15.0}),
    Mutant("places are given out in batches", "no-idle-place", limiting(Batches)),
    Mutant("places stay free while a probe is asked", "no-idle-place", working(AsksAlone), spec=ASKING,
           actions=IN_DOUBT),
    Mutant("who is rolled back keeps his place", "no-idle-place", working(KeepsItsPlace), faults=IS_REFUSED,
           spec=with_edge("follow", with_spec(limits={"builders": 4, "joins": 2}), retry=[])),
    Mutant("the last of the plan is served first", "plan-order", limiting(Backwards)),
    Mutant("a secret stands in the evidence", "no-secret", actions={"join": tell_all}),
    Mutant("nobody says that a signal is lost", "everyone-ends", gated(PatientGate), faults=FAILING_LEAD),
    Mutant("a node is forgotten", "everyone-ends", walking(ForgetsOne)),
)  # fmt: skip
