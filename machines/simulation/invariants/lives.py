"""Laws of a node's life: one state after the other, nothing after its end, and an end for everyone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from machines.records import Record
from machines.simulation.invariants.law import Broken, Invariant, Rules

__all__ = ["EveryoneEnds", "OneLife"]


ATTEMPTS = frozenset({"probed", "intent", "done", "error"})


@dataclass(slots=True)
class _Life:
    """Where a node is, and how it came there."""

    state: str
    source: str = ""  # where the edge began that it is on, or that it failed at
    attempt: int = 0
    is_open: bool = False  # the attempt has no end yet
    may_act: bool = True  # an intent may follow in this attempt
    blocked: bool = False
    finished: list[tuple[str, str]] = field(default_factory=list)  # (edge, source), of edges with undos
    undone: set[str] = field(default_factory=set)  # edges


class OneLife(Invariant):
    """Records of one run and of those that resume it are one story."""

    name: ClassVar[str] = "one-life"
    claim: ClassVar[str] = "records, states and attempts follow each other, and nothing follows a node's end"
    reason: ClassVar[str] = "state is a fold over the records: a jump there is a wrong state here"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._lives: dict[str, _Life] = {}
        self._seq = 0
        self._at = 0.0

    def see(self, record: Record) -> None:
        if record.seq != self._seq + 1 or record.at < self._at:
            raise self.broken(f"not in order, after record {self._seq} at {self._at}", record)
        self._seq, self._at = record.seq, record.at
        if record.node:
            self._see_node(record)

    def _see_node(self, record: Record) -> None:
        kind = record.kind
        life = self._lives.get(record.node)
        if life is None:
            life = self._lives[record.node] = _Life(self.rules.spec.initial)
        if kind == "resumed":
            self._on_resumed(life, record)
        elif life.blocked or self.outcome(life.state) is not None:
            raise self.broken(f"{record.node} has ended in {life.state}", record)
        elif kind == "state":
            self._on_state(life, record)
        elif kind in ATTEMPTS:
            self._on_attempt(life, record)
        elif kind == "undone":
            life.undone.add(record.edge)
        elif kind == "blocked":
            life.blocked = True
        elif kind == "stopped":
            life.is_open = False

    def _on_state(self, life: _Life, record: Record) -> None:
        if record.source != life.state:
            raise self.broken(f"{record.node} was in {life.state}", record)
        life.state = record.to
        if record.source in self._outcomes:
            life.source, life.attempt = record.source, 0
        if self.outcome(record.to) != "failure" and record.to in self._outcomes:
            life.finished.append((record.edge, life.source))
        life.is_open = False

    def _on_attempt(self, life: _Life, record: Record) -> None:
        """A probe and an intent may share an attempt; everything else that begins is a new one."""
        shared = life.is_open and (record.kind in ("done", "error") or life.may_act)
        expected = life.attempt if shared and record.kind != "probed" else life.attempt + 1
        if record.attempt != expected and not self.is_past(record):
            raise self.broken(f"it was to be attempt {expected} of {record.edge}", record)
        life.attempt = record.attempt
        life.is_open = record.kind in ("probed", "intent")
        life.may_act = record.kind == "probed"

    def _on_resumed(self, life: _Life, record: Record) -> None:
        if record.source != life.state:
            raise self.broken(f"{record.node} was in {life.state}", record)
        expected = self._put_back_to(life) if self.outcome(life.state) == "failure" else life.state
        if record.to != expected and not self.is_past(record):
            raise self.broken(f"{record.node} was to go on from {expected}", record)
        if record.to not in self._outcomes and record.attempt != life.attempt and not self.is_past(record):
            raise self.broken(f"{record.node} had made {life.attempt} attempts of {record.edge}", record)
        if record.to != life.state:
            life.finished = [each for each in life.finished if each[0] not in life.undone]
            life.undone.clear()
        life.state, life.blocked, life.is_open = record.to, False, False

    def _put_back_to(self, life: _Life) -> str:
        """Where the edge began that failed, or the oldest one that a rollback took back."""
        taken = (source for edge, source in life.finished if edge in life.undone)
        return next(taken, life.source)


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
