"""A machine as a mermaid `stateDiagram-v2`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from machines.diagrams.picture import Picture, Taken, picture_of
from machines.table import Table

__all__ = ["mermaid", "mermaid_text"]

_SPECIAL = re.compile(r"[^\w\s.,()!'*/+=~-]")
_STYLES = {
    "flight": "fill:#eef3fb,stroke:#7a8ba8,stroke-dasharray:4 3",
    "success": "fill:#e3f4e3,stroke:#2e7d32,stroke-width:2px",
    "failure": "fill:#fbe6e6,stroke:#b3261e,stroke-width:2px",
}


def mermaid(table: Table, counts: Mapping[str, int] | None = None, taken: Taken | None = None) -> str:
    """The table. `counts` says how many members are in each state, `taken` what a whole run did."""
    picture = picture_of(table, counts, taken)
    boxes = picture.boxes
    lines = ["stateDiagram-v2"]
    lines += [f'  state "{mermaid_text(box.lines)}" as {box.id}' for box in boxes.values()]
    lines.append(f"  [*] --> {boxes[picture.start].id}")
    for link in picture.links():
        label = f" : {mermaid_text(link.words)}" if link.words else ""
        lines.append(f"  {link.source} --> {link.target}{label}")
    lines += [f"  {boxes[state].id} --> [*]" for state in picture.ends]
    return "\n".join([*lines, *_styles(picture)]) + "\n"


def mermaid_text(lines: tuple[str, ...]) -> str:
    """Characters that mean something to mermaid are written as its entities, ``#58;`` for a colon."""
    escaped = [_SPECIAL.sub(lambda found: f"#{ord(found[0])};", " ".join(line.split())) for line in lines]
    return "<br/>".join(escaped)


def _styles(picture: Picture) -> list[str]:
    lines: list[str] = []
    for kind, style in _STYLES.items():
        styled = [box.id for box in picture.boxes.values() if box.kind == kind]
        lines += [f"  classDef {kind} {style}", f"  class {','.join(styled)} {kind}"] if styled else []
    return lines
