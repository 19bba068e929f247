"""Plain lines on stderr: for logs, pipes and small terminals. One piece of news, one line."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Self, TextIO

from machines import Member, Record
from machines.words import printable
from mk8s.screen.words import duration, line_of

__all__ = ["PlainScreen"]


class PlainScreen:
    """``[ 3/6]    0:42  agent-2    joined``: how many are healthy, when, who, what."""

    def __init__(self, stream: TextIO, titles: Mapping[str, str], nodes: Mapping[str, str]) -> None:
        """`nodes`: every node's name and its state at the start."""
        self._stream = stream
        self._titles = titles
        self._states = dict(nodes)
        self._width = max((len(name) for name in nodes), default=4)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def record(self, record: Record) -> None:
        if record.kind == "state":
            self._states[record.node] = record.to
        line = line_of(record, self._titles)
        if line:
            self._say(record.at, line.node, line.text)

    def note(self, member: Member, text: str) -> None:
        """Passing news is for a live screen; in a log it would drown the rest."""

    def say(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def bug(self, member: Member, error: Exception) -> None:
        lines = printable("".join(traceback.format_exception(error)))
        self._stream.write(f"a mistake in mk8s, on {member.name}; please report it:\n{lines}")

    def _say(self, at: float, node: str, text: str) -> None:
        healthy = sum(state == "healthy" for state in self._states.values())
        total = len(self._states)
        done = f"[{healthy:>{len(str(total))}}/{total}]"
        self._stream.write(f"{done} {duration(at):>7}  {node or '*':<{self._width}}  {text}\n")
        self._stream.flush()
