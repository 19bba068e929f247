"""Tables, facts, lists and what can be folded: the plain parts of a page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mk8s.report.markup import Html, el, fragment, percent

__all__ = ["Column", "bar", "facts", "folded", "note", "table"]

WIDEST_NAME = 24  # letters that are kept in one line


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    numeric: bool = False
    wide: bool = False  # takes the room that is left
    node: bool = False  # a node's name, not broken at its hyphens


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], caption: str = "") -> Html:
    """Cells are words, or markup. Wide tables scroll by themselves; a row is never cut by a page's end."""
    head = el("tr", *(el("th", c.title, scope="col", class_=_class(c)) for c in columns))
    body = [
        el("tr", *(el("td", cell, class_=_class(c, cell)) for c, cell in zip(columns, row, strict=True)))
        for row in rows
    ]
    said = el("caption", caption) if caption else None
    return el("div", el("table", said, el("thead", head), el("tbody", *body)), class_="scroll")


def _class(column: Column, cell: str = "") -> str | None:
    is_name = column.node and len(cell) <= WIDEST_NAME
    return " ".join(["num"] * column.numeric + ["wide"] * column.wide + ["node"] * is_name) or None


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """The few things to see first: what, and how much."""
    return el("dl", *(el("div", el("dt", what), el("dd", much)) for what, much in pairs), class_="facts")


def folded(title: str, *inner: str, is_open: bool = False) -> Html:
    """Something that can be opened; printed open."""
    return el("details", el("summary", title), *inner, open=is_open, class_="folded")


def note(text: str, tone: str = "") -> Html:
    """A paragraph that stands out. `tone`: good, bad, wait or nothing."""
    return el("p", text, class_=f"note {tone}".strip())


def bar(share: float, title: str = "", kind: str = "") -> Html:
    """A bar in a cell, from 0 to the whole width. The number stands beside it: it says nothing alone."""
    width = percent(min(max(share, 0.0), 1.0))
    inner = fragment(
        el("title", title) if title else None,
        el("rect", width="100%", height=8, class_="rail"),
        el("rect", width=width, height=8, class_=f"part {kind}".strip()),
    )
    return el("svg", inner, class_="bar", height=8, aria_hidden="true")
