"""How long things take on modelled hosts: durations by name, and what the links between carry.

Two kinds of names: an operation of a command (``rke2.place-install``) says how long the host works on that
command; a phase, with a colon (``rke2:server-first-start``), says how long a part of a service's life takes.
Whoever writes a model declares the defaults beside it; what was measured or given lies above them.

A draw is keyed, never streamed: the same seed, host, name and count give the same seconds. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from zlib import crc32

__all__ = ["QUICK", "Links", "Pace", "Span"]

GIGABIT = 125_000_000.0  # bytes per second


@dataclass(frozen=True, slots=True)
class Span:
    """Between `low` and `high` seconds, and beside that the size of what is worked on by `rate`."""

    low: float  # seconds
    high: float  # seconds
    rate: float = inf  # bytes per second

    def at(self, share: float, size: int = 0) -> float:
        """The seconds at a share from 0 (the quickest) to 1 (the slowest)."""
        return self.low + (self.high - self.low) * share + size / self.rate


QUICK = Span(0.01, 0.03)
"""A shell that looks at something: what a command takes that nobody said anything about."""


@dataclass(frozen=True, slots=True)
class Links:
    """The operator's side, and the roads to the hosts."""

    uplink: float = GIGABIT  # bytes per second of this machine, to all hosts together
    link: float = GIGABIT  # bytes per second of each host
    latency: float = 0.005  # seconds of one round trip
    operator: float = 0.0  # seconds of this machine's own work for each command; one at a time


@dataclass(slots=True)
class Pace:
    """All durations of one simulation. `given` wins over what models declare."""

    given: Mapping[str, Span] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    seed: int = 0
    _declared: dict[str, Span] = field(default_factory=dict)

    def declare(self, defaults: Mapping[str, Span]) -> None:
        """What a model takes as long as nobody says otherwise. The same again is fine."""
        self._declared.update(defaults)

    @property
    def declared(self) -> Mapping[str, Span]:
        """Every name that a model has declared, with its default."""
        return self._declared

    def span(self, name: str) -> Span:
        """What holds for a name: given, else declared, else QUICK."""
        return self.given.get(name) or self._declared.get(name, QUICK)

    def seconds(self, host: str, name: str, count: int, size: int = 0) -> float:
        """How long it takes on that host the `count`-th time (from 1)."""
        share = crc32(f"{self.seed}/{host}/{name}/{count}".encode()) / 0xFFFFFFFF
        return self.span(name).at(share, size)
