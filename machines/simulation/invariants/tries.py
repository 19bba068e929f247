"""The law of repetitions: how often an attempt that failed is made again, and when a count begins anew.

Begin reading at `TriesKept.see`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from machines.records import Record
from machines.simulation.invariants.law import Invariant, Rules, charged

__all__ = ["TriesKept"]


@dataclass(slots=True)
class _Count:
    """What one node has used up on the edge it is on."""

    tries: dict[int, int] = field(default_factory=dict)  # by the clause's index
    furthest: int = 0
    error: Record | None = None  # the last one, as long as nothing has followed from it
    is_past: bool = False  # the last one was an earlier run's: what follows from it is not judged


class TriesKept(Invariant):
    """Which clause is charged, and whether the attempt got further, is worked out anew from the records."""

    name: ClassVar[str] = "tries-kept"
    claim: ClassVar[str] = (
        "what failed is repeated while its retry clause has tries left, and only then; "
        "a count begins anew only where an attempt got further than all before it"
    )
    reason: ClassVar[str] = "a dead host is given up in time, and one that gets on is not"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._counts: dict[str, _Count] = {}
        self._marks: dict[str, int] = {}  # node -> the highest that its action has told in this attempt
        self._before = rules.before

    def see(self, record: Record) -> None:
        kind = record.kind
        if kind == "error":
            self._on_error(record)
        elif kind == "retry":
            self._on_retry(record)
        elif kind == "intent":
            count = self._counts.get(record.node)
            if count is not None and count.error is not None:
                raise self.broken("it was repeated, and no retry clause had said so", record)
        elif kind == "state":
            self._on_state(record)
        elif kind == "resumed" and record.to in self._outcomes:
            self._counts.pop(record.node, None)

    def effect(self, node: str, edge: str, attempt: int) -> None:  # noqa: ARG002 - it is on one edge
        self._marks.pop(node, None)

    def reached(self, node: str, mark: int) -> None:
        if mark > self._marks.get(node, 0):
            self._marks[node] = mark

    def _on_error(self, record: Record) -> None:
        edge, count = self._edges[record.edge], self._counts.setdefault(record.node, _Count())
        clause = charged(edge, record.lineage)
        is_past = self.is_past(record)  # it may be of a version that had other clauses
        if clause != record.clause and not is_past:
            raise self.broken(f"it was to be charged to retry[{clause}]", record)
        if record.reached > count.furthest:
            self._see_mark(record)
            count.furthest = record.reached
            for index, retry in enumerate(edge.retry):
                if retry.renew == "progress":
                    count.tries.pop(index, None)
        count.tries[clause] = count.tries.get(clause, 0) + 1
        count.error, count.is_past = None if is_past else record, is_past

    def _see_mark(self, record: Record) -> None:
        told = self._marks.get(record.node, 0)
        if record.reached > told and record.seq > self._before:
            raise self.broken(f"its action had told of {told}, and not of {record.reached}", record)

    def _on_retry(self, record: Record) -> None:
        count = self._counts.get(record.node)
        if count is not None and count.is_past:
            count.is_past = False
            return
        if count is None or count.error is None:
            raise self.broken("nothing had failed", record)
        if not self._may_repeat(count, count.error):
            tries = count.tries[count.error.clause]
            raise self.broken(f"{tries} tries were used up, or nothing was to be repeated", record)
        count.error = None

    def _on_state(self, record: Record) -> None:
        count = self._counts.pop(record.node, None)
        if count is not None and count.error is not None and self._may_repeat(count, count.error):
            raise self.broken("it was given up with tries left", record)

    def _may_repeat(self, count: _Count, error: Record) -> bool:
        if error.clause < 0 or error.final:
            return False
        attempts = self._edges[error.edge].retry[error.clause].attempts
        return attempts is None or count.tries[error.clause] < attempts
