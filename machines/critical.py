"""What a run had to wait for: the chain of work that its duration consists of. Pure: records in, legs out.

It is read backwards. From the last node that reached success: what it did last, what it did before, and
where it did nothing: whose work ended its waiting. A wait for a signal leads to the node whose arrival
fired it, a wait for a limiter to the node that gave its place back: when it left the edge, or when it paused
between two attempts, where a place is for one attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from machines.records import Record
from machines.spec import EdgeSpec, MachineSpec

__all__ = ["Leg", "critical_path"]

AT_ONCE = 0.05  # seconds: less is not called waiting
KINDS = ("state", "signal", "retry")  # of records that begin or end a waiting


@dataclass(frozen=True, slots=True)
class Leg:
    """One stretch of the path, in seconds of the run. `after`: what let it begin, in words."""

    node: str
    edge: str
    began: float
    ended: float
    after: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def critical_path(records: Sequence[Record], spec: MachineSpec, end: Record | None = None) -> list[Leg]:
    """The legs in the order of time; empty for a run in which nobody went anywhere.

    `end`: the state record to explain, such as the one that completed the control plane; by default the
    last arrival of the run.
    """
    path = _Path([record for record in records if record.kind in KINDS], spec)
    last = end or path.last_arrival()
    legs: list[Leg] = []
    while last is not None:
        leg, last = path.before(last)
        legs += [leg] if leg else []
    return legs[::-1]


class _Path:
    """Looks for what came before, always at an earlier record than the one it stands at."""

    def __init__(self, records: Sequence[Record], spec: MachineSpec) -> None:
        self._records = records
        self._edges = {edge.name: edge for edge in spec.edges}
        self._signals = spec.signals
        self._successes = {name for name, state in spec.states.items() if state.outcome == "success"}

    def last_arrival(self) -> Record | None:
        return self._latest(lambda record: record.to in self._successes)

    def before(self, arrived: Record) -> tuple[Leg | None, Record | None]:
        """The leg that ended with this record, and the record that let it begin."""
        began = self._latest_of(arrived.node, arrived.seq)
        if began is None:
            return None, None
        if "~" not in began.to:  # an edge that does nothing takes no time
            return None, began
        entered = self._latest_of(began.node, began.seq)
        cause, words = self._cause(began, entered)
        return Leg(arrived.node, began.edge, began.at, arrived.at, words), cause

    def _cause(self, began: Record, entered: Record | None) -> tuple[Record | None, str]:
        """Who ended the waiting before an edge, if there was any."""
        since = entered.at if entered else 0.0
        edge = self._edges[began.edge]
        if began.at - since <= AT_ONCE:
            return entered, ""
        fired = self._fired(edge, began)
        free_since = max(since, fired.at if fired else 0.0)
        if began.at - free_since > AT_ONCE:
            holder = self._gave_back(edge, began)
            return (holder, f"{holder.node} gave its place back") if holder else (entered, "")
        if fired is None:
            return entered, ""
        return self._who_fired(fired), f"signal {fired.signal}"

    def _fired(self, edge: EdgeSpec, began: Record) -> Record | None:
        return self._latest(lambda r: r.kind == "signal" and r.signal == edge.signal, began.seq)

    def _who_fired(self, fired: Record) -> Record | None:
        state = self._signals[fired.signal].state
        members = fired.evidence.get("members", ())
        return self._latest(lambda r: r.to == state and (not members or r.node in members), fired.seq)

    def _gave_back(self, edge: EdgeSpec, began: Record) -> Record | None:
        """Where a node left an edge with the same limit, or paused there, just before."""
        if not edge.limit:
            return None
        sharing = {name: other for name, other in self._edges.items() if other.limit == edge.limit}
        return self._latest(
            lambda r: r.node != began.node and r.edge in sharing and _gives_back(r, sharing[r.edge]),
            began.seq,
        )

    def _latest_of(self, node: str, before: int) -> Record | None:
        return self._latest(lambda record: record.node == node and record.kind == "state", before)

    def _latest(self, fits: Callable[[Record], bool], before: int | None = None) -> Record | None:
        found = (r for r in reversed(self._records) if (before is None or r.seq < before) and fits(r))
        return next(found, None)


def _gives_back(record: Record, edge: EdgeSpec) -> bool:
    """Whether the node has its place in the edge's limit no longer."""
    return edge.limit_scope == "attempt" if record.kind == "retry" else "~" in record.source
