"""Where everything of a picture stands: one column of boxes, buses beside it, failures at the right. Pure.

The column holds the states in document order, each followed by the work that begins there. An arrow to
the very next box goes straight down. Arrows that begin at a state with several ways share a bus at the
left; arrows that come together at a state share one at the right; each failure outcome has a rail of its
own further right, and stands at its foot. Labels lie on the horizontal part at their arrow's beginning,
in a zone that no box and no bus enters, so none can cover another, however long they are.

It knows no format: `svg` writes what this places. Begin reading at `layout`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from machines.diagrams.drawing import BIG, LINE, PADDING, SMALL, Drawing, Label, Placed, Point, Route, Words
from machines.diagrams.measure import shortened, width_of, wrapped
from machines.diagrams.picture import Arrow, Picture

__all__ = ["layout"]

MARGIN, GAP, SLOT, TRACK = 24.0, 26.0, 20.0, 16.0  # pixels
NARROWEST = 130.0
MOST_IN_BOX, MOST_ON_ARROW, MOST_ASIDE = 54, 44, 20  # characters

Side: TypeAlias = Literal["left", "right"]


@dataclass(slots=True)
class _Bus:
    """Arrows that share a vertical part. `hub` is the box that all of them have in common."""

    side: Side
    hub: str
    arrows: list[Arrow]
    track: int = 0

    def ends(self) -> Iterator[str]:
        yield self.hub
        for arrow in self.arrows:
            yield arrow.target if self.hub == arrow.source else arrow.source


def layout(picture: Picture) -> Drawing:
    """Everything placed, in pixels from the upper left corner."""
    return _Layout(picture).drawn()


class _Layout:
    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        leaving = {arrow.source for arrow in picture.arrows}
        boxes = picture.boxes
        self._aside = [s for s, box in boxes.items() if box.kind == "failure" and s not in leaving]
        self._column = [state for state in boxes if state not in self._aside]
        arrows = [arrow for arrow in picture.arrows if arrow.kind != "retry"]
        self._to_aside = [arrow for arrow in arrows if arrow.target in self._aside]
        inner = [arrow for arrow in arrows if arrow.target not in self._aside]
        self._straight = [arrow for arrow in inner if self._is_straight(arrow, inner)]
        self._buses = list(self._grouped([arrow for arrow in inner if arrow not in self._straight]))
        self._slots = self._taken_slots()
        self._placed: dict[str, Placed] = {}
        self._out = Drawing()

    def drawn(self) -> Drawing:
        words = {state: tuple(self._words(state)) for state in self._column}
        center = self._left_zone() + max(_width(each) for each in words.values()) / 2
        bottom = self._place_column(words, center)
        self._draw_straight(center)
        self._draw_buses()
        rails = self._draw_aside(bottom)
        out = self._out
        out.boxes = [*self._placed.values()]
        lowest = max(placed.y + placed.height for placed in out.boxes)
        out.width = max(rails, *(placed.x + placed.width for placed in out.boxes)) + MARGIN
        out.height = lowest + MARGIN
        return out

    # -- what goes where ------------------------------------------------------------------------------

    def _is_straight(self, arrow: Arrow, inner: Sequence[Arrow]) -> bool:
        """To the very next box, and nothing else goes the same way."""
        column = self._column
        if column.index(arrow.target) != column.index(arrow.source) + 1:
            return False
        rivals = [a for a in inner if a.kind == arrow.kind]
        if arrow.kind == "begin":
            return sum(a.source == arrow.source for a in rivals) == 1
        return arrow.kind == "ok" and sum(a.target == arrow.target for a in rivals) == 1

    def _grouped(self, arrows: Sequence[Arrow]) -> Iterator[_Bus]:
        """Arrows with words keep a line of their own: nobody could tell whose words they are."""
        groups: dict[tuple[object, ...], _Bus] = {}
        for arrow in arrows:
            if arrow.kind == "begin":
                own = arrow if self._label_of(arrow) else ""
                groups.setdefault((arrow.source, own), _Bus("left", arrow.source, [])).arrows.append(arrow)
            else:
                key = (arrow.target, arrow.kind)
                groups.setdefault(key, _Bus("right", arrow.target, [])).arrows.append(arrow)
        yield from groups.values()

    def _taken_slots(self) -> dict[tuple[str, Side], list[object]]:
        """Who touches each side of each box, from top to bottom: arrivals, failures, then the rest."""
        slots: dict[tuple[str, Side], list[object]] = {}
        for bus in self._buses:
            slots.setdefault((bus.hub, bus.side), []).append(id(bus))
            for arrow in bus.arrows:
                if bus.side == "left":
                    slots.setdefault((arrow.target, "left"), []).append(id(arrow))
                elif arrow.kind == "catch":
                    slots.setdefault((arrow.source, "right"), []).append(id(arrow))
        for arrow in self._to_aside:
            slots.setdefault((arrow.source, "right"), []).append(id(arrow))
        for bus in self._buses:
            for arrow in bus.arrows if bus.side == "right" else ():
                if arrow.kind != "catch":
                    slots.setdefault((arrow.source, "right"), []).append(id(arrow))
        return slots

    def _words(self, state: str) -> Iterator[Words]:
        box = self._picture.boxes[state]
        most = MOST_ASIDE if state in self._aside else MOST_IN_BOX
        yield from (Words(line, "name") for line in wrapped(box.name, most))
        yield from (Words(line, "title") for line in wrapped(box.title, most))
        if box.kind != "flight":
            return
        for arrow in self._picture.arrows:
            if arrow.target == state and arrow.kind == "begin":
                yield from (Words(line, "when") for line in wrapped("; ".join(arrow.lines), most))
        yield from (Words(line, "bounds") for line in wrapped(box.bounds, most))
        for arrow in self._picture.arrows:
            if arrow.source == state and arrow.kind == "retry":
                for clause in arrow.lines:
                    yield from (Words(line, "again") for line in wrapped(f"↻ {clause}", most))
        yield from self._counted(state)

    def _counted(self, state: str) -> Iterator[Words]:
        """How often the work was begun and done, where somebody counted."""
        ways = [("begun", a) for a in self._picture.arrows if a.target == state and a.kind == "begin"]
        ways += [("done", a) for a in self._picture.arrows if a.source == state and a.kind == "ok"]
        told = ", ".join(f"{words} {a.times}x" for words, a in ways if a.times)
        if told:
            yield Words(told, "done")

    def _label_of(self, arrow: Arrow) -> str:
        """What stands on the arrow itself; what opens work stands in its box."""
        if arrow.kind == "begin" and self._picture.boxes[arrow.target].kind == "flight":
            return ""
        words = ", ".join(arrow.lines)
        return f"{words} · {arrow.times}x" if words and arrow.times else words

    # -- the column -----------------------------------------------------------------------------------

    def _left_zone(self) -> float:
        """Room at the left for labels and buses."""
        buses = [bus for bus in self._buses if bus.side == "left"]
        self._tracks("left")
        labels = [width_of(self._short(a), SMALL) + 12 for bus in buses for a in bus.arrows]
        tracks = max((bus.track + 1 for bus in buses), default=0)
        return MARGIN + tracks * TRACK + max(labels, default=0.0) + (8 if buses else 0)

    def _tracks(self, side: Side) -> None:
        """Buses side by side where they would overlap; short ones next to the column."""
        taken: list[list[tuple[int, int]]] = []
        for bus in sorted((b for b in self._buses if b.side == side), key=self._reach):
            rows = [self._column.index(state) for state in bus.ends()]
            span = (min(rows), max(rows))
            bus.track = next(
                (n for n, spans in enumerate(taken) if all(span[1] < s[0] or span[0] > s[1] for s in spans)),
                len(taken),
            )
            if bus.track == len(taken):
                taken.append([])
            taken[bus.track].append(span)

    def _reach(self, bus: _Bus) -> int:
        rows = [self._column.index(state) for state in bus.ends()]
        return max(rows) - min(rows)

    def _place_column(self, words: Mapping[str, tuple[Words, ...]], center: float) -> float:
        """One below the other, all on one axis. Returns where the last one ends."""
        y = MARGIN + 30
        self._out.start = (center, MARGIN + 4)
        below = {arrow.source: arrow for arrow in self._straight}
        for state in self._column:
            width, height = _width(words[state]), _height(words[state])
            slots = max(len(self._slots.get((state, side), ())) for side in ("left", "right"))
            height = max(height, slots * SLOT)
            box = self._picture.boxes[state]
            self._placed[state] = Placed(box, words[state], center - width / 2, y, width, height)
            label = self._label_of(below[state]) if state in below else ""
            y += height + GAP + (LINE if label else 0)
        return y - GAP

    def _draw_straight(self, center: float) -> None:
        for arrow in self._straight:
            source, target = self._placed[arrow.source], self._placed[arrow.target]
            top = source.y + source.height
            self._route([(center, top), (center, target.y)], arrow)
            if self._label_of(arrow):
                self._label(center + 8, (top + target.y) / 2 + 3, arrow)

    # -- beside the column ----------------------------------------------------------------------------

    def _draw_buses(self) -> None:
        self._tracks("right")
        for bus in self._buses:
            x = self._bus_x(bus)
            for arrow in bus.arrows:
                out = id(bus) if bus.side == "left" else id(arrow)
                into = id(arrow) if bus.side == "left" else id(bus)
                begin = self._touch(arrow.source, bus.side, out)
                end = self._touch(arrow.target, bus.side, into)
                self._route([begin, (x, begin[1]), (x, end[1]), end], arrow)
                self._label_beside(begin, bus.side, arrow)

    def _bus_x(self, bus: _Bus) -> float:
        if bus.side == "left":
            buses = max(b.track + 1 for b in self._buses if b.side == "left")
            return MARGIN + (buses - bus.track) * TRACK - TRACK / 2
        return self._rails_begin() + bus.track * TRACK

    def _rails_begin(self) -> float:
        """Right of every box and of every label at the right."""
        arrows = [*self._to_aside, *(a for bus in self._buses if bus.side == "right" for a in bus.arrows)]
        ends = [placed.x + placed.width for placed in self._placed.values() if placed.box.kind != "failure"]
        for arrow in arrows:
            placed = self._placed[arrow.source]
            ends.append(placed.x + placed.width + 8 + width_of(self._short(arrow), SMALL))
        for arrow in self._straight:
            center = self._out.start[0]
            ends.append(center + 8 + width_of(self._short(arrow), SMALL))
        return max(ends) + TRACK

    def _touch(self, state: str, side: Side, who: object) -> Point:
        """The point on a box's side that this arrow has for itself."""
        placed, slots = self._placed[state], self._slots[(state, side)]
        y = placed.y + placed.height * (slots.index(who) + 0.5) / len(slots)
        return (placed.x if side == "left" else placed.x + placed.width, y)

    def _draw_aside(self, bottom: float) -> float:
        """The failure outcomes on one line, each under its rail. Returns where the last one ends."""
        tracks = [bus.track + 1 for bus in self._buses if bus.side == "right"]
        x = self._rails_begin() + max(tracks, default=0) * TRACK
        words = {state: tuple(self._words(state)) for state in self._aside}
        tallest = max((_height(each) for each in words.values()), default=0.0)
        arrivals = [self._touch(a.source, "right", id(a))[1] for a in self._to_aside]
        top = max([bottom - tallest, *(y + GAP for y in arrivals)])
        for state in self._aside:
            width = _width(words[state])
            box = self._picture.boxes[state]
            self._placed[state] = Placed(box, words[state], x, top, width, _height(words[state]))
            self._draw_rail(state, x + width / 2, top)
            x += width + TRACK
        return x - TRACK

    def _draw_rail(self, state: str, x: float, top: float) -> None:
        arrows = [arrow for arrow in self._to_aside if arrow.target == state]
        first: dict[bool, float] = {}  # where the rail's part that was taken begins, and the other one
        for arrow in arrows:
            begin = self._touch(arrow.source, "right", id(arrow))
            is_taken = arrow.times != 0
            first.setdefault(is_taken, begin[1])
            self._out.routes.append(Route((begin, (x, begin[1])), "catch", is_taken, joins=True))
            self._label_beside(begin, "right", arrow)
        for is_taken, y in sorted(first.items()):
            self._out.routes.append(Route(((x, y), (x, top)), "catch", is_taken))

    def _label_beside(self, at: Point, side: Side, arrow: Arrow) -> None:
        if self._label_of(arrow):
            anchor: Literal["start", "end"] = "start" if side == "right" else "end"
            self._label(at[0] + (8 if side == "right" else -10), at[1] - 4, arrow, anchor)

    def _label(self, x: float, y: float, arrow: Arrow, anchor: Literal["start", "end"] = "start") -> None:
        whole = self._label_of(arrow)
        self._out.labels.append(Label(x, y, self._short(arrow), whole, arrow.kind, anchor))

    def _short(self, arrow: Arrow) -> str:
        return shortened(self._label_of(arrow), MOST_ON_ARROW)

    def _route(self, points: Iterable[Point], arrow: Arrow) -> None:
        self._out.routes.append(Route(tuple(points), arrow.kind, arrow.times != 0))


def _width(words: Sequence[Words]) -> float:
    widths = [width_of(line.text, BIG * 1.08 if line.style == "name" else SMALL) for line in words]
    return max([NARROWEST, *(width + 2 * PADDING for width in widths)])


def _height(words: Sequence[Words]) -> float:
    return 2 * PADDING - 8 + sum(BIG + 4 if line.style == "name" else LINE for line in words)
