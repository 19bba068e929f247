"""What a node's task needs from the rest of the run, and the two small things they share.

A `Node` is a member at its place in the plan, with its life. The `Crew` port keeps the node's side
(`node`, `attempts`) from knowing the supervisor.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import trio

from machines.fold import Life
from machines.gate import Gate
from machines.limiter import Limiter
from machines.logbook import Logbook
from machines.records import Kind, Record
from machines.registry import Member, Registry
from machines.table import Table

__all__ = ["Crew", "Node", "StopRequested", "Walker"]


class StopRequested(Exception):  # noqa: N818 - not an error: someone asked the run to stop
    """The node may begin nothing new. Never leaves the room."""


@dataclass(slots=True)
class Node:
    """A member of the run. `position` is its place in the plan: the lower, the sooner it is served."""

    member: Member
    position: int
    life: Life
    pause: trio.CancelScope | None = None  # a wait that a stop ends at once


class Walker:
    """What the table moves, and what a guard sees: the member, with a state that may be tried out."""

    def __init__(self, member: Member, state: str) -> None:
        self.member = member
        self.state = state

    def __getattr__(self, name: str) -> Any:
        return getattr(self.member, name)


class Crew(Protocol):
    """The run, as one node's task sees it."""

    table: Table
    registry: Registry
    logbook: Logbook
    gate: Gate
    limiters: Mapping[str, Limiter]
    seed: int

    @property
    def stopping(self) -> bool:
        """Whether nothing new may begin."""
        ...

    def record(self, node: Node, kind: Kind, **fields: Any) -> Record:
        """Append a record of this node."""
        ...

    def pausing(self, node: Node) -> AbstractContextManager[None]:
        """A wait that is no work: a stop ends it at once, as `StopRequested`."""
        ...
