"""Settings as the engine reads them: words, switches, and drop-ins over the config. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

from mk8s.cluster import Node

__all__ = ["DROP_IN_SUFFIX", "is_true", "laid_over", "parsed", "settings_of", "words"]

DROP_IN_SUFFIX = ".yaml"  # of the files in config.yaml.d that are read


def settings_of(node: Node) -> Mapping[str, Any]:
    """The node's config with its drop-ins laid over it."""
    return laid_over(node.config, node.drop_ins)


def laid_over(config: Mapping[str, Any], drop_ins: Mapping[str, str]) -> Mapping[str, Any]:
    """A config under texts by file name: later files win, ``key+`` adds to a list.

    A drop-in that is no mapping adds nothing; that it is none is a fault, which is told elsewhere.
    """
    if not drop_ins:
        return config
    found = dict(config)
    for name in sorted(name for name in drop_ins if name.endswith(DROP_IN_SUFFIX)):
        for key, value in parsed(drop_ins[name]).items():
            bare = key.removesuffix("+")
            found[bare] = [*words(found.get(bare)), *words(value)] if key != bare else value
    return found


@lru_cache(maxsize=256)
def parsed(text: str) -> Mapping[str, Any]:
    """A YAML text that holds a mapping; empty for any other. Many nodes have the same: reading is slow."""
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return {}
    return {str(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}


def words(value: Any) -> list[str]:
    """A setting that is read as a list: a YAML list, or words with commas between them."""
    given = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    return [word.strip() for item in given for word in str(item).split(",") if word.strip()]


def is_true(value: Any) -> bool:
    """A setting that is read as a switch."""
    return str(value).strip().lower() in {"true", "t", "1"}
