"""What a run shows of the phases that models assume: the waits for them. Pure.

Only first attempts without a failure count: in others a node waits for what it did before.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from mk8s.distros.phases import Shown
from mk8s.timeline import Lane, Stretch, Timeline

__all__ = ["waits_in"]

STRAY = 3.0  # times the median: that node met something else


def waits_in(timeline: Timeline, shown: Shown) -> list[float]:
    """Seconds that each node of the role waited in that edge; empty where none did, or none cleanly."""
    found = [
        sum(step.seconds for step in attempt.steps if shown.is_wait(step.title))
        for lane in timeline.lanes
        if lane.role == shown.role
        for attempt in _clean(lane, shown.edge)
        if any(shown.is_wait(step.title) for step in attempt.steps)
    ]
    usual = median(found) if found else 0.0
    return [seconds for seconds in found if seconds <= STRAY * usual]


def _clean(lane: Lane, edge: str) -> Iterator[Stretch]:
    """The one attempt of a node at an edge, if it needed no other."""
    attempts = [s for s in lane.stretches if s.edge == edge and s.kind == "attempt"]
    if len(attempts) == 1 and attempts[0].outcome == "done":
        yield attempts[0]
