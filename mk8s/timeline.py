"""A run as a picture in time: what each node did from when to when, and what it waited for. Pure.

Made of a journal's records, and of the transcript where there is one. The same for a real run, a run that
goes on, and a simulated one; so plan, report, explanations and comparisons all read this.

Begin reading at `timeline_of`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeAlias, cast

from machines import EdgeSpec, MachineSpec, Record
from machines.critical import Leg, critical_path
from mk8s.tables import next_edge
from mk8s.transcript import NOTHING_DONE, StepDone, Transcript

__all__ = ["Lane", "Moment", "Stretch", "StretchKind", "Timeline", "timeline_of"]

StretchKind: TypeAlias = Literal[
    "attempt",  # an edge's action at work
    "back-off",  # the time that its retry clause wants between two attempts
    "signal",  # held back until a signal comes
    "queue",  # waiting for a place in a limiter: before an edge, or before its next attempt
    "undo",  # taking back what was done
]
Outcome: TypeAlias = Literal["done", "error", "stopped", "open"]
HAD_HAPPENED = "had already happened"
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
    outcome: Outcome = "done"  # open: not over at the last record
    waits_for: str = ""  # the signal or limiter
    lineage: tuple[str, ...] = ()  # of an error, most specific first
    words: str = ""  # an error's message; or that it had already happened
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
    words: str = ""  # why lost, which budget, or the wall clock of a resume
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
        own = [s for s in lane.stretches if s.edge == leg.edge and leg.began <= s.began < leg.ended]
        return [step for stretch in own for step in stretch.steps]

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
            yield Moment(record.kind, "", record.at, record.header.started if record.header else "")


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
        self._waiting: Record | None = None  # `retry`, or `resumed` in flight: no attempt goes on
        self._undoing: Record | None = None
        self._failure: Record | None = None
        self._blocked = ""
        self._blocked_at = 0.0

    def made(self, records: Sequence[Record], end: float) -> Lane:
        for record in records:
            self._take(record)
        self._leave_open(end)
        outcome, failure = self._outcome(), self._failure
        reason = self._blocked or (failure.message if failure and outcome == FAILURE else "")
        return Lane(
            self._name,
            self._role,
            tuple(self._with_steps()),
            self._state,
            outcome,
            {"open": None, "blocked": self._blocked_at}.get(outcome, self._since),
            reason,
            failure.remedy if failure and outcome == FAILURE else "",
            self._reached,
        )

    def _take(self, record: Record) -> None:
        take = self._takers.get(record.kind)
        if take is not None:
            take(self, record)

    def _moved(self, record: Record) -> None:
        self._end_wait(record.at)
        edge = self._edges.get(record.edge)
        if edge is not None and record.source in edge.sources:
            self._wait_before(edge, record.at)
        self._state, self._since = record.to, record.at
        self._reached.setdefault(record.to, record.at)

    def _began(self, record: Record) -> None:
        self._end_wait(record.at)
        self._attempt = record

    def _probed(self, record: Record) -> None:
        """It was done before, unseen: by an attempt whose end nobody heard of."""
        self._end_wait(record.at)
        if record.found:
            self._add("attempt", record.edge, record.at, record.at, attempt=record.attempt,
                      words=HAD_HAPPENED, evidence=record.evidence)  # fmt: skip

    def _will_retry(self, record: Record) -> None:
        self._waiting = record

    def _stopped(self, record: Record) -> None:
        self._end_wait(record.at)
        if self._attempt is not None:
            self._end_attempt(record)

    def _resumed(self, record: Record) -> None:
        """An attempt that goes on now was cut off without a word: its end is not known."""
        self._end_wait(record.at)
        if self._attempt is not None:
            self._add_attempt(self._attempt, record.at, "stopped", None)
            self._attempt = None
        self._blocked = ""
        self._waiting = record if "~" in record.to else None
        if record.to != self._state or not record.edge:
            self._state, self._since = record.to or self._state, record.at

    def _is_blocked(self, record: Record) -> None:
        self._blocked, self._blocked_at = record.reason, record.at
        self._wait_before(next_edge(self._spec, self._state, self._role), record.at)

    def _undoes(self, record: Record) -> None:
        self._undoing = record

    def _undone(self, record: Record) -> None:
        began = self._undoing.at if self._undoing else record.at
        self._undoing = None
        self._add("undo", record.edge, began, record.at, outcome="error" if record.lineage else "done",
                  lineage=record.lineage, words=record.message, remedy=record.remedy)  # fmt: skip

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

    def _end_wait(self, at: float, outcome: Outcome = "done") -> None:
        """Between two attempts: first what the retry clause wants, then a place in the limiter."""
        if self._waiting is None:
            return
        since, edge, self._waiting = self._waiting, self._edges.get(self._waiting.edge), None
        limit = edge.limit if edge and edge.limit_scope == "attempt" else None
        free = min(at, round(since.at + since.delay, 6)) if limit else at
        attempt, over = since.attempt + 1, free < at
        if free > since.at:
            self._add("back-off", since.edge, since.at, free, attempt=attempt,
                      outcome="done" if over else outcome)  # fmt: skip
        if over and limit:
            self._add("queue", since.edge, free, at, attempt=attempt, outcome=outcome, waits_for=limit)

    def _end_attempt(self, record: Record) -> None:
        self._end_wait(record.at)
        intent, self._attempt = self._attempt, None
        if record.kind == "error":
            self._failure = record
        self._add_attempt(intent or record, record.at, cast(Outcome, record.kind), record)

    def _add_attempt(self, intent: Record, ended: float, outcome: Outcome, record: Record | None) -> None:
        self._add(
            "attempt",
            intent.edge,
            intent.at,
            ended,
            attempt=intent.attempt,
            outcome=outcome,
            lineage=record.lineage if record else (),
            words=record.message if record else "",
            remedy=record.remedy if record else "",
            evidence=record.evidence if record else {},
        )

    def _with_steps(self) -> Iterator[Stretch]:
        """Each attempt with the steps that began in it; one that began as it ended is the next one's."""
        attempts = [stretch for stretch in self._stretches if stretch.kind == "attempt"]
        begins = [attempt.began for attempt in attempts]
        own: dict[int, list[StepDone]] = {}
        for step in self._steps:
            at = bisect_right(begins, step.at) - 1
            if at >= 0 and step.at <= attempts[at].ended:
                own.setdefault(id(attempts[at]), []).append(step)
        for stretch in self._stretches:
            steps = own.get(id(stretch))
            yield replace(stretch, steps=tuple(steps)) if steps else stretch

    def _leave_open(self, end: float) -> None:
        """What is not over at the last record."""
        if self._outcome() != "open":
            return
        if self._attempt is not None:
            self._add_attempt(self._attempt, end, "open", None)
        elif self._undoing is not None:
            self._add("undo", self._undoing.edge, self._undoing.at, end, outcome="open")
        elif self._waiting is not None:
            self._end_wait(end, "open")
        else:
            before = len(self._stretches)
            self._wait_before(next_edge(self._spec, self._state, self._role), end)
            self._stretches[before:] = [replace(each, outcome="open") for each in self._stretches[before:]]

    def _outcome(self) -> Literal["success", "failure", "blocked", "open"]:
        if self._blocked:
            return "blocked"
        state = self._spec.states.get(self._state)
        return state.outcome if state is not None and state.outcome else "open"

    def _add(self, kind: StretchKind, edge: str, began: float, ended: float, **more: Any) -> None:
        self._stretches.append(Stretch(self._name, kind, edge, began, ended, **more))

    _takers: ClassVar[Mapping[str, Callable[[_LaneMaker, Record], None]]] = {
        "state": _moved,
        "intent": _began,
        "probed": _probed,
        "done": _end_attempt,
        "error": _end_attempt,
        "retry": _will_retry,
        "stopped": _stopped,
        "resumed": _resumed,
        "blocked": _is_blocked,
        "undo": _undoes,
        "undone": _undone,
    }
