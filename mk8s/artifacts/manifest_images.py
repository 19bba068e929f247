"""The container images of pods that the user's own manifests describe. Pure.

What is applied once the cluster stands starts pods too, and in an air gap their images must be there
before. Looked for where the API has them: in lists of containers, and in volumes that are images. A field
called `image` anywhere else may mean anything, and is not taken.

Law: *not readable* is never *none*. A text that is no YAML gives None. Nothing is resolved that a reader of
YAML would make larger than the text: aliases are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from machines.documents import FASTEST

__all__ = ["images_in_text"]

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
MOST_PARTS = 1_000_000  # of all documents together, aliases followed


def images_in_text(text: str) -> tuple[str, ...] | None:
    """The images of all documents of a file, each once, in order; None for a text that cannot be read."""
    try:
        documents = yaml.load_all(text, Loader=FASTEST)  # a safe loader
        parts = [part for document in documents for part in _parts(document)]
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        return None
    return tuple(dict.fromkeys(name for part in parts for name in _named(part)))


def _parts(document: Any) -> Iterator[dict[Any, Any]]:
    """Every mapping of a document, outer ones first. Raises ValueError when they are too many."""
    waiting, seen = [document], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > MOST_PARTS:
            raise ValueError("too many parts")
        if isinstance(value, dict):
            yield value
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting.extend(reversed(list(inner)))


def _named(part: dict[Any, Any]) -> Iterator[str]:
    for key in CONTAINERS:
        for container in _mappings(part.get(key)):
            yield from _text(container.get("image"))
    for volume in _mappings(part.get("volumes")):
        image = volume.get("image")
        yield from _text(image.get("reference") if isinstance(image, dict) else None)


def _mappings(value: Any) -> list[dict[Any, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value.strip()
