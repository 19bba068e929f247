"""What an explanation consists of. Pure values; seconds are those of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Bound", "Kind", "Reason", "Try"]

Kind: TypeAlias = Literal[
    "failed",  # gave up, or was set aside
    "blocked",  # goes no further in this run
    "working",  # an attempt goes on
    "undoing",  # takes back what was done
    "back-off",  # between two attempts
    "queue",  # waits for a place in a limiter
    "signal",  # waits for a signal
    "ready",  # nothing holds it back
    "new",  # the manifest has it, the journal does not
    "gone",  # the journal has it, the manifest does not
    "healthy",
]


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that ends a stretch of time: what, and at which second."""

    words: str
    at: float


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt that is over."""

    edge: str
    attempt: int
    began: float
    ended: float
    words: str  # what went wrong
    delay: float | None = None  # seconds to the next one; None: there was none


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one node is where it is."""

    node: str
    role: str
    state: str
    kind: Kind
    words: str  # after the node's name: "waits for servers-healthy"
    plural: str = ""  # after several names: "wait for servers-healthy"
    since: float | None = None
    bounds: tuple[Bound, ...] = ()
    edge: str = ""  # that it is on, waits to begin, or failed at
    attempt: int = 0
    waits_for: str = ""  # the signal or limiter
    have: tuple[str, ...] = ()  # nodes that brought the signal
    need: int = 0  # how many must bring the signal
    place: int = 0  # in the queue: how many come before it
    behind: tuple[str, ...] = ()  # nodes that it waits for; without any, it is a root
    now: str = ""  # the step at work, and the last command
    tried: tuple[Try, ...] = ()
    tries: str = ""  # how many of its tries are used up, where they are counted
    message: str = ""  # what went wrong
    remedy: str = ""
    next: tuple[str, ...] = ()  # the way ahead, edge by edge

    @property
    def is_well(self) -> bool:
        return self.kind == "healthy"
