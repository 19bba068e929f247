"""What a picture of a machine shows: boxes and arrows, read from the rows of the compiled table.

In-flight states are boxes with the name of their edge, retry clauses are a loop on them, catch clauses
lead away. Left out is one arrow each in-flight state has, back to its source when the run is interrupted.

Pure. It knows no format. Begin reading at `picture_of`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from machines.errors import ANY
from machines.spec import Catch, EdgeSpec, MachineSpec, Retry
from machines.table import Row, Table

__all__ = [
    "Arrow", "Box", "Kind", "Link", "Picture", "Taken", "Way", "again_in_words", "bounds_in_words",
    "catch_in_words", "opening_in_words", "picture_of",
]  # fmt: skip

Kind: TypeAlias = Literal["plain", "flight", "success", "failure"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


class Way(NamedTuple):
    """One row of the table, as pictures and counts call it. `clause`: the index of a retry or a catch."""

    state: str  # that it leaves
    edge: str
    kind: Literal["begin", "ok", "retry", "catch"]
    clause: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run did: how many members are in each state, and how often each way was taken."""

    states: Mapping[str, int] = field(default_factory=dict)
    ways: Mapping[Way, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrow:
    source: str
    target: str
    lines: tuple[str, ...]
    kind: Literal["begin", "ok", "retry", "catch"]
    times: int | None = None  # how often it was taken; None: nobody counted


@dataclass(frozen=True, slots=True)
class Box:
    id: str  # every language has words and characters of its own: states are numbered
    lines: tuple[str, ...]
    kind: Kind
    name: str = ""  # of the state, or of the edge that is in flight
    title: str = ""
    count: int | None = None
    bounds: str = ""  # of time


class Link(NamedTuple):
    """An arrow as a language without places writes it: from box to box, with all its words."""

    source: str  # the id of the box where it begins
    target: str
    words: tuple[str, ...]
    arrow: Arrow


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in document order, each in-flight state behind its source."""

    name: str
    start: str
    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]
    ends: tuple[str, ...]  # states that are outcomes

    def links(self) -> Iterator[Link]:
        """The arrows, with how often they were taken as their last words; each retry says its own."""
        for arrow in self.arrows:
            taken = (f"taken {arrow.times}x",) if arrow.times and arrow.kind != "retry" else ()
            ends = self.boxes[arrow.source].id, self.boxes[arrow.target].id
            yield Link(*ends, (*arrow.lines, *taken), arrow)


def picture_of(table: Table, counts: Mapping[str, int] | None = None, taken: Taken | None = None) -> Picture:
    """What there is to draw. `counts`: members in each state; `taken`: what a whole run did."""
    boxes = _boxes(table, counts if counts is not None else taken.states if taken else {})
    return Picture(
        table.spec.machine,
        table.spec.initial,
        boxes,
        tuple(_arrows(table, taken)),
        tuple(state for state in boxes if table.outcome(state)),
    )


def _boxes(table: Table, counts: Mapping[str, int]) -> dict[str, Box]:
    """States in document order, each in-flight state behind its source."""
    order = list(table.spec.states)
    flights = [state for state in table.states if table.in_flight(state)]
    edges = list(table.edges)

    def rank(state: str) -> tuple[int, int]:
        source, edge = table.in_flight(state) or (state, None)
        return order.index(source), -1 if edge is None else edges.index(edge)

    states = sorted([*order, *flights], key=rank)
    return {state: _box(table, f"s{number}", state, counts.get(state)) for number, state in enumerate(states)}


def _box(table: Table, box_id: str, state: str, count: int | None) -> Box:
    flight = table.in_flight(state)
    name = state if flight is None else flight[1]
    lines = [name if count is None else f"{name} ({count})"]
    if flight is None:
        title = table.spec.states[state].title
        return Box(box_id, tuple(lines), table.outcome(state) or "plain", name, title, count)
    edge = table.edges[flight[1]]
    bounds = bounds_in_words(edge)
    return Box(box_id, tuple(filter(None, [*lines, bounds])), "flight", name, edge.title, count, bounds)


def _arrows(table: Table, taken: Taken | None) -> Iterator[Arrow]:
    def times(way: Way) -> int | None:
        return None if taken is None else taken.ways.get(way, 0)

    for row in table.rows:
        if row.kind == "begin":
            way, lines = Way(row.source, row.edge.name, "begin"), opening_in_words(table.spec, row.edge)
        elif row.kind == "ok":
            way, lines = Way(row.source, row.edge.name, "ok"), ()
        elif isinstance(row.clause, Catch):
            way = Way(row.source, row.edge.name, "catch", _place(row.edge.catch, row.clause))
            lines = catch_in_words(row.clause)
        else:
            continue
        yield Arrow(row.source, row.dest or row.source, lines, way.kind, times(way))
    yield from _loops(table, taken)


def _loops(table: Table, taken: Taken | None) -> Iterator[Arrow]:
    """One loop for all retry clauses of an in-flight state: loops side by side cannot be read."""
    rows: dict[str, list[Row]] = {}
    for row in table.rows:
        if isinstance(row.clause, Retry):
            rows.setdefault(row.source, []).append(row)
    for state, own in rows.items():
        lines, times = [], 0
        for row in own:
            assert isinstance(row.clause, Retry)
            way = Way(state, row.edge.name, "retry", _place(row.edge.retry, row.clause))
            again = taken.ways.get(way, 0) if taken else 0
            lines.append(again_in_words(row.clause) + (f" ({again}x)" if again else ""))
            times += again
        yield Arrow(state, state, tuple(lines), "retry", times if taken else None)


def _place(clauses: list[Retry] | list[Catch], clause: Retry | Catch) -> int:
    """The clause's own index: by identity, for equal ones may stand twice."""
    return next(index for index, each in enumerate(clauses) if each is clause)


def opening_in_words(spec: MachineSpec, edge: EdgeSpec) -> tuple[str, ...]:
    """What must be given before the edge is entered. Without action, the arrow bears its name."""
    lines = [] if edge.do else [edge.name]
    if edge.signal is not None:
        lines.append(f"on {edge.signal}")
    if edge.guard:
        lines.append("if " + " and ".join(re.sub("^!", "not ", guard) for guard in edge.guard))
    if edge.limit is not None:
        capacity = spec.limits.get(edge.limit)
        lines.append(f"limit {edge.limit}" + (f" {capacity}" if capacity is not None else ""))
    return tuple(lines)


def again_in_words(clause: Retry) -> str:
    """What a retry clause repeats, how often, after how long."""
    tries = f"{clause.attempts} tries" if clause.attempts is not None else "until the deadline"
    anew = ", anew after progress" if clause.renew == "progress" else ""
    return f"again on {_classes(clause.match)}: {tries}{anew}, after {_time(clause.delay)}"


def catch_in_words(clause: Catch) -> tuple[str, ...]:
    """What a catch clause takes, and whether it takes back first."""
    return (f"on {_classes(clause.match)}", *(["roll back"] if clause.rollback else []))


def _classes(match: list[str]) -> str:
    return "any failure" if ANY in match else ", ".join(match)


def bounds_in_words(edge: EdgeSpec) -> str:
    """How long one attempt and all of them may take; empty where nothing bounds them."""
    times = [(edge.timeout, "a try"), (edge.deadline, "in all")]
    return ", ".join(f"{_time(seconds)} {words}" for seconds, words in times if seconds is not None)


def _time(seconds: float) -> str:
    """``5400`` as 90m, ``0.5`` as 500ms: the largest unit that says it without a fraction."""
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds * 1000:g}ms" if seconds else "0s"
