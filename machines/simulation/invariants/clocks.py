"""Laws of time: what a node's clock counts, and what happens when it has run out.

The clock of an edge counts its attempts and the waits between them. It stands still while the node
queues for a place. From the records alone the time of a queue is known wherever no probe was asked in
it; with a probe between, the clock must lie between both readings.

Begin reading at `ClockAfterQueue.see`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from machines.records import Record
from machines.simulation.invariants.law import MOMENT, Invariant, Rules
from machines.spec import EdgeSpec

__all__ = ["ClockAfterQueue", "DeadlineKept"]


@dataclass(slots=True)
class Clock:
    """A node's clock on one edge: it showed `used` at second `at`, and what it has done since."""

    used: float
    at: float
    runs: bool = True  # without a break; False: it may have stood still, for a queue
    counts: float = 0.0  # seconds that count in any case: those of a back-off

    def bounds(self, now: float) -> tuple[float, float]:
        """The least and the most that it may show at second `now`."""
        elapsed = now - self.at
        most = self.used + elapsed
        return (most if self.runs else self.used + min(self.counts, elapsed)), most


class _Clocks(Invariant):
    """The edges by name, for both laws; and that the past is believed.

    A run that began elsewhere may have run by a real clock, which reads a moment later for each question.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges

    def is_past(self, record: Record) -> bool:
        """Whether an earlier run wrote it."""
        return record.seq <= self.rules.before


class ClockAfterQueue(_Clocks):
    """Checked against every reading that a record holds."""

    name: ClassVar[str] = "clock-after-queue"
    claim: ClassVar[str] = "queueing for a limit is counted neither in an edge's used time nor in a timeout"
    reason: ClassVar[str] = "or the last of a long queue fails without having begun"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._clocks: dict[str, Clock] = {}
        self._cut: dict[str, float] = {}  # node -> seconds after which its action was ended from outside

    def see(self, record: Record) -> None:
        if not record.node:
            return
        kind, node = record.kind, record.node
        if kind == "state":
            self._on_state(record)
        elif kind in ("intent", "probed", "error"):
            self._read(record)
            if kind == "error":
                self._see_timeout(record)
            self._clocks[node] = Clock(record.used, record.at)
        elif kind == "retry":
            self._on_retry(record)
        elif kind == "resumed":
            self._on_resumed(record)
        elif kind == "stopped":
            self._on_stopped(record)

    def cut_off(self, node: str, edge: str, seconds: float) -> None:  # noqa: ARG002 - it is on one edge
        self._cut[node] = seconds

    def _on_state(self, record: Record) -> None:
        self._cut.pop(record.node, None)
        if record.to in self._outcomes:
            self._clocks.pop(record.node, None)
        else:
            self._clocks[record.node] = Clock(0.0, record.at)

    def _on_retry(self, record: Record) -> None:
        edge = self._edges[record.edge]
        runs = edge.limit is None or edge.limit_scope == "edge"
        self._clocks[record.node] = Clock(record.used, record.at, runs, record.delay)

    def _on_resumed(self, record: Record) -> None:
        """A run that was cut off: of what it did since its last reading, no more than passed may count."""
        clock = self._clocks.get(record.node)
        if record.to in self._outcomes:
            self._clocks.pop(record.node, None)
            return
        most = clock.bounds(record.at)[1] if clock is not None else inf
        if record.used > most + MOMENT and not self.is_past(record):
            raise self.broken(f"more than {most:g} s cannot have passed", record)
        edge = self._edges[record.edge]
        self._clocks[record.node] = Clock(record.used, record.at, runs=edge.limit is None)

    def _on_stopped(self, record: Record) -> None:
        clock = self._clocks.get(record.node)
        if clock is not None:
            used = clock.bounds(record.at)[1]
            self._clocks[record.node] = Clock(used, record.at, runs=False)

    def _read(self, record: Record) -> None:
        clock = self._clocks.get(record.node)
        if clock is None or self.is_past(record):
            return
        least, most = clock.bounds(record.at)
        if record.kind == "intent":  # a probe would have left a reading of its own
            most = least
        if not least - MOMENT <= record.used <= most + MOMENT:
            said = f"{least:g} s" if most == least else f"between {least:g} and {most:g} s"
            raise self.broken(f"the clock must show {said}, and shows {record.used:g} s", record)

    def _see_timeout(self, record: Record) -> None:
        """An action that was ended for its time has had it all."""
        seconds = self._cut.pop(record.node, inf)
        clock = self._clocks.get(record.node)
        if clock is None or record.lineage != ("timeout",) or self.is_past(record):
            return
        edge = self._edges[record.edge]
        allowed = min(edge.timeout or inf, (edge.deadline or inf) - clock.used)
        if seconds < allowed - MOMENT:
            raise self.broken(f"cut off after {seconds:g} s, and it had {allowed:g}", record)


class DeadlineKept(_Clocks):
    """By the clock of the records, from intent to end."""

    name: ClassVar[str] = "deadline-kept"
    claim: ClassVar[str] = "no attempt outlasts its timeout, and none begins or goes on after its deadline"
    reason: ClassVar[str] = "an operator plans a window by these numbers"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._intents: dict[str, Record] = {}

    def see(self, record: Record) -> None:
        if self.is_past(record):
            return
        if record.kind == "intent":
            edge = self._edges[record.edge]
            if edge.deadline is not None and record.used >= edge.deadline + MOMENT:
                raise self.broken(f"its deadline of {edge.deadline:g} s was over", record)
            self._intents[record.node] = record
        elif record.kind in ("done", "error"):
            intent = self._intents.pop(record.node, None)
            if intent is not None:
                self._see_end(intent, record, self._edges[record.edge])
        elif record.kind in ("stopped", "resumed"):
            self._intents.pop(record.node, None)

    def _see_end(self, intent: Record, record: Record, edge: EdgeSpec) -> None:
        elapsed = record.at - intent.at
        allowed = min(edge.timeout or inf, (edge.deadline or inf) - intent.used)
        if elapsed > allowed + MOMENT:
            raise self.broken(f"it lasted {elapsed:g} s and was allowed {allowed:g}", record)
