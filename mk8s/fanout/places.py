"""On which nodes the key of a run may be: written down before it is put there.

A run that is killed leaves its key behind; it can read pieces of release files and nothing else, and it
expires. All the same the next run begins by removing it, and this is how it knows where.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mk8s.errors import Mk8sError
from mk8s.state import StateFolder

__all__ = ["FilePlaces", "MemoryPlaces", "Places"]

NAME = "fan-out.json"


class Places(Protocol):
    """Remembers nodes, and the user that mk8s logs in as there."""

    def known(self) -> Mapping[str, str]:
        """Node -> user."""
        ...

    def add(self, node: str, user: str) -> None:
        """From now on the key may be there. Raises Mk8sError when that cannot be written down."""
        ...

    def remove(self, node: str) -> None:
        """It is not there any more."""
        ...


class MemoryPlaces:
    """For simulation: it ends with the run."""

    def __init__(self) -> None:
        self._nodes: dict[str, str] = {}

    def known(self) -> Mapping[str, str]:
        return dict(self._nodes)

    def add(self, node: str, user: str) -> None:
        self._nodes[node] = user

    def remove(self, node: str) -> None:
        self._nodes.pop(node, None)


class FilePlaces:
    """A small file in the state folder, which is gone where there is nothing to remember."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._nodes = _read(self._path)

    def known(self) -> Mapping[str, str]:
        return dict(self._nodes)

    def add(self, node: str, user: str) -> None:
        if self._nodes.get(node) != user:
            self._nodes[node] = user
            self._write()

    def remove(self, node: str) -> None:
        if self._nodes.pop(node, None) is not None:
            with suppress(Mk8sError):  # a name too many costs the next run a look
                self._write()

    @property
    def _path(self) -> Path:
        return self._state.folder / NAME

    def _write(self) -> None:
        if self._nodes:
            text = json.dumps(self._nodes, indent=2, sort_keys=True) + "\n"
            self._state.write_private(self._path, text.encode())
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, str]:
    """What an earlier run left. A file that cannot be read says nothing: the keys expire by themselves."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {node: user for node, user in found.items() if isinstance(user, str)}
