"""Keys added to a YAML text, with everything else in it kept word for word. Pure.

Laws:

1. No key, comment or order of the user's is ever lost: keys are only added, and the result is parsed
   again to prove it.
2. What cannot be added without touching the rest is refused.

Begin reading at `merge`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import yaml

from mk8s.distros.rancher.engine import Addition

__all__ = ["ConfigTextError", "merge", "top_level_keys"]

NOTE = "# added by mk8s"


class ConfigTextError(ValueError):
    """The text of a config is not something that keys can be added to. Says why, in words for the user."""


@lru_cache(maxsize=1024)
def top_level_keys(text: str) -> tuple[str, ...]:
    """The keys of a config text. Raises ConfigTextError when it is not one mapping with unique keys."""
    root = _compose(text)
    keys = [str(key.value) for key, _ in root.value] if root else []
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ConfigTextError(f"{', '.join(twice)} given twice; only one of them would be kept")
    return tuple(keys)


def _compose(text: str) -> yaml.MappingNode | None:
    """The root mapping with its place in the text; None for an empty text."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigTextError(f"not valid YAML: {_where(error)}") from error
    except RecursionError as error:
        raise ConfigTextError("nested too deeply") from error
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value == ""):
        return None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigTextError("not a mapping of settings, such as `cni: cilium`")
    return root


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


@lru_cache(maxsize=1024)  # most nodes of a large cluster have the same text
def merge(text: str, additions: tuple[Addition, ...]) -> str:
    """`text` with more top-level keys, everything else as it was.

    The new keys go to the end, or to the front where the end would change the last value (a block
    scalar that has no newline after it). Raises ConfigTextError when neither leaves the rest alone.
    """
    root = _compose(text)
    if not additions:
        return text
    for candidate in _candidates(text, root, additions):
        if _only_added(text, candidate, root is None):
            return candidate.text
    raise ConfigTextError("keys cannot be added to this text; write one `key: value` on each line")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A merged text, what was added to it as a document of its own, and at which end of the mapping."""

    text: str
    added: str
    at_front: bool = False


def _candidates(text: str, root: yaml.MappingNode | None, additions: Sequence[Addition]) -> list[_Candidate]:
    lines = _lines(additions, "")
    if root is None:
        return [_Candidate(_join(text, lines), lines)]
    if root.flow_style:
        return _into_flow(text, root, additions)
    indented = _lines(additions, " " * root.start_mark.column)
    end = root.end_mark.index
    front = root.start_mark.index - root.start_mark.column
    return [
        _Candidate(_join(text[:end].rstrip(" "), indented) + text[end:], lines),
        _Candidate(text[:front] + indented + text[front:], lines, at_front=True),
    ]


def _into_flow(text: str, root: yaml.MappingNode, additions: Sequence[Addition]) -> list[_Candidate]:
    """``{a: 1}`` or JSON: before the closing brace, after a comma where there is none yet."""
    brace = root.end_mark.index - 1
    pairs = ", ".join(f"{_quoted(key)}: {_quoted(value)}" for key, value in additions)
    return [_Candidate(f"{text[:brace]}{comma}{pairs}{text[brace:]}", f"{{{pairs}}}") for comma in (", ", "")]


def _lines(additions: Sequence[Addition], indent: str) -> str:
    pairs = "".join(f"{indent}{key}: {_quoted(value)}\n" for key, value in additions)
    return f"{indent}{NOTE}\n{pairs}"


def _join(before: str, lines: str) -> str:
    return before + lines if not before or before.endswith("\n") else f"{before}\n{lines}"


def _quoted(value: str | bool | tuple[str, ...]) -> str:
    """JSON strings are YAML's double-quoted ones, whatever stands in them."""
    return json.dumps(value, ensure_ascii=False)


HEAD = 3  # events before the first key: stream, document and mapping start; as many end it


def _only_added(before: str, candidate: _Candidate, from_nothing: bool) -> bool:
    """Whether the candidate parses to the old events plus the additions at one end of the root mapping."""
    added = _events(candidate.added)
    try:
        new = _events(candidate.text)
    except yaml.YAMLError:
        return False
    if from_nothing:
        return new == added
    old = _events(before)
    place = HEAD if candidate.at_front else len(old) - HEAD
    return new == [*old[:place], *added[HEAD:-HEAD], *old[place:]]


def _events(text: str) -> list[tuple[object, ...]]:
    """What a parser sees, without places and styles. Aliases stay aliases, so size stays linear."""
    seen = ("anchor", "tag", "implicit", "value")
    return [
        (type(event), *(getattr(event, name, None) for name in seen))
        for event in yaml.parse(text, Loader=yaml.SafeLoader)
    ]
