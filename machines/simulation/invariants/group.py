"""Laws of the group: what one node must leave to, or wait for from, the others."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import ClassVar

from machines.records import Record
from machines.simulation.invariants.law import MOMENT, Invariant, Rules, begins

__all__ = ["BudgetsKept", "LimitsKept", "SignalFirst"]

ENDS = frozenset({"done", "probed", "error", "stopped"})


def share(amount: str, total: int, *, up: bool = True) -> int:
    """How many of `total` an amount such as ``3`` or ``67%`` means, rounded."""
    number = Fraction(amount.strip().rstrip("%"))
    if amount.strip().endswith("%"):
        number = number * total / 100
    return ceil(number) if up else floor(number)


class LimitsKept(Invariant):
    """Counted from probe or intent to their ends: what holds a place at the very least."""

    name: ClassVar[str] = "limits-kept"
    claim: ClassVar[str] = "attempts that share a limit never outnumber its capacity"
    reason: ClassVar[str] = "etcd takes one learner at a time, and an uplink so many uploads"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._limits = {edge.name: edge.limit for edge in rules.spec.edges if edge.limit}
        self._capacities = rules.capacities
        self._running: dict[str, dict[str, None]] = {name: {} for name in self._capacities}

    def see(self, record: Record) -> None:
        kind = record.kind
        if kind == "intent":
            limit = self._limits.get(record.edge)
            if limit is not None:
                self._enter(limit, record.node, record)
        elif kind in ENDS:
            limit = self._limits.get(record.edge)
            if limit is not None:
                self._running[limit].pop(record.node, None)
        elif kind == "resumed" and not record.node:  # who was cut off holds no place for ever
            for running in self._running.values():
                running.clear()

    def probe(self, node: str, edge: str, at: float) -> None:  # noqa: ARG002 - it lasts until its record
        limit = self._limits.get(edge)
        if limit is not None:
            self._enter(limit, node)

    def _enter(self, limit: str, node: str, record: Record | None = None) -> None:
        running = self._running[limit]
        running[node] = None
        is_past = record is not None and self.is_past(record)  # its limit may have been another
        if len(running) > self._capacities[limit] and not is_past:
            raise self.broken(f"{limit}: {', '.join(running)} at the same time", record)


class SignalFirst(Invariant):
    """The record of the signal stands before that of the edge."""

    name: ClassVar[str] = "signal-first"
    claim: ClassVar[str] = (
        "no edge begins before its signal has come, and a signal comes once, with the last of its members; "
        "it is not given up while they may come"
    )
    reason: ClassVar[str] = "a server that joins before there is a cluster makes a second one"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._signals = rules.spec.signals
        self._roles: dict[str, str] = {}
        self._latched: set[str] = set()
        self._lost: set[str] = set()  # in this run
        self._ended: set[str] = set()  # nodes in an outcome, or blocked
        self._flying: set[str] = set()  # nodes that are on their way
        self._missing: dict[str, int] = {}  # signal -> how many members it still needs
        self._due: dict[str, float] = {}  # signal -> when its last member came
        self._reached: set[tuple[str, str]] = set()  # (node, state)

    def see(self, record: Record) -> None:
        if self._due:
            self._see_due(record)
        if record.header is not None:
            self._roles = dict(record.header.members)
            self._lost.clear()
            self._count(record.at)
        elif record.kind == "signal":
            self._see_signal(record)
        elif record.kind == "lost":
            self._see_lost(record)
        elif record.kind == "blocked":
            self._ended.add(record.node)
        elif record.kind == "resumed":
            self._ended.discard(record.node)
        elif record.kind == "state":
            self._note(record)
            if not self.is_past(record):  # the edge may have needed another
                self._see_begin(record)

    def _see_begin(self, record: Record) -> None:
        signal = self._edges[record.edge].signal
        if signal is not None and signal not in self._latched and begins(record, self._edges):
            raise self.broken(f"{record.edge} needs {signal}", record)

    def _see_due(self, record: Record) -> None:
        late = [name for name, at in self._due.items() if record.at > at + MOMENT]
        if late and not self.is_past(record):
            raise self.broken(f"{late[0]} had all its members at second {self._due[late[0]]:g}", record)

    def _count(self, at: float) -> None:
        """A run begins: who is missing for which signal, of its own members."""
        self._due.clear()
        for name, spec in self._signals.items():
            asked = [node for node, role in self._roles.items() if role in spec.role]
            have = sum(self._has_been(node, spec.state) for node in asked)
            self._missing[name] = share(spec.at_least, len(asked)) - have
            if self._missing[name] <= 0 and name not in self._latched:
                self._due[name] = at

    def _arrive(self, record: Record) -> None:
        for name, spec in self._signals.items():
            if spec.state == record.to and self._roles.get(record.node) in spec.role:
                self._missing[name] -= 1
                if self._missing[name] == 0 and name not in self._latched:
                    self._due[name] = record.at

    def _note(self, record: Record) -> None:
        if not self._has_been(record.node, record.to):
            self._arrive(record)
        self._reached.add((record.node, record.to))
        if record.to in self._outcomes:
            self._flying.discard(record.node)
        else:
            self._flying.add(record.node)
        if self.outcome(record.to) is not None:
            self._ended.add(record.node)

    def _see_lost(self, record: Record) -> None:
        """Too few can come; or all who could are waiting, and then nobody is on his way."""
        self._see_once(record)
        self._lost.add(record.signal)
        spec = self._signals[record.signal]
        asked = [name for name, role in self._roles.items() if role in spec.role]
        can = [n for n in asked if n not in self._ended or self._has_been(n, spec.state)]
        flying = [name for name in self._roles if name in self._flying]
        may_come = len(can) >= share(spec.at_least, len(asked))
        if flying and may_come and not self.is_past(record):
            told = f"{', '.join(can) or 'nobody'} could bring it, and {', '.join(flying)} went on"
            raise self.broken(f"{record.signal} is given up: {told}", record)

    def _see_once(self, record: Record) -> None:
        is_settled = record.signal in self._latched or record.signal in self._lost
        if is_settled and not self.is_past(record):
            raise self.broken(f"{record.signal} was settled before", record)

    def _see_signal(self, record: Record) -> None:
        self._see_once(record)
        self._due.pop(record.signal, None)
        self._latched.add(record.signal)
        if not self.is_past(record):  # it may have asked for others
            self._see_members(record)

    def _see_members(self, record: Record) -> None:
        spec = self._signals[record.signal]
        named = dict.fromkeys(record.evidence.get("members", ()))
        early = [name for name in named if not self._has_been(name, spec.state)]
        if early:
            raise self.broken(f"{record.signal} without {', '.join(early)} in {spec.state}", record)
        asked = [name for name, role in self._roles.items() if role in spec.role]
        came, need = [name for name in asked if name in named], share(spec.at_least, len(asked))
        if len(came) < need:
            told = ", ".join(came) or "nobody"
            raise self.broken(f"{record.signal} by {told}, and {need} must be in {spec.state}", record)

    def _has_been(self, node: str, state: str) -> bool:
        return state == self.rules.spec.initial or (node, state) in self._reached


class BudgetsKept(Invariant):
    """A member that a person puts back has not failed."""

    name: ClassVar[str] = "budgets-kept"
    claim: ClassVar[str] = (
        "once a role has spent its failure budget, and not before, none of its members begins an edge"
    )
    reason: ClassVar[str] = "what fails everywhere should not be tried everywhere"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._budgets = {**rules.spec.budgets, **rules.budgets}
        self._roles: dict[str, str] = {}
        self._allowed: dict[str, int] = {}
        self._failed: dict[str, dict[str, None]] = {role: {} for role in self._budgets}

    def see(self, record: Record) -> None:
        if record.header is not None:
            self._roles = dict(record.header.members)
            counts = list(self._roles.values())
            self._allowed = {
                role: share(most, counts.count(role), up=False) for role, most in self._budgets.items()
            }
        elif record.kind == "budget":
            self._see_budget(record)
        elif self._failed and record.kind in ("state", "resumed"):
            failed = self._failed.get(self._roles.get(record.node, ""))
            if failed is not None:
                self._see_state(record, failed)

    def _see_budget(self, record: Record) -> None:
        role = str(record.evidence.get("role", ""))
        failed, allowed = self._failed.get(role, {}), self._allowed.get(role, 0)
        if len(failed) <= allowed and not self.is_past(record):
            told = ", ".join(failed) or "nobody"
            raise self.broken(f"{allowed} of {role!r} may fail, and {told} had", record)

    def _see_state(self, record: Record, failed: dict[str, None]) -> None:
        role = self._roles[record.node]
        is_spent = len(failed) > self._allowed[role] and not self.is_past(record)
        if is_spent and begins(record, self._edges):
            raise self.broken(f"of {role!r} {', '.join(failed)} have failed", record)
        failed.pop(record.node, None)
        if self.outcome(record.to) == "failure":
            failed[record.node] = None
