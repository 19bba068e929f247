"""Laws of the journal: what is in it before something happens, and what never is."""

from __future__ import annotations

from typing import ClassVar

from machines.records import Record, encode
from machines.simulation.invariants.law import Broken, Invariant, Rules
from machines.spec import EdgeSpec

__all__ = ["EffectKnown", "IntentFirst", "NoSecret"]


class IntentFirst(Invariant):
    """What `effect` finds is raised again at the next record: inside an action, an engine takes it for a
    bug of the action.
    """

    name: ClassVar[str] = "intent-first"
    claim: ClassVar[str] = "no action begins before its intent is durable, and none is done without one"
    reason: ClassVar[str] = "a resumed run must know of every effect that may have happened"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._intents: dict[tuple[str, str, int], int] = {}
        self._found: Broken | None = None

    def see(self, record: Record) -> None:
        if self._found is not None:
            raise self._found
        if record.kind == "intent":
            self._intents[record.node, record.edge, record.attempt] = record.seq
        elif record.kind == "done" and (record.node, record.edge, record.attempt) not in self._intents:
            raise self.broken("done, and never begun", record)

    def effect(self, node: str, edge: str, attempt: int) -> None:
        seq = self._intents.get((node, edge, attempt))
        if seq is None or seq > self.rules.durable():
            state = "has no intent" if seq is None else "has an intent that is not durable"
            self._found = self.broken(f"{node} {edge} attempt {attempt} {state}")
            raise self._found

    def end(self) -> None:
        if self._found is not None:
            raise self._found


class EffectKnown(Invariant):
    """An attempt that began and has no known end, or an ambiguous one, leaves its node in doubt."""

    name: ClassVar[str] = "effect-known"
    claim: ClassVar[str] = (
        "no edge is done before its effect was seen, and none that may be done is tried again unasked"
    )
    reason: ClassVar[str] = "an unknown outcome is neither a success nor a failure"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._doubts: dict[str, str] = {}  # node -> edge
        self._acting: set[str] = set()
        self._there: set[str] = set()  # nodes whose effect was seen
        self._failed: set[str] = set()  # nodes whose last attempt failed

    def see(self, record: Record) -> None:
        kind, node = record.kind, record.node
        if kind == "intent":
            self._on_intent(record)
        elif kind == "done" or (kind == "probed" and record.found):
            self._doubts.pop(node, None)
            self._there.add(node)
        elif kind == "probed":
            self._doubts.pop(node, None)
        elif kind == "error":
            self._on_error(record)
        elif kind == "state":
            self._on_state(record)
        elif record.header is not None:
            self._acting.clear()

    def _on_intent(self, record: Record) -> None:
        edge, node = self._edges[record.edge], record.node
        if not self.is_past(record):
            if node in self._there:
                raise self.broken("its effect had been seen", record)
            if edge.probe is not None and self._doubts.get(node) == edge.name:
                raise self.broken(f"{edge.name} was in doubt, and nobody asked {edge.probe}", record)
        self._doubts[node] = edge.name
        self._acting.add(node)

    def _on_error(self, record: Record) -> None:
        if record.node in self._acting and not record.ambiguous:
            self._doubts.pop(record.node, None)
        self._acting.discard(record.node)
        self._failed.add(record.node)

    def _on_state(self, record: Record) -> None:
        node, edge = record.node, self._edges[record.edge]
        if record.to not in self._outcomes:  # it begins
            if self._doubts.get(node) != edge.name:
                self._doubts.pop(node, None)
        elif record.source not in self._outcomes and not self.is_past(record):
            self._see_end(record, edge)
        self._there.discard(node)
        self._acting.discard(node)
        self._failed.discard(node)

    def _see_end(self, record: Record, edge: EdgeSpec) -> None:
        is_caught = record.node in self._failed and any(catch.to == record.to for catch in edge.catch)
        if record.node in self._there and record.to != edge.to:
            raise self.broken(f"the effect of {edge.name} had been seen", record)
        if record.node not in self._there and record.to == edge.to and not is_caught:
            raise self.broken(f"nobody has seen the effect of {edge.name}", record)


class NoSecret(Invariant):
    """The evidence names the record and never the secret."""

    name: ClassVar[str] = "no-secret"
    claim: ClassVar[str] = "none of the run's secrets stands in any record"
    reason: ClassVar[str] = "journals are read, copied and attached to reports"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._secrets = tuple(secret.encode() for secret in rules.secrets if secret)

    def see(self, record: Record) -> None:
        if not self._secrets:
            return
        line = encode(record)
        for secret in self._secrets:
            if secret in line:
                raise self.broken(f"record {record.seq} ({record.kind}) holds one")
