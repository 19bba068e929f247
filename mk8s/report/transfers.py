"""What went over the links: bytes by node and over time, from here and from other nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mk8s.amounts import bytes_in_words, length
from mk8s.evidence import work_of
from mk8s.report.gantt import lane_state
from mk8s.report.markup import Html, el, fragment
from mk8s.report.plots import curves
from mk8s.report.tables import Column, bar, facts, folded, table
from mk8s.timeline import Lane, Timeline
from mk8s.transcript import Transcript

__all__ = ["Moved", "moved_by", "nodes_table", "rates", "transfers"]

SENDING = ("file.append", "file.put")
BUCKETS = 240  # of the run's length
FEW = 40  # nodes: more, and their table is folded


@dataclass(frozen=True, slots=True)
class Moved:
    """What came to one node."""

    from_here: int  # bytes
    from_nodes: int  # bytes
    seconds: float  # of its uploads, what they waited for included; 0: not known

    @property
    def total(self) -> int:
        return self.from_here + self.from_nodes

    @property
    def rate(self) -> str:
        return f"{bytes_in_words(self.total / self.seconds)}/s" if self.seconds > 0 and self.total else "–"


def moved_by(lane: Lane) -> Moved:
    """As its steps say; where no transcript was kept, as the evidence of what was done says."""
    attempts = [stretch for stretch in lane.stretches if stretch.kind == "attempt"]
    works = [work_of(attempt.evidence) for attempt in attempts]
    here, nodes = sum(work.uploaded for work in works), sum(work.handed_on for work in works)
    uploads = [step for attempt in attempts for step in attempt.steps if step.kind == "upload" and step.size]
    return Moved(here, nodes, sum(step.seconds for step in uploads))


def transfers(timeline: Timeline, transcript: Transcript) -> Html:
    """Sums, the rate over time, and a row a node."""
    moved = [moved_by(lane) for lane in timeline.lanes]
    here, nodes = sum(one.from_here for one in moved), sum(one.from_nodes for one in moved)
    cards = [("From here", bytes_in_words(here)), ("From node to node", bytes_in_words(nodes))]
    sent = [(c.at, c.seconds, c.size) for c in transcript.commands if c.operation in SENDING]
    arrived = [(s.at, s.seconds, s.size) for s in transcript.steps if s.kind in ("upload", "write-file")]
    lines = {"sent from here": rates(sent, timeline.ended)}
    if nodes:
        lines["arrived at all nodes"] = rates(arrived, timeline.ended)
    top = max((rate for _, rate in lines["sent from here"]), default=0.0)
    cards.append(("Most at a time, from here", f"{bytes_in_words(top)}/s"))
    plot = fragment(el("h3", "Bytes a second"), curves(lines, timeline.ended)) if sent else None
    return fragment(facts(cards if sent else cards[:2]), plot, nodes_table(timeline))


def rates(parts: Iterable[tuple[float, float, int]], end: float) -> list[tuple[float, float]]:
    """(second, bytes per second) at equal distances; each part (began, seconds, bytes) spread evenly."""
    if end <= 0:
        return []
    width = end / BUCKETS
    sums = [0.0] * BUCKETS
    for began, seconds, size in parts:
        _spread(sums, width, began, max(seconds, 1e-6), size)
    return [(i * width, total / width) for i, total in enumerate(sums)]


def _spread(sums: list[float], width: float, began: float, seconds: float, size: int) -> None:
    first, ended = min(int(began / width), BUCKETS - 1), began + seconds
    for i in range(first, BUCKETS):
        low, high = max(began, i * width), min(ended, (i + 1) * width)
        if high > low:
            sums[i] += size * (high - low) / seconds
        if (i + 1) * width >= ended:
            return


def nodes_table(timeline: Timeline) -> Html:
    """Each node: how it ended, what it worked and waited, what came to it and how fast."""
    most = max((moved_by(lane).total for lane in timeline.lanes), default=0)
    columns = [
        Column("Node", node=True),
        Column("Role"),
        Column("State"),
        Column("After", numeric=True),
        Column("Worked", numeric=True),
        Column("Waited", numeric=True),
        Column("Errors", numeric=True),
        Column("From here", numeric=True),
        Column("From nodes", numeric=True),
        Column("Rate", numeric=True),
        Column(""),
    ]
    listed = table(columns, [_row(lane, most) for lane in timeline.lanes])
    return folded(f"All {len(timeline.lanes)} nodes", listed, is_open=len(timeline.lanes) <= FEW)


def _row(lane: Lane, most: int) -> tuple[str, ...]:
    moved = moved_by(lane)
    attempts = [stretch for stretch in lane.stretches if stretch.kind in ("attempt", "undo")]
    errors = sum(attempt.outcome == "error" for attempt in attempts)
    return (
        lane.node,
        lane.role,
        lane_state(lane),
        length(lane.ended) if lane.ended is not None else "–",
        length(sum(attempt.seconds for attempt in attempts)),
        length(sum(s.seconds for s in lane.stretches if s.kind not in ("attempt", "undo"))),
        str(errors) if errors else "",
        bytes_in_words(moved.from_here),
        bytes_in_words(moved.from_nodes) if moved.from_nodes else "",
        moved.rate,
        bar(moved.total / most if most else 0.0),
    )
