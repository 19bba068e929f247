"""Arguments of a program in kubeadm's configuration: a mapping until v1beta3, a list from v1beta4 on. Pure.

A user may write either form; a name that stands twice in a list keeps all its values where the API can
say that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["ARGUMENTS", "Arguments", "arguments_of", "fitted", "is_arguments", "repeated"]

Arguments: TypeAlias = dict[str, list[str]]
"""Flag without its dashes -> its values, in order."""

ARGUMENTS = frozenset({"extraArgs", "kubeletExtraArgs"})
LISTS_FROM = "v1beta4"


def arguments_of(value: Any) -> Arguments:
    """Either form, read. What is neither is empty here; `faults` has said so."""
    if isinstance(value, Mapping):
        return {str(name): _words(word) for name, word in value.items()}
    found: Arguments = {}
    for item in value if isinstance(value, list) else []:
        if isinstance(item, Mapping) and "name" in item:
            found.setdefault(str(item["name"]), []).append(_word(item.get("value", "")))
    return found


def is_arguments(value: Any) -> bool:
    """Whether it is a mapping of plain values, or a list of names with values."""
    if isinstance(value, Mapping):
        return not any(isinstance(word, (Mapping, list)) for word in value.values())
    return isinstance(value, list) and all(
        isinstance(item, Mapping) and set(item) == {"name", "value"} for item in value
    )


def repeated(value: Any) -> list[str]:
    """Names that are given more than once."""
    return [name for name, words in arguments_of(value).items() if len(words) > 1]


def fitted(value: Any, api: str, name: str = "") -> Any:
    """A field's value with all arguments in it, however deep, in the form of this API version."""
    if name in ARGUMENTS:
        return _form(arguments_of(value), api)
    if isinstance(value, Mapping):
        return {key: fitted(inner, api, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [fitted(inner, api) for inner in value]
    return value


def _form(arguments: Arguments, api: str) -> Any:
    if api != LISTS_FROM:
        return {name: words[-1] for name, words in arguments.items()}
    return [{"name": name, "value": word} for name, words in arguments.items() for word in words]


def _words(value: Any) -> list[str]:
    return [_word(inner) for inner in value] if isinstance(value, list) else [_word(value)]


def _word(value: Any) -> str:
    """As a flag is written; kubeadm takes text only."""
    return str(value).lower() if isinstance(value, bool) else str(value)
