"""A ClusterConfig as the user wrote it, with more keys at any depth. Pure.

Laws:

1. Whatever the user wrote stays: keys are only added where there are none, comments and order included.
2. The result is read again and compared with what it has to say. Where a text leaves no room for more keys
   (an alias in the way, for example), it is written anew: every key stays, comments do not.

Begin reading at `merge`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any, TypeAlias

import yaml

__all__ = ["ConfigTextError", "Path", "dump", "merge"]

Path: TypeAlias = tuple[str, ...]
NOTE = "# added by mk8s"


class ConfigTextError(ValueError):
    """The text of a config is not something that keys can be added to. Says why, in words for the user."""


def merge(text: str, config: Mapping[str, Any], additions: Iterable[tuple[Path, Any]]) -> str:
    """The config with each value that has nothing at its path yet; `text` is the same as the user wrote it.

    An empty text is written from `config`. Raises ConfigTextError.
    """
    wanted = [(path, value) for path, value in additions if not _is_there(config, path)]
    if not text.strip():
        return dump(_with(config, wanted))
    return _merged(text, json.dumps(wanted, ensure_ascii=False))


def dump(config: Mapping[str, Any]) -> str:
    """As YAML, in the order in which it stands."""
    said: str = yaml.safe_dump(
        dict(config), sort_keys=False, allow_unicode=True, width=1 << 20, default_flow_style=False
    )
    return said


def _is_there(config: Any, path: Path) -> bool:
    """A key with nothing after it counts as absent, as it does for k0s."""
    for key in path:
        if not isinstance(config, Mapping):
            return config is not None  # something else stands in the way, which `faults` tells
        config = config.get(key)
    return config is not None


def _with(config: Mapping[str, Any], additions: Iterable[tuple[Path, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = deepcopy(dict(config))
    for path, value in additions:
        below = whole
        for key in path[:-1]:
            if below.get(key) is None:
                below[key] = {}
            below = below[key]
        below[path[-1]] = value
    return whole


@lru_cache(maxsize=64)
def _merged(text: str, wanted: str) -> str:
    additions: list[tuple[Path, Any]] = [(tuple(path), value) for path, value in json.loads(wanted)]
    before = _read(text)
    expected = _with(before, additions)
    changed = text
    for path, value in reversed(additions):
        changed = _inserted(changed, path, value)
    return changed if _says(changed, expected) else dump(expected)


def _read(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigTextError(f"not valid YAML: {_where(error)}") from error
    except RecursionError as error:
        raise ConfigTextError("nested too deeply") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigTextError("not a mapping; a ClusterConfig begins with `spec:`")
    return found


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


def _says(text: str, expected: Mapping[str, Any]) -> bool:
    try:
        return _read(text) == expected
    except ConfigTextError:
        return False


def _inserted(text: str, path: Path, value: Any) -> str:
    """The text with one more value, or as it is where there is no place for it."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return text
    if node is None:
        return text.rstrip("\n") + "\n" + dump(_nested(path, value))
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            return text
        found = next((below for name, below in node.value if name.value == key), None)
        if found is None:
            return _into(text, node, _nested(path[depth:], value))
        if isinstance(found, yaml.ScalarNode) and found.tag.endswith(":null"):
            rest = path[depth + 1 :]
            said = _json(_nested(rest, value) if rest else value)
            return f"{text[: found.start_mark.index]} {said}{text[found.end_mark.index :]}"
        node = found
    return text


def _nested(path: Path, value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


def _into(text: str, mapping: yaml.MappingNode, added: Mapping[str, Any]) -> str:
    """Before the first key of a mapping: there nothing can be taken for a part of a value."""
    key, value = next(iter(added.items()))
    if mapping.flow_style or not mapping.value:
        place = mapping.start_mark.index + 1
        comma = ", " if mapping.value else ""
        return f"{text[:place]}{_json(key)}: {_json(value)}{comma}{text[place:]}"
    start = mapping.value[0][0].start_mark
    lines = f"{key}: {_json(value)}  {NOTE}\n{' ' * start.column}"
    return f"{text[: start.index]}{lines}{text[start.index :]}"


def _json(value: Any) -> str:
    """JSON is YAML in one line, whatever stands in it."""
    return json.dumps(value, ensure_ascii=False)
