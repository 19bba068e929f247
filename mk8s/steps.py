"""Steps: what a distro wants done on a node, as values.

A driver returns steps and does nothing; the executor runs them. So the plan, the transcript, the
simulation and the tests all come from the same list. A step has a title for people, and a *check*
that says whether it is true already, so that repeating a step is safe and quick.

This module knows no transport that is open, no clock and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from transports.base import Command, File, Outcome

__all__ = ["Run", "Step", "Upload", "Verdict", "WaitFor", "WriteFile"]

FIRST_PAUSE = 0.25  # seconds between the first two looks at a condition
ELSEWHERE = 4  # times as long where another node is asked: all who wait ask the same one
GROWTH = 1.2  # so a condition is seen at the latest a fifth of the time later than it took to come true


@dataclass(frozen=True, slots=True)
class Upload:
    """A large file, put on the node unless a file with that hash is there."""

    title: str
    source: File
    target: PurePosixPath
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A small rendered file, root's own. `secret`: its content is never shown, logged or hashed."""

    title: str
    target: PurePosixPath
    content: bytes
    mode: int = 0o644
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A command. With `check`, it runs only where the check does not exit 0.

    `on`: run it, and its check, on another node than the one being worked on, by name.
    """

    title: str
    command: Command
    check: Command | None = None
    on: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look at a condition says: met, not yet (why), or never (a failure's lineage and words)."""

    met: bool
    reason: str = ""
    lineage: tuple[str, ...] = ()  # not empty: give up with this failure
    remedy: str = ""
    final: bool = False  # with a lineage: repeating cannot help


Judge: TypeAlias = Callable[[Outcome], Verdict]
"""Pure: the same outcome has the same verdict, so a wait judges an answer that is still the same once."""


@dataclass(frozen=True, slots=True)
class WaitFor:
    """A condition that becomes true by itself: looked at again and again until the edge's timeout.

    Often at first, for most waits are short, then every `interval` seconds: see `pauses`.
    `on`: ask another node than the one being worked on, by name (a server that knows the answer).
    """

    title: str
    command: Command
    judge: Judge
    interval: float = 2.0
    on: str | None = None

    def pauses(self) -> Iterator[float]:
        """Seconds between one look and the next, without an end."""
        pause = FIRST_PAUSE if self.on is None else FIRST_PAUSE * ELSEWHERE
        while True:
            yield min(pause, self.interval)
            pause = min(pause * GROWTH, self.interval)


Step: TypeAlias = Upload | WriteFile | Run | WaitFor
