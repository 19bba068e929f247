"""A predicted run beside the measured one: by how much they differ, where, and why. Pure.

The reasons are read off the path that made the longer of the two so long: each leg is laid beside the same
work of the same node in the other run. So they add up to about the whole difference, and what made no node
wait is not among them.

Begin reading at `compare`; `mk8s.forecast.comparison_words` has it as text and data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from machines.critical import Leg
from mk8s.amounts import bytes_in_words, counted, length
from mk8s.forecast.basis import Basis
from mk8s.timeline import Stretch, Timeline
from mk8s.transcript import StepDone

__all__ = ["CLOSE", "Comparison", "EdgeRow", "NodeRow", "Reason", "compare"]

SUCCESS, FAILURE = "success", "failure"
CLOSE = 0.15  # of the measured time: a prediction that is nearer is a good one
WORTH_TELLING = 0.1  # of the whole difference
TOLD = 4  # reasons of one kind
BUSY = 1.3  # times as long as predicted, by the middle of all short commands
FEW = 5  # steps, before anything is said of them all
SHORT = 2.0  # seconds: a step of one command


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """One edge by all nodes of a role. Seconds: the mean of their work on it, attempts and pauses."""

    role: str
    edge: str
    nodes: int  # that went there in either run
    predicted: float | None  # None: nobody did
    measured: float | None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """When a node ended, in seconds of the run. None: it did not."""

    node: str
    role: str
    predicted: float | None
    measured: float | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the whole took longer or shorter. `seconds`: its share of the difference, 0 where it has none."""

    words: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both runs beside each other."""

    predicted: float  # seconds of the whole
    measured: float
    edges: tuple[EdgeRow, ...]
    nodes: tuple[NodeRow, ...]
    reasons: tuple[Reason, ...]  # the largest share first; also of a prediction that is close
    basis: Basis = field(default_factory=Basis)  # what the prediction rests on

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.predicted if self.predicted else 1.0

    @property
    def close(self) -> bool:
        """Whether it is within 15 % of what was measured."""
        return abs(self.predicted - self.measured) <= CLOSE * self.measured


def compare(predicted: Timeline, measured: Timeline, basis: Basis | None = None) -> Comparison:
    """Of one manifest's run. With transcripts in both timelines the reasons name steps. `basis`: is told."""
    whole = _whole(predicted), _whole(measured)
    return Comparison(
        *whole,
        tuple(_edge_rows(predicted, measured)),
        tuple(_node_rows(predicted, measured)),
        tuple(_reasons(predicted, measured, whole[1] - whole[0])),
        basis or Basis(),
    )


def _whole(timeline: Timeline) -> float:
    """Until the last node was healthy, or where not all were, until the last record."""
    return timeline.ended if timeline.all_at is None else timeline.all_at


# Tables


def _edge_rows(predicted: Timeline, measured: Timeline) -> Iterator[EdgeRow]:
    sides = [_work(timeline) for timeline in (predicted, measured)]
    roles = {lane.node: lane.role for timeline in (predicted, measured) for lane in timeline.lanes}
    edges = [edge.name for edge in measured.spec.edges]
    for role in dict.fromkeys(roles.values()):
        for edge in edges:
            of_role = [
                [seconds for (node, its), seconds in side.items() if its == edge and roles[node] == role]
                for side in sides
            ]
            means = [fmean(found) if found else None for found in of_role]
            if any(of_role):
                yield EdgeRow(role, edge, max(map(len, of_role)), *means)


def _work(timeline: Timeline) -> dict[tuple[str, str], float]:
    """Seconds of each node's attempts at each edge, and of the pauses between them."""
    found: dict[tuple[str, str], float] = {}
    for stretch in _stretches(timeline):
        if stretch.kind in ("attempt", "back-off"):
            key = stretch.node, stretch.edge
            found[key] = found.get(key, 0.0) + stretch.seconds
    return found


def _stretches(timeline: Timeline) -> Iterator[Stretch]:
    for lane in timeline.lanes:
        yield from lane.stretches


def _node_rows(predicted: Timeline, measured: Timeline) -> Iterator[NodeRow]:
    foreseen = {lane.node: lane.ended for lane in predicted.lanes}
    for lane in measured.lanes:
        yield NodeRow(lane.node, lane.role, foreseen.get(lane.node), lane.ended)


# Reasons


def _reasons(predicted: Timeline, measured: Timeline, difference: float) -> Iterator[Reason]:
    yield from _who_did_not_end(measured)
    on_path = sorted(_on_the_path(predicted, measured, difference), key=lambda r: -abs(r.seconds))
    worth = [reason for reason in on_path if abs(reason.seconds) >= WORTH_TELLING * abs(difference)]
    yield from worth[:TOLD] or on_path[:1]
    yield from _interruptions(measured)
    yield from _how_busy(predicted, measured)


def _who_did_not_end(measured: Timeline) -> Iterator[Reason]:
    """In the order of time; those that only waited for them come last, and are counted."""
    missing = [lane for lane in measured.lanes if lane.outcome != SUCCESS]
    missing.sort(key=lambda lane: (lane.outcome != FAILURE, lane.ended or measured.ended))
    for lane in missing[:TOLD]:
        yield Reason(f"{lane.node} did not get healthy: {lane.reason or lane.state}")
    if len(missing) > TOLD:
        yield Reason(f"{len(missing) - TOLD} more nodes did not get healthy")


def _on_the_path(predicted: Timeline, measured: Timeline, difference: float) -> Iterator[Reason]:
    """Edges on the longer run's path that took longer in it than in the other run."""
    longer = measured if difference >= 0 else predicted
    roles = {lane.node: lane.role for lane in longer.lanes}
    groups: dict[tuple[str, str], list[Leg]] = {}
    for leg in longer.critical_path():
        groups.setdefault((roles[leg.node], leg.edge), []).append(leg)
    foreseen, seen = _work(predicted), _work(measured)
    for (role, edge), legs in groups.items():
        nodes = list(dict.fromkeys(leg.node for leg in legs))
        sides = [sum(side.get((node, edge), 0.0) for node in nodes) for side in (foreseen, seen)]
        apart = sides[1] - sides[0]
        if apart * difference > 0:
            yield Reason(_of_edge(predicted, measured, role, edge, nodes, sides), apart)


def _of_edge(
    predicted: Timeline, measured: Timeline, role: str, edge: str, nodes: list[str], sides: Sequence[float]
) -> str:
    who = nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes ({role}) one after the other"
    apart = f"{length(abs(sides[1] - sides[0]))} {'more' if sides[1] > sides[0] else 'less'}"
    words = f"{edge} of {who} took {length(sides[1])}, {apart} than the {length(sides[0])} predicted"
    details = [*_failed_attempts(measured, edge, nodes), *_worst_step(predicted, measured, edge, nodes)]
    return f"{words}: {'; '.join(details)}" if details else words


def _failed_attempts(measured: Timeline, edge: str, nodes: list[str]) -> Iterator[str]:
    own = [s for s in _stretches(measured) if s.edge == edge and s.node in nodes]
    lost = [s for s in own if s.kind == "back-off" or (s.kind == "attempt" and s.outcome != "done")]
    failed = [s for s in lost if s.kind == "attempt"]
    if failed:
        seconds = sum(stretch.seconds for stretch in lost)
        count = counted(len(failed), "attempt")
        why = next((f" ({s.words.splitlines()[0]})" for s in failed if s.words), "")
        yield f"{count} ended without success, {length(seconds)} with the pauses after{why}"


def _worst_step(predicted: Timeline, measured: Timeline, edge: str, nodes: list[str]) -> Iterator[str]:
    """The step whose seconds differ most, all of these nodes together."""
    foreseen, seen = (_by_title(timeline, edge, nodes) for timeline in (predicted, measured))
    apart = {
        title: sum(s.seconds for s in steps) - sum(s.seconds for s in foreseen[title])
        for title, steps in seen.items()
        if title in foreseen
    }
    if not apart:
        return
    title = max(apart, key=lambda name: abs(apart[name]))
    took, should = seen[title], foreseen[title]
    yield f"step '{title}' {_seconds(took)} instead of {_seconds(should)}{_rates(should, took)}"


def _seconds(steps: Sequence[StepDone]) -> str:
    return length(sum(step.seconds for step in steps))


def _rates(should: Sequence[StepDone], took: Sequence[StepDone]) -> str:
    """What an upload's two times mean as rates."""
    if took[0].kind != "upload" or not all(step.seconds for step in (*should, *took)):
        return ""
    first, second = (sum(s.size for s in steps) / sum(s.seconds for s in steps) for steps in (took, should))
    return f", {bytes_in_words(first)}/s instead of {bytes_in_words(second)}/s"


def _by_title(timeline: Timeline, edge: str, nodes: Iterable[str]) -> dict[str, list[StepDone]]:
    wanted = set(nodes)
    found: dict[str, list[StepDone]] = {}
    for stretch in _stretches(timeline):
        if stretch.edge == edge and stretch.node in wanted:
            for step in stretch.steps:
                found.setdefault(step.title, []).append(step)
    return found


def _interruptions(measured: Timeline) -> Iterator[Reason]:
    times = sum(moment.kind == "resumed" for moment in measured.moments)
    if times:
        count = "once" if times == 1 else f"{times} times"
        yield Reason(f"the run was interrupted and went on {count}: the time between is not predicted")


def _how_busy(predicted: Timeline, measured: Timeline) -> Iterator[Reason]:
    """Whether all short commands took longer, which no step explains."""
    foreseen, seen = _short_commands(predicted), _short_commands(measured)
    ratios = [seen[key] / foreseen[key] for key in seen.keys() & foreseen.keys() if foreseen[key] > 0]
    factor = median(ratios) if len(ratios) >= FEW else 1.0
    if factor >= BUSY:
        yield Reason(
            f"short commands took {factor:.1f} times as long as predicted (the middle of {len(ratios)}): "
            "this machine, the nodes or the way to them were busier"
        )


def _short_commands(timeline: Timeline) -> dict[tuple[str, str, str], float]:
    return {
        (stretch.node, stretch.edge, step.title): step.seconds
        for stretch in _stretches(timeline)
        for step in stretch.steps
        if step.kind in ("run", "write-file") and step.changed and step.seconds <= SHORT
    }
