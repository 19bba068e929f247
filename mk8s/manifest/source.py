"""A manifest as it was written: values and text side by side, so that a rule can look and point.

Rules look at the plain values and not at the structs: one value of a wrong kind must not hide what
is wrong elsewhere. So everything here is tolerant; what is not of the kind that was asked for is
passed over, because `machines.forms` has told it already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from machines.documents import Document, Path, Value, show_path
from machines.errors import Fault
from mk8s.manifest.values import Wrong

__all__ = ["EACH", "CrossRule", "Source", "as_text"]

EACH = "*"
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLOCK = re.compile(r":[ ]+\|[-+0-9]*[ ]*(#.*)?$")


@dataclass(frozen=True)
class Source:
    """A document and its text."""

    document: Document
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return _LINE_END.split(self.text)

    def each(self, *pattern: str) -> Iterator[tuple[Path, Value]]:
        """Every value at a path; `EACH` stands for all keys of a mapping and all items of a list."""
        yield from _each(self.document.value, pattern, ())

    def mapping(self, *keys: str) -> Mapping[str, Value]:
        """The mapping at a path; empty where there is none."""
        found = [value for _, value in self.each(*keys) if isinstance(value, dict)]
        return found[0] if found else {}

    def words(self, *pattern: str) -> Iterator[tuple[Path, str]]:
        """Every text at a path."""
        for path, value in self.each(*pattern):
            text = as_text(value)
            if text is not None:
                yield path, text

    def nodes(self) -> Iterator[tuple[Path, Mapping[str, Value]]]:
        """Every entry of `nodes` that is a mapping."""
        for path, value in self.each("nodes", EACH):
            if isinstance(value, dict):
                yield path, value

    def line(self, path: Path) -> int:
        return self.document.mark(path)[0]

    def fault(self, path: Path, wrong: Wrong) -> Fault:
        """What is wrong with the value at a path, with its place."""
        line, column = self.document.mark(path)
        return Fault(self.document.file, line, column, show_path(path), wrong.message, wrong.hint)

    def block(self, path: Path, text: str) -> tuple[int, int] | None:
        """How many lines stand above a block text (``|``), and how far it is indented.

        None for text in another style, whose lines are not those of the file.
        """
        above = self.line(path)
        if not _BLOCK.search(self.lines[above - 1]):
            return None
        for outside, inside in zip(self.lines[above:], text.split("\n"), strict=False):
            if inside.strip():
                return (above, len(outside) - len(inside)) if outside.endswith(inside) else None
        return above, 0


CrossRule: TypeAlias = Callable[[Source], Iterator[Fault]]
"""How parts of a manifest must fit together: everything that does not."""


def as_text(value: Any) -> str | None:
    """A value as the text that a form reads it as: a number is its digits; anything else is no text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)


def _each(value: Value, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Value]]:
    if not pattern:
        yield path, value
        return
    first, rest = pattern[0], pattern[1:]
    for key, part in _parts(value):
        if first in (EACH, key):
            yield from _each(part, rest, (*path, key))


def _parts(value: Value) -> Iterator[tuple[str | int, Value]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
