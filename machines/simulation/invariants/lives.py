"""Laws of a node's life: one state after the other, nothing after its end, and an end for everyone."""

from __future__ import annotations

from typing import ClassVar

from machines.records import Record
from machines.simulation.invariants.law import Broken, Invariant, Rules

__all__ = ["EveryoneEnds", "OneLife"]


class OneLife(Invariant):
    """Records of one run and of those that resume it are one story."""

    name: ClassVar[str] = "one-life"
    claim: ClassVar[str] = "records and states follow each other, and nothing follows a node's end"
    reason: ClassVar[str] = "state is a fold over the records: a jump there is a wrong state here"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._states: dict[str, str] = {}
        self._blocked: set[str] = set()
        self._seq = 0
        self._at = 0.0

    def see(self, record: Record) -> None:
        if record.seq != self._seq + 1 or record.at < self._at:
            raise self.broken(f"not in order, after record {self._seq} at {self._at}", record)
        self._seq, self._at = record.seq, record.at
        if record.node:
            self._see_node(record)

    def _see_node(self, record: Record) -> None:
        node, kind = record.node, record.kind
        before = self._states.get(node, self.rules.spec.initial)
        if kind != "resumed" and (node in self._blocked or self.outcome(before) is not None):
            raise self.broken(f"{node} has ended in {before}", record)
        if kind == "state":
            if record.source != before:
                raise self.broken(f"{node} was in {before}", record)
            self._states[node] = record.to
        elif kind == "resumed":
            self._states[node] = record.to
            self._blocked.discard(node)
        elif kind == "blocked":
            self._blocked.add(node)


class EveryoneEnds(Invariant):
    """A run that does not come to an end at all is this law's too: see `stuck`."""

    name: ClassVar[str] = "everyone-ends"
    claim: ClassVar[str] = "a run that nobody stopped ends, with every member in an outcome or blocked"
    reason: ClassVar[str] = "an operator may wait for an end, and never for nothing"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._states: dict[str, str] = {member.name: rules.spec.initial for member in rules.members}
        self._blocked: set[str] = set()
        self._stopped = False

    def see(self, record: Record) -> None:
        if record.kind == "state":
            self._states[record.node] = record.to
        elif record.kind == "blocked":
            self._blocked.add(record.node)
        elif record.kind == "resumed":
            self._resume(record)
        elif record.header is not None:
            self._meet(record)

    def stop(self) -> None:
        self._stopped = True

    def end(self) -> None:
        if self._going and not self._stopped:
            raise self.broken(", ".join(self._going))

    def stuck(self, words: str) -> Broken:
        """The breach of a run that did not come to its end: who was still on the way."""
        return self.broken(f"{words}; {', '.join(self._going) or 'everyone has ended'}")

    @property
    def _going(self) -> list[str]:
        return [
            f"{name} in {state}"
            for name, state in self._states.items()
            if name not in self._blocked and self.outcome(state) is None
        ]

    def _resume(self, record: Record) -> None:
        if record.node:
            self._states[record.node] = record.to
            self._blocked.discard(record.node)
        else:
            self._stopped = False
            self._meet(record)

    def _meet(self, record: Record) -> None:
        for name, _ in record.header.members if record.header is not None else ():
            self._states.setdefault(name, self.rules.spec.initial)
