"""All nodes as of a moment of a recorded run. Pure.

A frame is what the fold over the records up to then says; the reasons are those that `mk8s explain` would
have given at that moment. Begin reading at `frame_at`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from machines import History, Record, Table, fold
from machines.words import one_line
from mk8s.amounts import duration
from mk8s.cluster import Cluster
from mk8s.explaining.reasons import Reasons
from mk8s.explaining.scene import Going, Scene
from mk8s.screen.words import record_as_text
from mk8s.timeline import timeline_of

__all__ = [
    "Frame",
    "FrameRow",
    "counts_in_words",
    "frame_after",
    "frame_as_data",
    "frame_as_text",
    "frame_at",
]

JUST = 6  # records that had just happened


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One node at that moment."""

    node: str
    role: str
    state: str
    since: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A moment of a run. Seconds are those of the run."""

    at: float
    end: float  # of the whole record
    rows: tuple[FrameRow, ...]
    signals: Mapping[str, float]  # that had come, and when
    just: tuple[Record, ...]  # what had just happened, newest last


def frame_at(at: float, records: Sequence[Record], table: Table, cluster: Cluster) -> Frame:
    """The moment after everything that happened up to this second. Raises HistoryError, ValueError."""
    count = bisect_right(records, at, key=lambda record: record.at)
    return frame_after(max(count, 1), records, table, cluster, at)


def frame_after(
    count: int, records: Sequence[Record], table: Table, cluster: Cluster, at: float | None = None
) -> Frame:
    """The moment after so many records, at their last second or later. Raises HistoryError, ValueError."""
    seen = records[:count]
    history = fold(seen, table)
    if history is None:
        raise ValueError("a journal without records has no moment")
    now = history.at if at is None else at
    scene = Scene(cluster, history, timeline_of(seen, table.spec), "", going=Going("", now))
    reasons = Reasons(scene)
    rows = tuple(
        FrameRow(name, life.role, life.state, scene.since(name), reasons.of(name).words)
        for name, life in history.lives.items()
    )
    signals = {record.signal: record.at for record in seen if record.kind == "signal"}
    return Frame(now, records[-1].at, rows, signals, tuple(seen[-JUST:]))


def frame_as_text(frame: Frame, titles: Mapping[str, str]) -> str:
    """The table, with the signals above it and what had just happened below."""
    healthy = sum(row.state == "healthy" for row in frame.rows)
    came = ", ".join(f"{name} at {duration(at)}" for name, at in frame.signals.items()) or "none yet"
    head = f"at {duration(frame.at)} of {duration(frame.end)}: {healthy} of {len(frame.rows)} healthy"
    if frame.at > frame.end:
        head += "; the record ends before that"
    table = [("NODE", "ROLE", "STATE", "AFTER", "")]
    table += [
        (row.node, row.role, row.state.partition("~")[0], _since(row), one_line(row.words))
        for row in frame.rows
    ]
    return "\n".join(
        [
            head,
            f"signals that had come: {came}",
            *_columns(table),
            "just before:",
            *(record_as_text(record, titles) for record in frame.just),
        ]
    )


def _since(row: FrameRow) -> str:
    return duration(row.since) if row.since is not None else ""


def _columns(table: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        yield "  ".join([*cells, line[4]]).rstrip()


def frame_as_data(frame: Frame) -> dict[str, Any]:
    """As JSON values; see docs/explain.md."""
    return {
        "at": frame.at,
        "end": frame.end,
        "signals": dict(frame.signals),
        "nodes": [asdict(row) for row in frame.rows],
        "just": [record.seq for record in frame.just],
    }


def counts_in_words(history: History) -> str:
    """How many nodes are in each state, in the order of the machine."""
    counts = Counter(life.state.partition("~")[0] for life in history.lives.values())
    return ", ".join(f"{counts[state]} {state}" for state in history.table.spec.states if counts[state])
