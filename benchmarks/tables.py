"""The one way in which figures are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Table", "count", "mebibytes", "percent", "ratio", "seconds"]

NOTHING = "–"


@dataclass(slots=True)
class Table:
    """A title, a row of names, rows of cells, and notes below. Prints as a Markdown table."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One more row."""
        self.rows.append(cells)

    def lines(self) -> Iterator[str]:
        """The table as text: the first column to the left, figures to the right."""
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        yield f"## {self.title}"
        yield ""
        yield _line(self.columns, widths)
        yield "|" + "|".join("-" * (width + 1) + (":" if n else "-") for n, width in enumerate(widths)) + "|"
        for row in self.rows:
            yield _line(row, widths)
        yield ""
        yield from self.notes
        if self.notes:
            yield ""


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = f" {cells[0]:<{widths[0]}} "
    others = (f" {cell:>{width}} " for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "|" + "|".join([first, *others]) + "|"


def seconds(value: float) -> str:
    """A duration for people: three digits that matter."""
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.{1 if value < 0.1 else 0}f} ms"
    return f"{value:.{2 if value < 10 else 1}f} s"


def count(value: float) -> str:
    """A large number, with thin groups."""
    return f"{value:,.0f}".replace(",", " ")


def ratio(value: float, base: float) -> str:
    """How many times the base a value is."""
    return f"{value / base:.2f}" if base else NOTHING


def percent(value: float) -> str:
    """A share."""
    return f"{100 * value:.1f} %"


def mebibytes(size: float) -> str:
    """Bytes as MiB."""
    return f"{size / (1 << 20):.0f} MiB"
