"""A run: one task for each member, and the one place where it starts and stops.

The world comes in through the constructor: journal, registry, observer, the wall clock as text. Time
is trio's, so the same code runs in virtual time.

How a run ends, and every run ends: each node is in an outcome or blocked (`finished`), or someone
stopped it (`stopped`; run again to resume), or the journal could not be written (`JournalError`).

Begin reading at `Supervisor.run`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import trio
from msgspec.structs import replace

from machines.beside import run_beside
from machines.crew import Node, StopRequested
from machines.errors import Failure
from machines.fold import Life
from machines.gate import Gate
from machines.journal import Journal
from machines.limiter import Limiter
from machines.logbook import Logbook, Observer, Silent
from machines.node import NodeTask
from machines.records import SCHEMA, Header, Kind, Record, machine_digest
from machines.registry import Member, Registry
from machines.resuming import resumption
from machines.table import Table

__all__ = ["EdgeFailure", "Result", "Supervisor"]


@dataclass(frozen=True, slots=True)
class EdgeFailure:
    """Why a node ended in a failure outcome, and on which edge."""

    edge: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to. Members in the order of the plan."""

    states: Mapping[str, str]
    blocked: Mapping[str, str]  # name -> reason
    failures: Mapping[str, EdgeFailure]  # of members in a failure outcome
    interrupted: bool  # stopped before everyone had ended: run again to resume
    at: float  # seconds of the run, those before a resume included
    ok: bool  # every member ended in a success outcome


class Supervisor:
    """Runs a table over a group of members. Runs once.

    `members` stand in the order in which they are served where a limit makes them queue. `limits` and
    `budgets` override the machine's. `started` (the wall clock as text), `subject`, `marks` and
    `simulated` are for the header alone: see `machines.records`.
    `grace` is the seconds that running actions have after a stop.

    Raises ValueError for members, limits, budgets or names that make no sense, before anything begins.
    """

    task: ClassVar[type[NodeTask]] = NodeTask
    """What walks a node. Tests put broken ones here, to show that an invariant notices."""

    def __init__(
        self,
        table: Table,
        registry: Registry,
        members: Sequence[Member],
        journal: Journal,
        *,
        plan_digest: str = "",
        program: str = "",
        started: str = "",
        subject: str = "",
        marks: Sequence[str] = (),
        simulated: bool = False,
        seed: int = 0,
        limits: Mapping[str, int] | None = None,
        budgets: Mapping[str, str] | None = None,
        grace: float = 30.0,
        observer: Observer | None = None,
    ) -> None:
        _refuse_nonsense(table, registry, members, limits or {})
        self.table = table
        self.registry = registry
        self.seed = seed
        self.logbook = Logbook(journal, table, observer or Silent())
        self.gate = Gate(table, members, {**table.spec.budgets, **(budgets or {})}, self.logbook)
        capacities = {**table.spec.limits, **(limits or {})}
        self.limiters: Mapping[str, Limiter] = {
            name: Limiter(name, capacity) for name, capacity in capacities.items()
        }
        self._members = tuple(members)
        about = _header(table, members, plan_digest, program, started)
        self._header = replace(about, subject=subject, marks=tuple(marks), simulated=simulated)
        self._grace = grace
        self._nodes: list[Node] = []
        self._tasks: trio.CancelScope | None = None
        self._stop = trio.Event()
        self._aborted = False
        self._crash: Exception | None = None

    @property
    def stopping(self) -> bool:
        """Whether someone asked the run to stop."""
        return self._stop.is_set()

    async def run(self) -> Result:
        """Run to the end, resuming what the journal holds.

        Raises `JournalError`, `HistoryError`, `JournalDamaged`; never an exception group.
        """
        self._begin()
        try:
            await run_beside(self._end_after_grace, self._run_tasks)
        finally:
            await self._end()
        if self._crash is not None:
            raise self._crash
        return self._result()

    def stop(self) -> None:
        """The first Ctrl-C: nothing new begins; what runs has the grace period to end. Returns at once."""
        self._stop.set()
        self.gate.close()
        for node in self._nodes:
            if node.pause is not None:
                node.pause.cancel()

    def abort(self) -> None:
        """The second Ctrl-C: everything is cancelled now. What was durable is enough to resume."""
        self.stop()
        self._aborted = True
        if self._tasks is not None:
            self._tasks.cancel()

    def record(self, node: Node, kind: Kind, **fields: Any) -> Record:
        """Append a record of this node."""
        return self.logbook.record(kind, node=node.life.name, **fields)

    @contextmanager
    def pausing(self, node: Node) -> Iterator[None]:
        """A wait that a stop ends at once. Raises StopRequested then."""
        if self.stopping:
            raise StopRequested
        try:
            with trio.CancelScope() as node.pause:
                yield
        finally:
            node.pause = None
        if self.stopping:
            raise StopRequested

    def _begin(self) -> None:
        """Open the logbook, put back what an earlier run left, and count the signals."""
        is_resumed = self.logbook.open(self._header)
        history = self.logbook.history
        for member in self._members if is_resumed else ():
            self._put_back(history.lives[member.name])
        self._nodes = [
            Node(member, position, history.lives[member.name])
            for position, member in enumerate(self._members)
        ]
        self.gate.start(self._members, list(history.latched))

    def _put_back(self, life: Life) -> None:
        plan = resumption(life)
        if plan is not None:
            self.logbook.record(
                "resumed",
                node=plan.node,
                edge=plan.edge,
                source=plan.source,
                to=plan.to,
                attempt=plan.attempt,
                used=plan.used,
            )

    async def _run_tasks(self) -> None:
        async with trio.open_nursery() as tasks:
            self._tasks = tasks.cancel_scope
            if self._aborted:
                tasks.cancel_scope.cancel()
            for node in self._nodes:
                if not self._has_ended(node.life):
                    tasks.start_soon(self._run_task, node, name=node.life.name)

    async def _run_task(self, node: Node) -> None:
        """One node's task. What it cannot handle ends the run, as one exception and not as a group."""
        try:
            await self.task(node, self).run()
        except Exception as crash:
            self._crash = self._crash or crash
            if self._tasks is not None:
                self._tasks.cancel()

    async def _end_after_grace(self) -> None:
        await self._stop.wait()
        await trio.sleep(self._grace)
        if self._tasks is not None:
            self._tasks.cancel()

    async def _end(self) -> None:
        """The last record, and the last sync, even while everything is being cancelled."""
        if self._crash is not None:  # the journal failed, or nothing may be trusted any more
            return
        with trio.CancelScope(shield=True):
            ended = all(self._has_ended(node.life) for node in self._nodes)
            await self.logbook.durable(self.logbook.record("finished" if ended else "stopped"))

    def _has_ended(self, life: Life) -> bool:
        return bool(life.blocked) or self.table.outcome(life.state) is not None

    def _result(self) -> Result:
        lives = [node.life for node in self._nodes]
        outcomes = {life.name: self.table.outcome(life.state) for life in lives}
        return Result(
            states={life.name: life.state for life in lives},
            blocked={life.name: life.blocked for life in lives if life.blocked},
            failures={
                life.name: EdgeFailure(life.failed_at.edge, life.failure)
                for life in lives
                if outcomes[life.name] == "failure" and life.failed_at and life.failure
            },
            interrupted=not all(self._has_ended(life) for life in lives),
            at=self.logbook.history.at,
            ok=all(outcome == "success" for outcome in outcomes.values()),
        )


def _header(table: Table, members: Sequence[Member], plan_digest: str, program: str, started: str) -> Header:
    return Header(
        schema=SCHEMA,
        machine=table.spec.machine,
        version=table.spec.version,
        machine_digest=machine_digest(table.spec),
        plan_digest=plan_digest,
        program=program,
        members=tuple((member.name, member.role) for member in members),
        started=started,
    )


def _refuse_nonsense(
    table: Table,
    registry: Registry,
    members: Sequence[Member],
    limits: Mapping[str, int],
) -> None:
    """Everything that would otherwise come up in the middle of a run, all at once."""
    counts = Counter(member.name for member in members)
    faults = [f"member {name!r} stands twice" for name, count in counts.items() if count > 1]
    faults += _unknown(
        "limit", limits, {edge.limit for edge in table.edges.values()} | set(table.spec.limits)
    )
    for edge in table.edges.values():
        faults += _unknown("action", [edge.do] if edge.do else [], registry.actions)
        faults += _unknown("probe", [edge.probe] if edge.probe else [], registry.probes)
        faults += _unknown("undo", edge.undo, registry.undos)
        faults += _unknown("limit", [edge.limit] if edge.limit else [], {*limits, *table.spec.limits})
    if faults:
        raise ValueError(f"machine {table.spec.machine!r} cannot be run: " + "; ".join(faults))


def _unknown(what: str, names: Iterable[str], known: Container[str | None]) -> list[str]:
    return [f"unknown {what} {name!r}" for name in names if name not in known]
