"""A picture with its places: what `layout` hands to `svg`. Pixels from the upper left corner. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from machines.diagrams.measure import width_of
from machines.diagrams.picture import Box

__all__ = ["BIG", "LINE", "PADDING", "SMALL", "Drawing", "Label", "Placed", "Point", "Route", "Words"]

BIG, SMALL = 14.0, 11.0  # font sizes
LINE = 15.0  # from line to line of small words
PADDING = 14.0  # of a box

Point: TypeAlias = tuple[float, float]


class Words(NamedTuple):
    """A line of text in a box. `style`: name, title, when, bounds, again, done."""

    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A box and where it stands."""

    box: Box
    words: tuple[Words, ...]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """A line with corners. `joins`: it ends at another line, with a dot, and not with a head."""

    points: tuple[Point, ...]
    kind: str  # begin, ok, catch
    is_taken: bool = True
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """Words on an arrow; `x` is where they begin, or end where `anchor` is end."""

    x: float
    y: float
    text: str
    whole: str  # before it was shortened
    kind: str
    anchor: Literal["start", "end"] = "start"

    @property
    def width(self) -> float:
        return width_of(self.text, SMALL)


@dataclass(slots=True)
class Drawing:
    width: float = 0.0
    height: float = 0.0
    boxes: list[Placed] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    start: Point = (0.0, 0.0)  # the dot above the first box
