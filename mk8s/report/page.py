"""What any page is: one file that needs nothing else, and a policy that lets it fetch nothing.

The style and the script stand in the page; the policy names both by their hash, so nothing that a node
said could ever run. Everything is readable without the script. Begin reading at `page`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mk8s.report.markup import Html, el, fragment
from mk8s.version import VERSION

__all__ = ["GENERATOR", "Section", "page"]

GENERATOR = f'<meta name="generator" content="mk8s {VERSION}">'
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Section:
    """One part with a heading. `id`: short, in small letters, once a page."""

    id: str
    title: str
    body: Html
    intro: str = ""  # one sentence
    style: str = ""  # what a part of somebody else's needs, beside the page's own


def page(title: str, sections: Sequence[Section], *, lead: Html | None = None, foot: str = "") -> str:
    """The whole document. `lead` stands below the title, before the list of contents."""
    style = _part("page.css") + "".join(dict.fromkeys(part.style for part in sections))
    script = _part("page.js")
    head = fragment(
        Html('<meta charset="utf-8">'),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        Html(GENERATOR),
        el("title", title),
        Html(f"<style>{style}</style>"),
    )
    body = fragment(
        PATTERNS,
        el("header", el("h1", title), lead),
        el("nav", *(el("a", part.title, href=f"#{part.id}") for part in sections), aria_label="Contents"),
        el("main", *map(_section, sections)),
        el("footer", foot or f"Made by mk8s {VERSION}."),
        Html(f"<script>{script}</script>"),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def _section(part: Section) -> Html:
    intro = el("p", part.intro, class_="intro") if part.intro else None
    title = el("h2", part.title, id=f"{part.id}-title")
    return el("section", title, intro, part.body, id=part.id, aria_labelledby=f"{part.id}-title")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _part(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _pattern(name: str, lines: str) -> Html:
    inner = el("rect", width=6, height=6, class_=f"bg-{name}"), el("path", d=lines, class_=f"fg-{name}")
    return el("pattern", *inner, id=f"p-{name}", width=6, height=6, patternUnits="userSpaceOnUse")


UP, DOWN = "M-1 1L1 -1M0 6L6 0M5 7L7 5", "M-1 5L1 7M0 0L6 6M5 -1L7 1"
PATTERNS = el(
    "svg",
    el(
        "defs",
        _pattern("signal", UP),
        _pattern("queue", "M3 0V6"),
        _pattern("back-off", "M0 3H2.5"),
        _pattern("error", DOWN),
        _pattern("stopped", UP + DOWN),
    ),
    class_="defs",
    width=0,
    height=0,
    aria_hidden="true",
)
"""Hatchings, so that what is waiting, failed or stopped is told apart without colours."""
