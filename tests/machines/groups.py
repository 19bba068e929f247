"""A small group and its machine, for tests: a lead and followers build a thing, then join one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from machines.errors import ActionError
from machines.journal import MemoryJournal
from machines.records import Record
from machines.registry import Context, Evidence, Guard, Member, Registry
from machines.simulation import FaultPlan, Simulated, World, simulate
from machines.spec import Catch, EdgeSpec, MachineSpec, Retry, SignalSpec, StateSpec
from machines.table import Table

GUARDS: Mapping[str, Guard] = {
    "is_lead": lambda member: bool(member.role == "lead"),
    "is_nobody": lambda member: False,
}
FAIL = [Catch(match=["*"], to="failed")]
ROLL_BACK = [Catch(match=["*"], to="rolled-back", rollback=True)]
PATIENT = [Retry(match=["connection", "timeout", "integrity", "exit", "disk"], attempts=6, delay=5.0)]

BUILD = EdgeSpec(
    name="build",
    source="new",
    to="built",
    do="build",
    limit="builders",
    timeout=100.0,
    deadline=3600.0,
    retry=PATIENT,
    catch=FAIL,
    undo=["tear_down"],
)
LEAD = EdgeSpec(
    name="lead",
    source="built",
    to="joined",
    guard=["is_lead"],
    do="join",
    timeout=100.0,
    probe="has_joined",
    retry=PATIENT,
    catch=ROLL_BACK,
    undo=["leave"],
)
FOLLOW = msgspec.structs.replace(
    LEAD, name="follow", guard=["!is_lead"], signal="lead-joined", limit="joins", limit_scope="edge"
)
SETTLE = EdgeSpec(name="settle", source="joined", to="home")

SPEC = MachineSpec(
    machine="group",
    version=1,
    initial="new",
    states={
        "new": StateSpec(),
        "built": StateSpec(),
        "joined": StateSpec(),
        "home": StateSpec(outcome="success"),
        "failed": StateSpec(outcome="failure"),
        "rolled-back": StateSpec(outcome="failure"),
    },
    edges=[BUILD, LEAD, FOLLOW, SETTLE],
    signals={"lead-joined": SignalSpec(role=["lead"], state="joined")},
    limits={"builders": 4, "joins": 1},
)


@dataclass(frozen=True)
class Person:
    """A member."""

    name: str
    role: str


def people(followers: int) -> list[Person]:
    """One lead, and so many followers."""
    return [Person("lead", "lead"), *(Person(f"f{number}", "follower") for number in range(followers))]


def table(spec: MachineSpec = SPEC) -> Table:
    return Table(spec, GUARDS)


def with_edge(edge: str, spec: MachineSpec = SPEC, **changes: Any) -> MachineSpec:
    """The machine with one edge changed."""
    edges = [msgspec.structs.replace(e, **changes) if e.name == edge else e for e in spec.edges]
    return msgspec.structs.replace(spec, edges=edges)


def with_spec(**changes: Any) -> MachineSpec:
    """The machine with something at its top changed."""
    return msgspec.structs.replace(SPEC, **changes)


Act = Callable[[Context], Awaitable[Evidence | None]]


async def succeed(_context: Context) -> Evidence | None:
    """An action that needs no time."""
    return None


async def refuse(_context: Context) -> Evidence | None:
    """An action that always gets no for an answer."""
    raise ActionError("exit.1", "exit", message="no")


def registry(**named: Act) -> Registry:
    """Actions `build` and `join`, probe `has_joined`, undos `tear_down` and `leave`; some replaced."""
    made = Registry()
    made.guards.update(GUARDS)
    made.actions.update(build=named.get("build", succeed), join=named.get("join", succeed))
    made.probes["has_joined"] = named.get("has_joined", succeed)
    made.undos.update(tear_down=named.get("tear_down", succeed), leave=named.get("leave", succeed))  # type: ignore[arg-type]
    return made


def run(
    members: Sequence[Member],
    actions: Registry | None = None,
    spec: MachineSpec = SPEC,
    **options: Any,
) -> Simulated:
    """Run the group with these actions in virtual time."""
    return simulate(table(spec), actions or registry(), members, **options)


@dataclass
class Group:
    """The group in a simulated world."""

    members: Sequence[Member]
    plan: FaultPlan = field(default_factory=FaultPlan)
    spec: MachineSpec = SPEC
    seed: int = 0

    def __post_init__(self) -> None:
        self.world = World(self.plan)
        self.table = table(self.spec)

    def run(self, journal: MemoryJournal | None = None, **options: Any) -> Simulated:
        """Run, or resume; the world keeps what was done to it."""
        self.world.away.clear()  # virtual time begins anew, and reboots are over by then
        return simulate(
            self.table,
            self.world.registry(self.spec, GUARDS),
            self.members,
            seed=self.seed,
            journal=journal,
            **options,
        )


def kinds(records: Sequence[Record], node: str = "") -> list[str]:
    """The kinds of a node's records, or of those that are of no node."""
    return [record.kind for record in records if record.node == node]
