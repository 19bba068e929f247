"""Times as people read them on a page, and the scale of an axis. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mk8s.amounts import duration

__all__ = ["Scale", "Tick", "spread"]

STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800),
)  # seconds
MOST_TICKS = 10


@dataclass(frozen=True, slots=True)
class Tick:
    share: float  # of the width
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """From second 0 to the end of the run."""

    end: float

    def share(self, second: float) -> float:
        """Where on the width a second is, 0 to 1."""
        return min(max(second / self.end, 0.0), 1.0) if self.end > 0 else 0.0

    @property
    def ticks(self) -> list[Tick]:
        """At most eleven, at round times."""
        step = next((step for step in STEPS if self.end / step <= MOST_TICKS), STEPS[-1])
        count = int(self.end / step) if self.end > 0 else 0
        return [Tick(self.share(i * step), _label(i * step, step)) for i in range(count + 1)]


def spread(places: list[tuple[float, float]]) -> list[int]:
    """On which line each label stands, so that none covers another. `places`: begin and width, in shares."""
    ends: list[float] = []
    lines: list[int] = []
    for begin, width in places:
        line = next((i for i, end in enumerate(ends) if end <= begin), len(ends))
        ends[line:] = [begin + width, *ends[line + 1 :]]
        lines.append(line)
    return lines


def _label(second: float, step: float) -> str:
    if not second:
        return "0"
    if step < 1:
        return f"{second:.1f} s"
    return duration(second)
