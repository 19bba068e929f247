"""A run as a picture in time: what each node did from when to when, and what it waited for. Pure.

Made of a journal's records, and of the transcript where there is one. The same for a real run, a run that
goes on, and a simulated one; so plan, report, explanations and comparisons all read this.

Begin reading at `timeline_of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from machines import EdgeSpec, MachineSpec, Record
from machines.critical import Leg, critical_path
from mk8s.transcript import NOTHING_DONE, StepDone, Transcript

__all__ = ["Lane", "Moment", "Stretch", "StretchKind", "Timeline", "timeline_of"]

StretchKind: TypeAlias = Literal[
    "attempt",  # an edge's action at work
    "back-off",  # between two attempts, its place in a limiter included
    "signal",  # held back until a signal comes
    "queue",  # waiting for a place in a limiter
]
SUCCESS, FAILURE = "success", "failure"


@dataclass(frozen=True, slots=True)
class Stretch:
    """One thing a node did, or one thing it waited for, in seconds of the run."""

    node: str
    kind: StretchKind
    edge: str  # that is at work, or that is waited to begin
    began: float
    ended: float
    attempt: int = 0
    outcome: Literal["done", "error", "stopped", "open"] = "done"  # open: not over at the last record
    waits_for: str = ""  # the signal or limiter
    words: str = ""  # an error's message
    remedy: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)  # of an attempt that is done
    steps: tuple[StepDone, ...] = ()  # of an attempt, in order of time

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Lane:
    """All of one node, in order of time."""

    node: str
    role: str
    stretches: tuple[Stretch, ...]
    state: str  # at the last record
    outcome: Literal["success", "failure", "blocked", "open"]
    ended: float | None  # when it reached that outcome; None: it has not
    reason: str = ""  # why it failed or is blocked
    remedy: str = ""
    reached: Mapping[str, float] = field(default_factory=dict)  # state -> second of its first arrival


@dataclass(frozen=True, slots=True)
class Moment:
    """Something about the whole run."""

    kind: Literal["signal", "lost", "budget", "stopped", "resumed"]
    name: str  # of the signal; empty for others
    at: float
    words: str = ""
    members: tuple[str, ...] = ()  # nodes that brought the signal


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole run. Lanes in the order of the plan."""

    lanes: tuple[Lane, ...]
    moments: tuple[Moment, ...]
    ended: float  # second of the last record
    finished: bool  # everyone has ended
    spec: MachineSpec
    records: Sequence[Record]

    @property
    def ha_at(self) -> float | None:
        """When the last of all servers was healthy; None: not yet, or there is none."""
        return self._last_of([lane for lane in self.lanes if lane.role != "agent"])

    @property
    def all_at(self) -> float | None:
        """When the last of all nodes was healthy; None: not all are."""
        return self._last_of(self.lanes)

    def critical_path(self, end: Record | None = None) -> list[Leg]:
        """What the run's length consists of; see machines.critical."""
        return critical_path(self.records, self.spec, end)

    def steps_in(self, leg: Leg) -> list[StepDone]:
        """The steps of a leg of the critical path, in order of time."""
        lane = next(lane for lane in self.lanes if lane.node == leg.node)
        return [step for stretch in lane.stretches if stretch.edge == leg.edge for step in stretch.steps]

    def _last_of(self, lanes: Sequence[Lane]) -> float | None:
        ends = [lane.ended for lane in lanes if lane.outcome == SUCCESS and lane.ended is not None]
        return max(ends) if lanes and len(ends) == len(lanes) else None


def timeline_of(
    records: Sequence[Record], spec: MachineSpec, transcript: Transcript = NOTHING_DONE
) -> Timeline:
    """Raises ValueError where there are no records."""
    if not records:
        raise ValueError("a journal without records tells of no run")
    members: dict[str, str] = {}
    own: dict[str, list[Record]] = {}
    for record in records:
        members |= dict(record.header.members) if record.header else {}
        if record.node:
            own.setdefault(record.node, []).append(record)
    moments = tuple(_moments(records))
    steps = _by_node(transcript.steps)
    end = records[-1].at
    lanes = tuple(
        _LaneMaker(name, role, spec, moments, steps.get(name, [])).made(own.get(name, []), end)
        for name, role in members.items()
    )
    return Timeline(lanes, moments, end, records[-1].kind == "finished", spec, records)


def _moments(records: Sequence[Record]) -> Iterator[Moment]:
    for record in records:
        if record.kind in ("signal", "lost"):
            who = tuple(record.evidence.get("members", ()))
            yield Moment(record.kind, record.signal, record.at, record.reason, who)
        elif record.kind == "budget":
            yield Moment("budget", "", record.at, record.reason)
        elif record.kind in ("stopped", "resumed") and not record.node:
            yield Moment(record.kind, "", record.at)


def _by_node(steps: Sequence[StepDone]) -> dict[str, list[StepDone]]:
    found: dict[str, list[StepDone]] = {}
    for step in sorted(steps, key=lambda step: step.at):
        found.setdefault(step.node, []).append(step)
    return found


class _LaneMaker:
    """Reads one node's records, in order."""

    def __init__(
        self, name: str, role: str, spec: MachineSpec, moments: Sequence[Moment], steps: list[StepDone]
    ) -> None:
        self._name, self._role, self._spec, self._steps = name, role, spec, steps
        self._signals = {moment.name: moment.at for moment in moments if moment.kind == "signal"}
        self._edges = {edge.name: edge for edge in spec.edges}
        self._stretches: list[Stretch] = []
        self._state, self._since = spec.initial, 0.0
        self._reached = {spec.initial: 0.0}
        self._attempt: Record | None = None  # the intent of an attempt that goes on
        self._waiting: tuple[str, float, int] | None = None  # edge, since, attempt: between attempts
        self._failure: Record | None = None
        self._blocked = ""

    def made(self, records: Sequence[Record], end: float) -> Lane:
        for record in records:
            self._take(record)
        self._leave_open(end)
        outcome, failure = self._outcome(), self._failure
        reason = self._blocked or (failure.message if failure and outcome == FAILURE else "")
        return Lane(
            self._name,
            self._role,
            tuple(self._stretches),
            self._state,
            outcome,
            None if outcome == "open" else (records[-1].at if outcome == "blocked" else self._since),
            reason,
            failure.remedy if failure and outcome == FAILURE else "",
            self._reached,
        )

    def _take(self, record: Record) -> None:
        if record.kind == "state":
            self._moved(record)
        elif record.kind == "intent":
            self._end_wait(record.at)
            self._attempt = record
        elif record.kind in ("done", "error", "stopped"):
            self._end_attempt(record)
        elif record.kind == "resumed":
            self._resumed(record)
        elif record.kind == "blocked":
            self._blocked = record.reason
            self._wait_before(self._next_edge(), record.at)

    def _moved(self, record: Record) -> None:
        edge = self._edges.get(record.edge)
        if edge is not None and record.source in edge.sources:
            self._wait_before(edge, record.at)
        self._end_wait(record.at)
        self._state, self._since = record.to, record.at
        self._reached.setdefault(record.to, record.at)

    def _resumed(self, record: Record) -> None:
        self._blocked = ""
        self._end_wait(record.at)
        if record.to:
            self._state, self._since = record.to, record.at

    def _wait_before(self, edge: EdgeSpec | None, until: float) -> None:
        """What held the node back before an edge that begins now: first its signal, then a place."""
        since = self._since
        if edge is None or until <= since:
            return
        came = self._signals.get(edge.signal or "", until if edge.signal else since)
        came = min(max(came, since), until)
        if came > since:
            self._add("signal", edge.name, since, came, waits_for=edge.signal or "")
        if until > came and edge.limit:
            self._add("queue", edge.name, came, until, waits_for=edge.limit)

    def _end_wait(self, at: float) -> None:
        if self._waiting is not None:
            edge, since, attempt = self._waiting
            self._waiting = None
            if at > since:
                self._add("back-off", edge, since, at, attempt=attempt)

    def _end_attempt(self, record: Record) -> None:
        intent, self._attempt = self._attempt, None
        outcome: Any = record.kind
        if record.kind == "error":
            self._failure = record
            self._waiting = (record.edge, record.at, record.attempt)
        if intent is not None:
            self._add_attempt(intent, record.at, outcome, record)

    def _add_attempt(self, intent: Record, ended: float, outcome: Any, record: Record | None) -> None:
        """The steps are those that began in it."""
        steps = tuple(s for s in self._steps if intent.at <= s.at <= ended)
        self._stretches.append(
            Stretch(
                self._name,
                "attempt",
                intent.edge,
                intent.at,
                ended,
                intent.attempt,
                outcome,
                words=record.message if record else "",
                remedy=record.remedy if record else "",
                evidence=record.evidence if record else {},
                steps=steps,
            )
        )

    def _leave_open(self, end: float) -> None:
        """What is not over at the last record."""
        if self._attempt is not None:
            self._add_attempt(self._attempt, end, "open", None)
        elif self._waiting is not None and self._outcome() == "open":
            edge, since, attempt = self._waiting
            self._add("back-off", edge, since, end, attempt=attempt, outcome="open")
        elif self._outcome() == "open":
            before = len(self._stretches)
            self._wait_before(self._next_edge(), end)
            self._stretches[before:] = [_open(stretch) for stretch in self._stretches[before:]]

    def _next_edge(self) -> EdgeSpec | None:
        """The edge that this role takes from here."""
        ahead = (e for e in self._spec.edges if self._state in e.sources)
        return next((e for e in ahead if not e.guard or f"is_{self._role}" in e.guard), None)

    def _outcome(self) -> Literal["success", "failure", "blocked", "open"]:
        if self._blocked:
            return "blocked"
        state = self._spec.states.get(self._state)
        return state.outcome if state is not None and state.outcome else "open"

    def _add(
        self,
        kind: StretchKind,
        edge: str,
        began: float,
        ended: float,
        *,
        attempt: int = 0,
        waits_for: str = "",
        outcome: Literal["done", "open"] = "done",
    ) -> None:
        self._stretches.append(
            Stretch(self._name, kind, edge, began, ended, attempt, outcome, waits_for=waits_for)
        )


def _open(stretch: Stretch) -> Stretch:
    return replace(stretch, outcome="open")
