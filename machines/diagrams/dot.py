"""A machine in graphviz' language."""

from __future__ import annotations

from collections.abc import Mapping

from machines.diagrams.picture import Taken, picture_of
from machines.table import Table

__all__ = ["dot"]

_STYLES = {
    "plain": 'style="rounded,filled", fillcolor="#ffffff"',
    "flight": 'style="rounded,filled,dashed", fillcolor="#eef3fb", color="#7a8ba8"',
    "success": 'style="rounded,filled", fillcolor="#e3f4e3", color="#2e7d32", peripheries=2',
    "failure": 'style="rounded,filled", fillcolor="#fbe6e6", color="#b3261e", peripheries=2',
}
_ARROWS = {
    "begin": "",
    "ok": ", weight=4",
    "retry": ', style=dashed, color="#7a8ba8"',
    "catch": ', color="#b3261e"',
}


def dot(table: Table, counts: Mapping[str, int] | None = None, taken: Taken | None = None) -> str:
    """The table. `counts` says how many members are in each state, `taken` what a whole run did."""
    picture = picture_of(table, counts, taken)
    boxes = picture.boxes
    lines = [
        f"digraph {_text((picture.name,))} {{",
        '  graph [rankdir=TB, fontname="sans-serif"];',
        '  node [shape=box, fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
        "  start [shape=point, width=0.15];",
        f"  start -> {boxes[picture.start].id};",
    ]
    for box in boxes.values():
        lines.append(f"  {box.id} [label={_text(box.lines)}, {_STYLES[box.kind]}];")
    for source, target, words, arrow in picture.links():
        width = ", penwidth=2" if arrow.times else ""
        lines.append(f"  {source} -> {target} [label={_text(words)}{_ARROWS[arrow.kind]}{width}];")
    return "\n".join([*lines, "}"]) + "\n"


def _text(lines: tuple[str, ...]) -> str:
    escaped = [" ".join(line.split()).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
