"""Laws of the journal: what is in it before something happens, and what never is."""

from __future__ import annotations

from typing import ClassVar

from machines.records import Record, encode
from machines.simulation.invariants.law import Broken, Invariant, Rules

__all__ = ["IntentFirst", "NoSecret"]


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
