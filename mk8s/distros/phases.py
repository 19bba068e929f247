"""Where a real run shows how long things take that a model only assumes, as data beside the model.

A model's durations have names: operations, phases (with a colon) and rates; see `transports.simulated.pace`.
A run's transcript shows operations as they are. What it shows of a phase is the waits for it: `Shown` says
which.

Values alone: whoever learns durations reads them, and models stand beside them. It knows no distro.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["Phases", "Shown"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The waits of one edge by a node of one role, in a first attempt, are so long as these phases are.

    `waits`: patterns (as of `fnmatch`) of the titles of those wait-for steps, whose seconds add up.
    The phase took what they took together, less what the phases in `minus` take.
    """

    phase: str  # such as rke2:server-first-start
    edge: str  # of the node machine, such as join-server
    role: str  # primary, server or agent
    waits: tuple[str, ...]
    minus: tuple[str, ...] = ()

    def is_wait(self, title: str) -> bool:
        """Whether a wait-for step of that title is one of them."""
        return any(fnmatchcase(title, pattern) for pattern in self.waits)


@dataclass(frozen=True, slots=True)
class Phases:
    """All that a driver's model lets a run show. A phase may be shown in several places."""

    shown: Sequence[Shown] = ()
