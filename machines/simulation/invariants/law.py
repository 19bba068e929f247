"""What an invariant is: a law with a name, that looks at every record and raises at the first breach.

Laws of this room:

1. An invariant keeps its own books from the records and from what the run was told (`Rules`). It shares
   no logic with the engine, or it would share the engine's mistakes.
2. It is quick: a dict or two per record. Thousands of runs are watched by all of them.
3. It says what it saw. `Broken` carries the evidence and the record.

Begin reading at `Invariant`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from machines.errors import ANY
from machines.records import Record, encode
from machines.registry import Guard, Member
from machines.spec import EdgeSpec, MachineSpec

__all__ = ["MOMENT", "Breach", "Broken", "Invariant", "Rules", "charged"]

MOMENT = 1e-5
"""Seconds that count as none: records keep six digits of their time."""


class Broken(AssertionError):  # noqa: N818 - it says what is the case
    """An invariant does not hold: a bug of the engine, or of what runs in it."""

    def __init__(self, invariant: str, evidence: str, record: Record | None = None) -> None:
        where = f" at record {record.seq}: {encode(record).decode()}" if record is not None else ""
        super().__init__(f"{invariant}: {evidence}{where}")
        self.invariant = invariant
        self.evidence = evidence
        self.record = record


class Breach(Protocol):
    """What the modelled world itself saw and must never see. `invariant` is a short name, as ours."""

    @property
    def invariant(self) -> str: ...
    @property
    def evidence(self) -> str: ...
    @property
    def at(self) -> float: ...


def _all_of_them() -> int:
    return 1 << 62


def _none() -> Sequence[Breach]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a run was told; beside the records all that an invariant knows.

    `members` stand in the order of the plan. `durable` says up to which record the journal would survive
    a power loss; `breaches` gives what the modelled world has seen so far. `before` counts the records of
    earlier runs: whether somebody stopped those, no record says.
    """

    spec: MachineSpec
    members: Sequence[Member] = ()
    guards: Mapping[str, Guard] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)  # those that differ from the machine's
    budgets: Mapping[str, str] = field(default_factory=dict)  # those that differ from the machine's
    secrets: Sequence[str] = ()
    before: int = 0
    durable: Callable[[], int] = _all_of_them
    breaches: Callable[[], Sequence[Breach]] = _none

    @property
    def edges(self) -> dict[str, EdgeSpec]:
        """Edges by name."""
        return {edge.name: edge for edge in self.spec.edges}

    @property
    def capacities(self) -> dict[str, int]:
        """How many may hold a place of each limit at the same time."""
        return {**self.spec.limits, **self.limits}


class Invariant:
    """One law. A subclass has a `name`, one line of what it claims and one of why that matters."""

    name: ClassVar[str]
    claim: ClassVar[str]
    reason: ClassVar[str]

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._outcomes = {name: state.outcome for name, state in rules.spec.states.items()}

    def see(self, record: Record) -> None:
        """A record was appended. Raises `Broken`."""

    def effect(self, node: str, edge: str, attempt: int) -> None:
        """An action begins now. Raises `Broken`."""

    def probe(self, node: str, edge: str, at: float) -> None:
        """A probe begins, at that second of the run: no record says so. Raises `Broken`."""

    def reached(self, node: str, mark: int) -> None:
        """An action told how far it is. No breach is raised here: actions call it often."""

    def cut_off(self, node: str, edge: str, seconds: float) -> None:
        """An action was ended from outside, so many seconds after it began. Raises `Broken`."""

    def stop(self) -> None:
        """Somebody asked the run to stop: nothing new begins from now on."""

    def end(self) -> None:
        """The run is over. Raises `Broken`."""

    def is_past(self, record: Record) -> bool:
        """Whether an earlier run wrote it: perhaps another version, by a real clock."""
        return record.seq <= self.rules.before

    def outcome(self, state: str) -> Literal["success", "failure"] | None:
        """How a node in this state has ended; None while it has not."""
        return self._outcomes.get(state)

    def broken(self, evidence: str, record: Record | None = None) -> Broken:
        """The breach, with what proves it."""
        return Broken(self.name, evidence, record)


def begins(record: Record, edges: Mapping[str, EdgeSpec]) -> bool:
    """Whether the record says that a node enters an edge: it comes from a state, not from in flight."""
    return record.kind == "state" and record.source in edges[record.edge].sources


def charged(edge: EdgeSpec, lineage: tuple[str, ...]) -> int:
    """The first retry clause that names one of these classes; -1: none.

    By the class, and not by a record's number: an earlier run's clauses may have stood elsewhere.
    """
    for index, retry in enumerate(edge.retry):
        if ANY in retry.match or not set(lineage).isdisjoint(retry.match):
            return index
    return -1
