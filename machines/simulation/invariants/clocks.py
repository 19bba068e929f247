"""Laws of time: what a node's clock counts, and what happens when it has run out.

The clock of an edge counts its attempts and the waits between them. It stands still while the node
queues for a place. Where the queue ends is known exactly: at the next record, or at the moment at which
the probe is asked (`probe`), which no record names.

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
    runs: bool = True  # without a break; False: it stands still for a queue
    counts: float = 0.0  # seconds that count in any case: those of a back-off
    acts: bool = False  # since an intent: what is known to have passed even if the run is cut off
    unsure: float = 0.0  # seconds of a run that was stopped which may count as well

    def shows(self, now: float) -> float:
        """What it shows at second `now`."""
        return self.most(now) if self.runs else self.kept(now)

    def kept(self, now: float) -> float:
        """The least that the next run may begin with, if this one is cut off at second `now`."""
        elapsed = now - self.at
        return self.used + (elapsed if self.acts else min(self.counts, elapsed))

    def most(self, now: float) -> float:
        """The most."""
        return self.used + now - self.at + self.unsure


class _Clocks(Invariant):
    """The edges by name, for both laws; and that the past is believed.

    A run that began elsewhere may have run by a real clock, which reads a moment later for each question.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges


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
            self._clocks[node] = Clock(record.used, record.at, acts=kind == "intent")
        elif kind == "done":
            self._on_done(record)
        elif kind == "retry":
            self._on_retry(record)
        elif kind == "resumed":
            self._on_resumed(record)
        elif kind == "stopped":
            self._on_stopped(record)

    def probe(self, node: str, edge: str, at: float) -> None:  # noqa: ARG002 - it is on one edge
        """From here on the clock runs."""
        clock = self._clocks.get(node)
        if clock is not None:
            self._clocks[node] = Clock(clock.shows(at), at)

    def cut_off(self, node: str, edge: str, seconds: float) -> None:  # noqa: ARG002 - it is on one edge
        self._cut[node] = seconds

    def _on_state(self, record: Record) -> None:
        self._cut.pop(record.node, None)
        if record.to in self._outcomes:
            self._clocks.pop(record.node, None)
        else:
            self._clocks[record.node] = Clock(0.0, record.at)

    def _on_done(self, record: Record) -> None:
        """Of a run that is cut off now, the time of this attempt is not asked for any more."""
        clock = self._clocks.get(record.node)
        if clock is not None:
            clock.acts = False

    def _on_retry(self, record: Record) -> None:
        self._read(record)
        edge = self._edges[record.edge]
        runs = edge.limit is None or edge.limit_scope == "edge"
        self._clocks[record.node] = Clock(record.used, record.at, runs, record.delay)

    def _on_resumed(self, record: Record) -> None:
        """A run that was cut off: what is known to have passed counts, and no more than passed may."""
        clock = self._clocks.get(record.node)
        if record.to in self._outcomes:
            self._clocks.pop(record.node, None)
            return
        if clock is not None and not self.is_past(record):
            self._see_kept(clock, record)
        edge = self._edges[record.edge]
        self._clocks[record.node] = Clock(record.used, record.at, runs=edge.limit is None)

    def _on_stopped(self, record: Record) -> None:
        clock = self._clocks.get(record.node)
        if clock is not None:
            kept, most = clock.kept(record.at), clock.most(record.at)
            self._clocks[record.node] = Clock(kept, record.at, runs=False, unsure=most - kept)

    def _see_kept(self, clock: Clock, record: Record) -> None:
        kept, most = clock.kept(record.at), clock.most(record.at)
        if record.used > most + MOMENT:
            raise self.broken(f"more than {most:g} s cannot have passed", record)
        if record.used < kept - MOMENT:
            raise self.broken(f"{kept:g} s had passed before, and the run goes on with less", record)

    def _read(self, record: Record) -> None:
        clock = self._clocks.get(record.node)
        if clock is None or self.is_past(record):
            return
        shown = clock.shows(record.at)
        if abs(record.used - shown) > MOMENT:
            raise self.broken(f"the clock must show {shown:g} s, and shows {record.used:g} s", record)

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
    """By the clock of the records, from intent to end; a probe has the time of an attempt as well."""

    name: ClassVar[str] = "deadline-kept"
    claim: ClassVar[str] = "no attempt outlasts its timeout, and none begins or goes on after its deadline"
    reason: ClassVar[str] = "an operator plans a window by these numbers"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._intents: dict[str, Record] = {}
        self._asked: dict[str, float] = {}  # node -> when it began to ask its probe

    def probe(self, node: str, edge: str, at: float) -> None:  # noqa: ARG002 - the answer's record has it
        self._asked[node] = at

    def see(self, record: Record) -> None:
        if self.is_past(record):
            return
        if record.header is not None:
            self._asked.clear()
        elif record.kind in ("probed", "error", "stopped"):
            self._see_answer(record)
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

    def _see_answer(self, record: Record) -> None:
        asked = self._asked.pop(record.node, None)
        allowed = self._edges[record.edge].timeout if record.edge else None
        if asked is not None and allowed is not None and record.at - asked > allowed + MOMENT:
            took = record.at - asked
            raise self.broken(f"its probe took {took:g} s and was allowed {allowed:g}", record)

    def _see_end(self, intent: Record, record: Record, edge: EdgeSpec) -> None:
        elapsed = record.at - intent.at
        allowed = min(edge.timeout or inf, (edge.deadline or inf) - intent.used)
        if elapsed > allowed + MOMENT:
            raise self.broken(f"it lasted {elapsed:g} s and was allowed {allowed:g}", record)
