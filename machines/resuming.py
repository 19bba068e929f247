"""What a resume does with a node, by what the records say of it. Pure.

- in flight: it goes on at the same edge, with its attempt number, the tries of each clause and what
  is left of its deadline. Whether an attempt that was cut off had its effect, a probe must say.
- in a failure outcome, or blocked: a person ran it again, so it is put back to the source of the edge
  that failed, with new counters. After a rollback that is the source of the oldest edge undone.
- ended well, or between two edges: nothing, it is where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from machines.fold import Life

__all__ = ["Resumption", "resumption"]


@dataclass(frozen=True, slots=True)
class Resumption:
    """What becomes of one node when a run goes on. `to` equals `source` where it just continues."""

    node: str
    edge: str
    source: str
    to: str
    attempt: int
    used: float


def resumption(life: Life) -> Resumption | None:
    """What a resume does with this node; None when it is just where it is."""
    table = life.table
    if life.edge is not None:
        return Resumption(
            life.name, life.edge.edge, life.state, life.state, life.attempt, round(life.used, 6)
        )
    if table.outcome(life.state) == "failure" and life.failed_at is not None:
        return Resumption(life.name, life.failed_at.edge, life.state, _put_back_to(life), 0, 0.0)
    if life.blocked:
        return Resumption(life.name, "", life.state, life.state, 0, 0.0)
    return None


def _put_back_to(life: Life) -> str:
    """The source of the failed edge, or of the oldest edge that a rollback has undone."""
    undone = {edge for edge, _ in life.undone}
    sources = [entry.source for entry in life.finished if entry.edge in undone]
    if sources:
        return sources[0]
    return life.failed_at.source if life.failed_at else life.state
