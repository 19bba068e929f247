"""HTML and SVG out of Python, escaped by construction. Pure.

Law: a `str` is somebody's words and is escaped wherever it goes; only `Html` is taken as it is, and only
this module makes `Html` out of text. What a terminal would obey or a reader cannot see (control characters,
turned writing) is shown as its escape.

Attributes: `class_` is class, `aria_label` is aria-label, `viewBox` keeps its letters. None and False leave
one out, True writes its bare name. There are no style and no event attributes: the page's policy blocks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from machines.words import printable

__all__ = ["Html", "el", "fragment", "items", "percent", "words"]

VOID = {"br", "hr", "input", "meta", "wbr"}
EMPTY_IN_SVG = {"circle", "line", "path", "polyline", "rect", "use"}


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def words(text: object) -> Html:
    """Anybody's words, as text of a page."""
    return Html(escape(printable(str(text))))


def fragment(*children: str | None) -> Html:
    """Things one after the other."""
    return Html("".join(_child(child) for child in children if child is not None))


def el(tag: str, *children: str | None, **attributes: str | float | bool | None) -> Html:
    """One element. Raises ValueError for attributes that the page's policy would block."""
    head = tag + "".join(
        _attribute(name, value) for name, value in attributes.items() if value not in (None, False)
    )
    if tag in VOID:
        return Html(f"<{head}>")
    if tag in EMPTY_IN_SVG and not children:
        return Html(f"<{head}/>")
    return Html(f"<{head}>{fragment(*children)}</{tag}>")


def items(tag: str, parts: Iterable[str], **attributes: str | float | bool | None) -> Html:
    """A list: each part an item."""
    return el(tag, *(el("li", part) for part in parts), **attributes)


def percent(share: float) -> str:
    """A share of the width, as an SVG length: 0.125 is ``12.5%``."""
    return f"{100 * share:.3f}".rstrip("0").rstrip(".") + "%"


def _child(child: str) -> str:
    return child if isinstance(child, Html) else words(child)


def _attribute(name: str, value: str | float | bool | None) -> str:
    key = name.rstrip("_").replace("_", "-")
    if key == "style" or key.startswith("on"):
        raise ValueError(f"a page's policy blocks the attribute {key!r}: use a class")
    if value is True:
        return f" {key}"
    return f' {key}="{words(value)}"'
