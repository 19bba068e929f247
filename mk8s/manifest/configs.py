"""The distro's own config inside a manifest: text or mapping, shared or a node's own. Pure.

Laws:

1. What the user wrote as text reaches the distro as that text, comments and order included. Shared
   keys are only added below it.
2. The nearer wins, key by key: a node's own config, then its role's, then everybody's. Values are
   never mixed: a node's ``tls-san`` replaces the shared list, as a later file does in RKE2.
3. Keys that are added are written so that every YAML reader, 1.1 or 1.2, reads the same values.

Begin reading at `combine`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from machines.documents import Value, parse_document
from machines.errors import DocumentError, Fault
from machines.words import shown

__all__ = ["combine", "parse_config"]

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS = frozenset(["true", "false", "yes", "no", "on", "off", "y", "n", "null"])  # not text to every reader
_MAX_BYTES = 8 << 20  # never the first bound: the manifest around it has a smaller one
_NOTE = "# from `config` of the manifest"
_NOT_SETTINGS = "expected settings such as `cni: cilium`, found {}"


def parse_config(value: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """A config as a mapping. Raises DocumentError, its lines counted in the text."""
    if value is None:
        return {}
    if not isinstance(value, str):
        return dict(value)
    document = parse_document(value, "", max_bytes=_MAX_BYTES)
    found = document.value
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DocumentError([Fault("", *document.mark(()), "", _NOT_SETTINGS.format(shown(found)))])
    return found


def combine(
    own: str | Mapping[str, Any] | None, *shared: str | Mapping[str, Any] | None
) -> tuple[dict[str, Any], str]:
    """A node's config, and its text where the node's own was text. `shared`: the nearest first.

    Raises DocumentError for a config that is none; `checking` tells it with its place.
    """
    mine = parse_config(own)
    added: dict[str, Any] = {}
    for config in shared:
        for key, value in parse_config(config).items():
            if key not in mine:
                added.setdefault(key, value)
    config = {**mine, **added}
    return config, _with_keys(own, added, config) if isinstance(own, str) else ""


def _with_keys(text: str, added: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """The text with more keys below; all of it written anew where the text leaves no room for them."""
    if not added:
        return text
    extended = f"{_with_line_end(text)}{_NOTE}\n{_render(added)}"
    return extended if _says(extended, whole) else _render(whole)


def _with_line_end(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _says(text: str, expected: Mapping[str, Any]) -> bool:
    """Whether a text reads as these settings and nothing else: ``{a: 1}`` cannot be continued below."""
    try:
        return parse_config(text) == expected
    except DocumentError:
        return False


def _render(config: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)}:{_block(value, 1)}" for key, value in config.items())


def _block(value: Value, depth: int) -> str:
    """A value after its key or dash, in block style, with the end of the line."""
    indent = "  " * depth
    if isinstance(value, dict) and value:
        return "\n" + "".join(f"{indent}{_key(key)}:{_block(item, depth + 1)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "\n" + "".join(f"{indent}-{_block(item, depth + 1)}" for item in value)
    return f" {_scalar(value)}\n"


def _key(key: str) -> str:
    is_plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS
    return key if is_plain else _quoted(key)


def _scalar(value: Value) -> str:
    """Text always in quotes; the rest as JSON, which YAML reads alike in all its versions."""
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    quoted: str = yaml.safe_dump(text, default_style='"', width=float("inf"))
    return quoted.strip()
