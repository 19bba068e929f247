"""Strict YAML with positions: text in, plain values and the place of each of them out.

The one reader of every document that a person writes, so that all of them are read by the same
rules. What is refused is refused with line, column and a hint, never with a traceback:

* only ``true`` and ``false`` are booleans, only plain decimal digits are integers, only ``null``,
  ``~`` and nothing are null. Everything else is text, as it was written: ``1.30``, ``no``, ``on``,
  ``12:30``, ``2024-01-01`` and ``010`` stay what they look like;
* duplicate keys, keys that are not text, anchors, aliases, merge keys, tags, directives and a
  second document are faults: they say one thing and mean another, or make a small file huge;
* tabs outside quotes, block text and comments, control characters, text that is not UTF-8,
  documents that are too large or too deep.

Block text (``|``) survives as it is written, except that line ends become ``\\n``.

Nothing here knows what the document is about, and nothing touches a file. The events come from
libyaml where PyYAML was built with it, and from PyYAML itself otherwise: the same values, the same
places, and for a few faults inside quotes other words.

Begin reading at `parse_document`, then `_Builder`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml
from yaml import events as ev

from machines.errors import DocumentError, Fault
from machines.yamltext import (
    FORBIDDEN,
    decode,
    first_directive,
    line_after,
    position,
    stray_tab,
    syntax_fault,
    tab_fault,
    tab_that_indents,
)

__all__ = ["MAX_DEPTH", "Document", "Path", "Value", "parse_document", "show_path"]

MAX_DEPTH = 64
"""Deeper nesting is a mistake or an attack; no document of ours needs a fifth of it."""

MOST_FAULTS = 100
"""Reading ends here: whoever has more faults than this has the wrong file."""

Path: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | bool | None"

_INDENTATION = re.compile(r"[|>][+-]?[1-9]")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_PLAIN_NAME = re.compile(r"[^\s.\[\]\"']+")

_NO_ANCHORS = (
    "anchors ('&') and aliases ('*') are not used here",
    "write the value out; put text that begins with '*' or '&' in quotes",
)
_NO_TAGS = ("tags ('!...') are not used here", "remove it, or put text that begins with '!' in quotes")

FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Where events come from: libyaml if PyYAML was built with it. Nothing is ever constructed by it."""


@dataclass(slots=True)
class _Place:
    """Where a value stands (of its key, or of the item itself), and where its parts stand."""

    line: int
    column: int
    parts: dict[str | int, _Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A sound document: plain values, and the place of each. `file` is its name, for messages."""

    file: str
    value: Value
    _root: _Place

    def mark(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of the key or item at `path`, or of its nearest ancestor that exists."""
        place = self._root
        for part in path:
            if part not in place.parts:
                break
            place = place.parts[part]
        return place.line, place.column


def parse_document(
    text: bytes | str, file: str, *, max_bytes: int = 1 << 20, loader: Any = FASTEST
) -> Document:
    """Read one YAML document strictly. `file` is used in messages only; `loader` is PyYAML's.

    Raises DocumentError with every fault that could be found; a fault of the syntax ends the search.
    """
    sound = decode(text, file, max_bytes)
    builder = _Builder(file, sound)
    try:
        for event in yaml.parse(sound, Loader=loader):
            builder.feed(event)
    except DocumentError:
        raise
    except yaml.YAMLError as error:
        raise DocumentError([*builder.faults, syntax_fault(error, file, sound)]) from None
    except (ValueError, OverflowError):
        # PyYAML's own scanner trips over escapes such as "\UFFFFFFFF", which libyaml reports.
        line, column = builder.last
        fault = Fault(file, line, column, "", "an escape after this place names no character")
        raise DocumentError([*builder.faults, fault]) from None
    return builder.finish()


def show_path(path: Path) -> str:
    """A path as people read it: ``edges[2].retry[0].delay``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


class _Frame:
    """A mapping or list that is being filled."""

    __slots__ = ("key", "part", "place", "value")

    def __init__(self, value: dict[str, Value] | list[Value], place: _Place, part: str | int | None) -> None:
        self.value = value
        self.place = place
        self.part = part  # where this frame stands in the one above it
        self.key: str | None = None  # the key that waits for its value

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None


class _Builder:
    """Events to values and places, with an explicit stack: no depth of nesting can exhaust Python's."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.last = (1, 1)
        self.faults: list[Fault] = []
        self.stack: list[_Frame] = []
        self.value: Value = None
        self.root = _Place(1, 1)
        self.documents = 0
        self.spans: list[tuple[int, int]] = []  # quoted and block text: here tabs are content
        self.tabs: list[int] = []  # tabs that begin a block text: libyaml refuses them, PyYAML does not

    def feed(self, event: ev.Event) -> None:
        start: Any = event.start_mark  # its type says Optional; both parsers always set it
        self.last = (start.line + 1, start.column + 1)
        if isinstance(event, ev.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, ev.MappingStartEvent):
            self._open(event, {})
        elif isinstance(event, ev.SequenceStartEvent):
            self._open(event, [])
        elif isinstance(event, ev.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, ev.AliasEvent):
            self._alias()
        elif isinstance(event, ev.DocumentStartEvent):
            self._document(event)

    def finish(self) -> Document:
        strays = [*self.tabs, stray_tab(self.text, self.spans)]
        tab = min((tab for tab in strays if tab is not None), default=None)
        if tab is not None:  # a fault of the syntax: what stands behind it is not told
            at = position(self.text, tab)
            before = [fault for fault in self.faults if (fault.line, fault.column) < at]
            raise DocumentError([*before, tab_fault(self.file, *at)])
        if self.faults:
            raise DocumentError(self.faults)
        return Document(self.file, self.value, self.root)

    def _document(self, event: ev.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            self._stop("a second document begins here", "one file holds one document: remove the '---'")
        end: Any = event.end_mark
        directive = first_directive(self.text, end.index)
        if directive is not None:
            self.last = position(self.text, directive)
            self._stop("directives ('%...') are not used here", "remove the lines that begin with '%'")

    def _alias(self) -> None:
        self._fault(*_NO_ANCHORS)
        if self._wants_key():
            self._take_key("*")
        else:
            self._put(None)

    def _scalar(self, event: ev.ScalarEvent) -> None:
        self._decorations(event)
        if event.style:
            self._remember_span(event)
        if FORBIDDEN.search(event.value):
            self._fault(
                "an escape writes a character that cannot be seen", "it has no place in this document"
            )
        value = event.value if event.style else _resolve(event.value)
        if self._wants_key():
            self._key(event, value)
        else:
            self._put(value)

    def _key(self, event: ev.ScalarEvent, value: Value) -> None:
        if not isinstance(value, str):
            shown = event.value or "nothing"
            self._fault(f"a key must be text, and {shown} is not", f'put it in quotes: "{event.value}"')
        elif value == "<<" and not event.style:
            self._fault("merge keys ('<<') are not used here", "write the keys out")
        self._take_key(event.value)

    def _open(self, event: ev.CollectionStartEvent, value: dict[str, Value] | list[Value]) -> None:
        self._decorations(event)
        if self._wants_key():
            self._stop(
                "a key must be text, and this is a list or a mapping", "is a quote missing, around {...}?"
            )
        if len(self.stack) >= MAX_DEPTH:
            self._stop(f"the nesting is deeper than {MAX_DEPTH} levels", "is this the right file?")
        part = self._next_part()
        place = self._put(value)
        self.stack.append(_Frame(value, place, part))

    def _decorations(self, event: ev.NodeEvent) -> None:
        if event.anchor is not None:
            self._fault(*_NO_ANCHORS)
        if getattr(event, "tag", None) is not None:
            self._fault(*_NO_TAGS)

    def _remember_span(self, event: ev.ScalarEvent) -> None:
        marks: Any = event
        start, end = marks.start_mark.index, marks.end_mark.index
        if event.style in ("|", ">"):
            header = start
            start = min(line_after(self.text, header), end)  # the header line is not content
            if not _INDENTATION.match(self.text, header):
                tab = tab_that_indents(self.text, start, end)
                self.tabs += [] if tab is None else [tab]
        self.spans.append((start, end))

    def _wants_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].wants_key

    def _take_key(self, key: str) -> None:
        frame = self.stack[-1]
        first = frame.place.parts.get(key)
        if first is not None:
            hint = f"it stands first in line {first.line}: keep one"
            self._fault(f"the key {key!r} stands twice", hint, key)
        frame.place.parts[key] = _Place(*self.last)
        frame.key = key

    def _next_part(self) -> str | int | None:
        if not self.stack:
            return None
        frame = self.stack[-1]
        return len(frame.value) if isinstance(frame.value, list) else frame.key

    def _put(self, value: Value) -> _Place:
        """Hang a value below the frame on top, and return its place."""
        if not self.stack:
            self.value = value
            self.root = _Place(*self.last)
            return self.root
        frame = self.stack[-1]
        if isinstance(frame.value, list):
            place = frame.place.parts[len(frame.value)] = _Place(*self.last)
            frame.value.append(value)
            return place
        key, frame.key = frame.key or "", None
        frame.value[key] = value
        return frame.place.parts[key]

    def _path(self) -> Path:
        parts = [frame.part for frame in self.stack] + [self._next_part()]
        return tuple(part for part in parts if part is not None)

    def _fault(self, message: str, hint: str, key: str | None = None) -> None:
        path = self._path() if key is None else (*self._path(), key)
        self.faults.append(Fault(self.file, *self.last, show_path(path), message, hint))
        if len(self.faults) >= MOST_FAULTS:
            raise DocumentError(self.faults)

    def _stop(self, message: str, hint: str) -> NoReturn:
        self._fault(message, hint)
        raise DocumentError(self.faults)


def _resolve(text: str) -> Value:
    """What a plain scalar means: one of five words, an integer, or itself."""
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
