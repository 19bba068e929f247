"""What must hold in every run, checked after every record.

A checker is fed each record as it is appended and raises `Broken` with its evidence at the first one
that cannot be. Checkers keep their own books, on purpose: they share no logic with the engine.

Begin reading at `Checker`; `standard_checkers` is the set that every simulation runs with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from machines.quantities import at_most
from machines.records import Record, encode
from machines.table import Table

__all__ = [
    "Broken",
    "BudgetsKept",
    "Checker",
    "EveryoneEnds",
    "IntentFirst",
    "LimitsKept",
    "NoSecret",
    "OneLife",
    "SignalFirst",
    "standard_checkers",
]


class Broken(AssertionError):  # noqa: N818 - it says what is the case
    """An invariant does not hold: a bug of the engine, or of what runs in it."""

    def __init__(self, invariant: str, evidence: str, record: Record | None = None) -> None:
        where = f" at record {record.seq}: {encode(record).decode()}" if record is not None else ""
        super().__init__(f"{invariant}: {evidence}{where}")
        self.invariant = invariant
        self.record = record


class Checker(Protocol):
    """One invariant."""

    def see(self, record: Record) -> None:
        """A record was appended. Raises `Broken`."""
        ...

    def end(self) -> None:
        """The run is over. Raises `Broken`."""
        ...


class _Books:
    """A checker that has nothing to say at the end."""

    def end(self) -> None:
        """Nothing is left to check."""


class IntentFirst:
    """No effect without a durable intent. `durable` says up to which record the journal is durable.

    What `effect` finds is raised again at the next record: where it happens, inside an action, an
    engine takes it for a bug of the action.
    """

    def __init__(self, durable: Callable[[], int]) -> None:
        self._durable = durable
        self._intents: dict[tuple[str, str, int], int] = {}
        self._broken: Broken | None = None

    def see(self, record: Record) -> None:
        self.end()
        if record.kind == "intent":
            self._intents[record.node, record.edge, record.attempt] = record.seq
        elif record.kind == "done" and (record.node, record.edge, record.attempt) not in self._intents:
            raise Broken("no effect without an intent", "done, and never begun", record)

    def effect(self, node: str, edge: str, attempt: int) -> None:
        """An effect is about to happen. Raises `Broken`."""
        seq = self._intents.get((node, edge, attempt))
        if seq is None or seq > self._durable():
            state = "has no intent" if seq is None else "has an intent that is not durable"
            self._broken = Broken(
                "no effect without a durable intent", f"{node} {edge} attempt {attempt} {state}"
            )
            raise self._broken

    def end(self) -> None:
        """Raises what `effect` found."""
        if self._broken is not None:
            raise self._broken


class LimitsKept(_Books):
    """Attempts that share a limiter never outnumber its capacity."""

    def __init__(self, table: Table, capacities: Mapping[str, int]) -> None:
        self._limits = {edge.name: edge.limit for edge in table.edges.values() if edge.limit}
        self._capacities = capacities
        self._running: dict[str, dict[str, None]] = {name: {} for name in capacities}

    def see(self, record: Record) -> None:
        if record.kind == "resumed" and not record.node:
            for running in self._running.values():
                running.clear()
        limit = self._limits.get(record.edge)
        if limit is None:
            return
        running = self._running[limit]
        if record.kind == "intent":
            running[record.node] = None
        elif record.kind in ("done", "error", "stopped"):
            running.pop(record.node, None)
        if len(running) > self._capacities[limit]:
            raise Broken("limits are kept", f"{limit}: {', '.join(running)} at the same time", record)


class SignalFirst(_Books):
    """No edge begins before its signal has come."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._latched: set[str] = set()

    def see(self, record: Record) -> None:
        if record.kind == "signal":
            self._latched.add(record.signal)
        if not _begins(record, self._table):
            return
        signal = self._table.edges[record.edge].signal
        if signal is not None and signal not in self._latched:
            raise Broken("signals come first", f"{record.edge} needs {signal}", record)


class BudgetsKept(_Books):
    """Once a role has spent its failure budget, none of its members begins an edge."""

    def __init__(self, table: Table, budgets: Mapping[str, str]) -> None:
        self._table = table
        self._budgets = budgets
        self._roles: dict[str, str] = {}
        self._failed: dict[str, dict[str, None]] = {role: {} for role in budgets}

    def see(self, record: Record) -> None:
        if record.header is not None:
            self._roles = dict(record.header.members)
        failed = self._failed.get(self._roles.get(record.node, ""))
        if failed is None:
            return
        role = self._roles[record.node]
        if _begins(record, self._table) and len(failed) > self._allowed(role):
            raise Broken("budgets are kept", f"of {role!r} {', '.join(failed)} have failed", record)
        if record.kind in ("state", "resumed"):
            failed.pop(record.node, None)
            if self._table.outcome(record.to) == "failure":
                failed[record.node] = None

    def _allowed(self, role: str) -> int:
        return at_most(self._budgets[role], list(self._roles.values()).count(role))


class OneLife(_Books):
    """Records follow each other, states follow each other, and nothing follows a node's end."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._states: dict[str, str] = {}
        self._blocked: set[str] = set()
        self._seq = 0
        self._at = 0.0

    def see(self, record: Record) -> None:
        if record.seq != self._seq + 1 or record.at < self._at:
            raise Broken("records are in order", f"after record {self._seq} at {self._at}", record)
        self._seq, self._at = record.seq, record.at
        if record.node:
            self._see_node(record)

    def _see_node(self, record: Record) -> None:
        before = self._states.get(record.node, self._table.spec.initial)
        has_ended = record.node in self._blocked or self._table.outcome(before) is not None
        if has_ended and record.kind != "resumed":
            raise Broken("nothing follows an end", f"{record.node} has ended in {before}", record)
        if record.kind == "state" and record.source != before:
            raise Broken("states follow each other", f"{record.node} was in {before}", record)
        if record.kind in ("state", "resumed"):
            self._states[record.node] = record.to
        if record.kind == "blocked":
            self._blocked.add(record.node)
        elif record.kind == "resumed":
            self._blocked.discard(record.node)


class NoSecret(_Books):
    """None of these words stands in any record."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets if secret]

    def see(self, record: Record) -> None:
        line = encode(record)
        if any(secret in line for secret in self._secrets):
            raise Broken("no secret is written", f"record {record.seq} ({record.kind}) holds one")


class EveryoneEnds:
    """When a run is over and nobody stopped it, every member is in an outcome or blocked."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._states: dict[str, str] = {}
        self._blocked: set[str] = set()
        self._last = ""

    def see(self, record: Record) -> None:
        self._last = record.kind
        for name, _ in record.header.members if record.header is not None else ():
            self._states.setdefault(name, self._table.spec.initial)
        if record.node and record.kind in ("state", "resumed"):
            self._states[record.node] = record.to
            self._blocked.discard(record.node)
        elif record.kind == "blocked":
            self._blocked.add(record.node)

    def end(self) -> None:
        """Raises `Broken` with the members that are neither here nor there."""
        going = [
            f"{name} in {state}"
            for name, state in self._states.items()
            if name not in self._blocked and self._table.outcome(state) is None
        ]
        if going and self._last != "stopped":
            raise Broken("every run ends", ", ".join(going))


def standard_checkers(
    table: Table, *, limits: Mapping[str, int], budgets: Mapping[str, str], secrets: Iterable[str] = ()
) -> list[Checker]:
    """All that need nothing but the records; `IntentFirst` is added by who knows what is durable."""
    return [
        LimitsKept(table, {**table.spec.limits, **limits}),
        SignalFirst(table),
        BudgetsKept(table, {**table.spec.budgets, **budgets}),
        OneLife(table),
        NoSecret(secrets),
        EveryoneEnds(table),
    ]


def _begins(record: Record, table: Table) -> bool:
    """Whether the record says that a node enters an edge."""
    return record.kind == "state" and record.source in table.edges[record.edge].sources
