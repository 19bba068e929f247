"""A machine as svg: drawn here, without any other program. One file that needs nothing else.

It may stand in a page beside others: its styles and marks have a prefix, its texts are escaped, and it
refers to nothing outside. On paper it is the same. Begin reading at `machine_svg`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from machines.diagrams.drawing import BIG, LINE, PADDING, SMALL, Drawing, Label, Placed, Route
from machines.diagrams.layout import layout
from machines.diagrams.measure import width_of
from machines.diagrams.picture import Taken, picture_of
from machines.table import Table
from machines.words import one_line

__all__ = ["machine_svg"]

STYLE = """\
.machine text{font-family:Arial,Helvetica,"Liberation Sans",sans-serif;font-size:11px;fill:#3c4654}
.machine .m-name{font-size:14px;font-weight:bold;fill:#1b2430}
.machine .m-title{fill:#5a6675}
.machine .m-when{fill:#1f5fa8}
.machine .m-again{fill:#7a6a2b}
.machine .m-done{fill:#1b2430;font-weight:bold}
.machine .m-box{fill:#ffffff;stroke:#5a6675;stroke-width:1.2}
.machine .m-flight{fill:#eef3fb;stroke:#7a8ba8;stroke-dasharray:4 3}
.machine .m-success{fill:#e3f4e3;stroke:#2e7d32;stroke-width:2}
.machine .m-failure{fill:#fbe6e6;stroke:#b3261e;stroke-width:2}
.machine .m-line{fill:none;stroke:#5a6675;stroke-width:1.4}
.machine .m-line.m-ok{stroke:#2e7d32}
.machine .m-line.m-catch{stroke:#b3261e;stroke-width:1.1}
.machine .m-untaken{opacity:.3}
.machine text.m-catch{fill:#9a2118}
.machine .m-count{fill:#1b2430}
.machine .m-count-text{fill:#ffffff;font-weight:bold;text-anchor:middle}
.machine .m-legend{fill:#5a6675;font-size:10px}
@media print{svg.machine{max-height:96vh}}"""
HEADS = {"begin": "#5a6675", "ok": "#2e7d32", "catch": "#b3261e"}
LEGEND = "solid: a state · dashed: at work · blue: what opens it · ↻ tried again · red: where failures lead"


def machine_svg(table: Table, counts: Mapping[str, int] | None = None, taken: Taken | None = None) -> str:
    """The table. `counts`: how many members are in each state, at its box's corner; `taken`: what a run did.

    In-flight states are counted by themselves, as `<source>~<edge>`. A count of nothing is left out.
    """
    drawing = layout(picture_of(table, counts, taken))
    legend = LEGEND + (" · number: members there now" if counts or taken else "")
    width = max(drawing.width, width_of(legend, 10) + 48)
    height = drawing.height + 18
    name = _text(f"machine {table.spec.machine}, version {table.spec.version}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="machine" role="img" aria-label="{name}" '
            f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
            'style="max-width:100%;height:auto;background:#ffffff">',
            f"<title>{name}</title>",
            f"<style>{STYLE}</style>",
            f"<defs>{''.join(_heads())}</defs>",
            *_body(drawing),
            f'<text class="m-legend" x="24" y="{height - 12:.0f}">{_text(legend)}</text>',
            "</svg>\n",
        ]
    )


def _heads() -> Iterator[str]:
    for kind, colour in HEADS.items():
        yield (
            f'<marker id="machine-head-{kind}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0.5 8 4 0 7.5z" fill="{colour}"/></marker>'
        )


def _body(drawing: Drawing) -> Iterator[str]:
    """Lines first, so that boxes lie on them; those that were taken above the others."""
    x, y = drawing.start
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#1b2430"/>'
    yield _route(Route(((x, y), (x, drawing.boxes[0].y)), "begin"))
    yield from map(_route, sorted(drawing.routes, key=lambda route: route.is_taken))
    yield from map(_label, drawing.labels)
    for placed in drawing.boxes:
        yield from _box(placed)


def _route(route: Route) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in route.points)
    faded = "" if route.is_taken else " m-untaken"
    head = "" if route.joins else f' marker-end="url(#machine-head-{route.kind})"'
    line = f'<polyline class="m-line m-{route.kind}{faded}" points="{path}"{head}/>'
    x, y = route.points[-1]
    dot = f'<circle class="{faded.strip()}" cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{HEADS[route.kind]}"/>'
    return line + dot if route.joins else line


def _label(label: Label) -> str:
    whole = f"<title>{_text(label.whole)}</title>" if label.whole != label.text else ""
    return (
        f'<text class="m-{label.kind}" x="{label.x:.1f}" y="{label.y:.1f}" '
        f'text-anchor="{label.anchor}">{whole}{_text(label.text)}</text>'
    )


def _box(placed: Placed) -> Iterator[str]:
    yield (
        f'<rect class="m-box m-{placed.box.kind}" x="{placed.x:.1f}" y="{placed.y:.1f}" '
        f'width="{placed.width:.1f}" height="{placed.height:.1f}" rx="7"/>'
    )
    x, y = placed.x + placed.width / 2, placed.y + _inset(placed)
    for line in placed.words:
        y += BIG + 4 if line.style == "name" else LINE
        yield (
            f'<text class="m-{line.style}" x="{x:.1f}" y="{y - 4:.1f}" text-anchor="middle">'
            f"{_text(line.text)}</text>"
        )
    yield from _count(placed)


def _inset(placed: Placed) -> float:
    """Above the first line: words stand in the middle of a box that is higher than they are."""
    words = sum(BIG + 4 if line.style == "name" else LINE for line in placed.words)
    return max(PADDING - 5, (placed.height - words) / 2 - 1)


def _count(placed: Placed) -> Iterator[str]:
    if not placed.box.count:
        return
    text = str(placed.box.count)
    width = max(20.0, width_of(text, SMALL) + 12)
    x, y = placed.x + placed.width - width / 2, placed.y - 9
    yield (
        f'<rect class="m-count" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="18" rx="9"/>'
        f'<text class="m-count-text" x="{x + width / 2:.1f}" y="{y + 13:.1f}">{text}</text>'
    )


def _text(words: str) -> str:
    """For text and for attributes; what XML has no place for is written as its escape."""
    return escape(one_line(words), {'"': "&quot;"})
