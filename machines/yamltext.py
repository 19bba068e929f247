"""The text of a document before it means anything: characters, tabs, and what YAML's scanner says.

Pure functions from text to faults, in words for people. `documents` builds values on top of this;
nothing here knows what a value is.

Begin reading at `decode` and `syntax_fault`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import islice

import yaml

from machines.errors import DocumentError, Fault

__all__ = [
    "FORBIDDEN",
    "decode",
    "first_directive",
    "line_after",
    "position",
    "stray_tab",
    "syntax_fault",
    "tab_fault",
    "tab_that_indents",
]

FORBIDDEN = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, halves of surrogate pairs, and separators that only some take for line ends."""

_MOST_FAULTS = 20
_LINE_END = re.compile(r"\r\n|\r|\n")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|[ \t])#")
_TAB_FIRST = re.compile(r"(?: *(?:\r\n|\r|\n))* *\t")

# What the scanner and the parser of YAML say (libyaml and PyYAML use slightly different words), and
# what that means to a person. First match wins. "start" = the fault is shown where the thing that
# was being read began, because the place where YAML gave up is far away and differs between the two.
_SYNTAX: tuple[tuple[str, str, str, str], ...] = (
    (
        "quoted scalar.*end of stream",
        "start",
        "a quote is opened here and never closed",
        "close it; inside '...' a ' is written twice",
    ),
    (
        "unknown escape character|escape sequence|hexdecimal number|character escape code"
        "|quoted scalar.*document separator",
        "start",
        "this text in quotes holds an escape or a line that is not allowed there",
        "inside \"...\" write a backslash as \\\\, or use '...', where it needs no escape",
    ),
    (
        "could not find expected ':'",
        "start",
        "this line is neither 'key: value' nor a list item",
        "is a ':' missing, or a quote or the indentation wrong above?",
    ),
    (
        r"expected ',' or '[\]}]'",
        "start",
        "the list or mapping that this bracket opens is not closed, or lacks a comma",
        "close the bracket, or put a ',' between the entries",
    ),
    (
        "mapping values are not allowed",
        "",
        "a ':' where no key can stand",
        "put text that contains ': ' in quotes, or check the indentation of this line",
    ),
    (
        "undefined tag handle|while (?:scanning|parsing) a tag|while parsing a node.*tag",
        "start",
        "tags ('!...') are not used here",
        "put text that begins with '!' in quotes",
    ),
    (
        "while scanning an? (?:alias|anchor)",
        "start",
        "anchors ('&') and aliases ('*') are not used here",
        "put text that begins with '*' or '&' in quotes",
    ),
    (
        "directive|incompatible YAML|duplicate (?:%|tag handle)",
        "start",
        "directives ('%...') are not used here",
        "remove the lines that begin with '%'",
    ),
    (
        "cannot start any token|expected (?:the )?node content",
        "",
        "this character cannot begin a value",
        "put the value in quotes",
    ),
    (
        "while scanning a block scalar",
        "start",
        "block text ('|' or '>') is followed by something else than its text",
        "the text begins in the next line, further to the right",
    ),
    (
        "expected key|expected <block end>|expected '-' indicator|document start",
        "",
        "this line does not fit those above it",
        "entries of one list or mapping begin in the same column, each in its own line",
    ),
)


def decode(text: bytes | str, file: str, max_bytes: int) -> str:
    """The text of a document without its byte order mark.

    Raises DocumentError when it is too large, is not UTF-8 or holds a character that cannot be seen.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        message = f"the document has {size} bytes, and {max_bytes} are the most that is read"
        raise DocumentError([Fault(file, 1, 1, "", message, "is this the right file?")])
    if isinstance(text, bytes):
        text = _from_utf8(text, file)
    text = text.removeprefix("\ufeff")
    found = islice(FORBIDDEN.finditer(text), _MOST_FAULTS)
    faults = [_forbidden_fault(file, text, match) for match in found]
    if faults:
        raise DocumentError(faults)
    return text


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of a character."""
    ends = [match.end() for match in _LINE_END.finditer(text, 0, index)]
    return len(ends) + 1, index - (ends[-1] if ends else 0) + 1


def line_after(text: str, index: int) -> int:
    """Where the line after this character begins."""
    end = _LINE_END.search(text, index)
    return end.end() if end else len(text)


def first_directive(text: str, end: int) -> int | None:
    """The first line before `end` that begins with '%'."""
    found = _DIRECTIVE.search(text, 0, end)
    return found.start() if found else None


def stray_tab(text: str, spans: list[tuple[int, int]]) -> int | None:
    """The first tab that is neither inside a span (quoted and block text) nor part of a comment."""
    starts = [start for start, _ in spans]
    tab = text.find("\t")
    while tab >= 0:
        before = bisect_right(starts, tab) - 1
        end = spans[before][1] if before >= 0 else 0
        if tab >= end:
            line = max(end, text.rfind("\n", 0, tab) + 1)
            if not _COMMENT.search(text, line, tab):
                return tab
            end = line_after(text, tab)
        tab = text.find("\t", end)
    return None


def tab_that_indents(text: str, start: int, end: int) -> int | None:
    """The tab that begins a block text: nobody can say how far the text is indented."""
    found = _TAB_FIRST.match(text, start, end)
    return found.end() - 1 if found else None


def tab_fault(file: str, line: int, column: int) -> Fault:
    """A tab where YAML has no place for one."""
    hint = "use spaces; a block text that begins with a tab needs its indentation said, as in '|2'"
    return Fault(file, line, column, "", "a tab stands where only spaces can", hint)


def syntax_fault(error: yaml.YAMLError, file: str, text: str) -> Fault:
    """What YAML's own scanner or parser refused, in the words of this project."""
    problem = getattr(error, "problem", None) or "this is not YAML"
    index = _index(error, "problem_mark", text)
    if text[index : index + 1] == "\t":
        return tab_fault(file, *position(text, index))
    said = f"{getattr(error, 'context', None) or ''} {problem}"
    for pattern, where, message, hint in _SYNTAX:
        if re.search(pattern, said):
            if where:
                index = _index(error, "context_mark", text)
            elif index >= len(text.rstrip()):
                message, hint = "the text ends where more must follow", "is a bracket above not closed?"
            return Fault(file, *position(text, index), "", message, hint)
    return Fault(file, *position(text, index), "", f"not valid YAML: {problem}")


def _index(error: yaml.YAMLError, name: str, text: str) -> int:
    """The character that a mark of the error stands at; the other mark where that one is missing."""
    mark = getattr(error, name, None) or getattr(error, "problem_mark", None)
    index: int = getattr(mark, "index", 0)
    return min(index, len(text))


def _from_utf8(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        line, column = position(before, len(before))
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8 text"
        raise DocumentError([Fault(file, line, column, "", message, "save the file as UTF-8")]) from None


def _forbidden_fault(file: str, text: str, found: re.Match[str]) -> Fault:
    line, column = position(text, found.start())
    message = f"the character U+{ord(found.group()):04X} cannot be seen and is not allowed"
    return Fault(file, line, column, "", message, "remove it; it often comes along when text is copied")
