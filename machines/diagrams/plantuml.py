"""A machine as a plantuml state diagram."""

from __future__ import annotations

import re
from collections.abc import Mapping

from machines.diagrams.picture import Taken, picture_of
from machines.table import Table

__all__ = ["plantuml", "plantuml_text"]

_SPECIAL = re.compile(r"[^\w\s.,()'/+=-]|--|__|\.\.|//|''|==")  # creole's pairs would strike out, underline
_COLOURS = {
    "plain": "",
    "flight": " #eef3fb;line:7a8ba8;line.dashed",
    "success": " #e3f4e3;line:2e7d32",
    "failure": " #fbe6e6;line:b3261e",
}
_ARROWS = {"begin": "-->", "ok": "-->", "retry": "-[#7a8ba8,dashed]->", "catch": "-[#b3261e]->"}


def plantuml(table: Table, counts: Mapping[str, int] | None = None, taken: Taken | None = None) -> str:
    """The table. `counts` says how many members are in each state, `taken` what a whole run did."""
    picture = picture_of(table, counts, taken)
    boxes = picture.boxes
    lines = ["@startuml", "hide empty description"]
    lines += [f'state "{plantuml_text(box.lines)}" as {box.id}{_COLOURS[box.kind]}' for box in boxes.values()]
    lines.append(f"[*] --> {boxes[picture.start].id}")
    for link in picture.links():
        label = f" : {plantuml_text(link.words)}" if link.words else ""
        lines.append(f"{link.source} {_ARROWS[link.arrow.kind]} {link.target}{label}")
    lines += [f"{boxes[state].id} --> [*]" for state in picture.ends]
    return "\n".join([*lines, "@enduml"]) + "\n"


def plantuml_text(lines: tuple[str, ...]) -> str:
    r"""Characters that mean something to plantuml are written by their numbers; lines end with ``\n``."""
    return "\\n".join(_SPECIAL.sub(_numbers, " ".join(line.split())) for line in lines)


def _numbers(found: re.Match[str]) -> str:
    return "".join(f"<U+{ord(character):04X}>" for character in found[0])
