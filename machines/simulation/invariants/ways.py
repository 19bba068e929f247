"""Laws of the way: which edge a node takes, and that it takes none once the run is to stop."""

from __future__ import annotations

from typing import ClassVar

from machines.records import Record
from machines.registry import Member
from machines.simulation.invariants.law import Invariant, Rules
from machines.spec import EdgeSpec

__all__ = ["FirstWay", "StopKept"]


class FirstWay(Invariant):
    """Judged by record numbers: since which record each way out of the node's state has been open.

    A way that opened while the node was queueing on another one came too late for it.
    """

    name: ClassVar[str] = "first-way"
    claim: ClassVar[str] = "a node takes the first edge of the document that its guards and signals open"
    reason: ClassVar[str] = "an agent that takes the way of a first server makes a second cluster"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._members: dict[str, Member] = {member.name: member for member in rules.members}
        self._out: dict[str, list[EdgeSpec]] = {}
        for edge in rules.spec.edges:
            for source in edge.sources:
                self._out.setdefault(source, []).append(edge)
        self._rests: dict[str, int] = {}  # node -> the record since which it is where it is
        self._latched: dict[str, int] = {}
        self._began = 0

    def see(self, record: Record) -> None:
        if record.kind == "state":
            if record.source in self._outcomes and not self.is_past(record):
                self._see_way(record)
            self._rests[record.node] = record.seq
        elif record.kind == "signal":
            self._latched[record.signal] = record.seq
        elif record.header is not None:  # everyone looks anew
            self._began = record.seq

    def _see_way(self, record: Record) -> None:
        member = self._members.get(record.node)
        if member is None:
            return
        rests = max(self._began, self._rests.get(record.node, 0))
        before: list[tuple[str, int]] = []
        for edge in self._out.get(record.source, ()):
            opened = self._opened(edge, member, rests)
            if edge.name == record.edge:
                self._judge(opened, before, record)
                return
            if opened is not None:
                before.append((edge.name, opened))
        raise self.broken(f"{record.edge} does not lead out of {record.source}", record)

    def _judge(self, opened: int | None, before: list[tuple[str, int]], record: Record) -> None:
        if opened is None:
            raise self.broken(f"{record.edge} is not open to {record.node}", record)
        for name, since in before:
            if since <= opened:
                raise self.broken(f"{name} stands before {record.edge} and was open", record)

    def _opened(self, edge: EdgeSpec, member: Member, rests: int) -> int | None:
        """Since which record the edge is open; None while it is not."""
        for name in edge.guard:
            guard = self.rules.guards.get(name.removeprefix("!"))
            if guard is not None and bool(guard(member)) == name.startswith("!"):
                return None
        if edge.signal is None:
            return rests
        latched = self._latched.get(edge.signal)
        return None if latched is None else max(rests, latched)


class StopKept(Invariant):
    """Who is asking his probe at that moment has begun his attempt, and may end it."""

    name: ClassVar[str] = "stop-kept"
    claim: ClassVar[str] = "a run that is told to stop begins no edge and no attempt any more"
    reason: ClassVar[str] = "Ctrl-C is pressed for a reason, and what has begun has only the grace period"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._asking: set[str] = set()
        self._stopped = False

    def see(self, record: Record) -> None:
        if record.header is not None:
            self._stopped = False
            self._asking.clear()
        elif record.kind == "intent":
            if self._stopped and record.node not in self._asking:
                raise self.broken("an attempt begins", record)
            self._asking.discard(record.node)
        elif record.kind == "state":
            if self._stopped and record.source in self._outcomes:
                raise self.broken("an edge begins", record)
        elif record.kind == "error":
            self._asking.discard(record.node)

    def probe(self, node: str, edge: str, at: float) -> None:
        if self._stopped:
            raise self.broken(f"at second {at:g} {node} asks the probe of {edge}")
        self._asking.add(node)

    def stop(self) -> None:
        self._stopped = True
