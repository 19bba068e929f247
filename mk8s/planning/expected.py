"""When what is planned is expected: the middle seed's timeline, looked up by node, edge and step. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mk8s.forecast.predicting import Forecast
from mk8s.planning.values import EdgePlan
from mk8s.transcript import StepDone

__all__ = ["Expected", "expected_of"]


@dataclass(frozen=True, slots=True)
class Expected:
    """One edge of one node, in seconds from the beginning of this run."""

    began: float
    ended: float
    steps: tuple[StepDone, ...]  # in order; of all attempts

    def of(self, edge: EdgePlan) -> list[StepDone | None]:
        """What is expected of each step of the plan; None where it is not gone through."""
        rest = list(self.steps)
        found: list[StepDone | None] = []
        for plan in edge.steps:
            place = next((i for i, done in enumerate(rest) if done.title == plan.step.title), None)
            found.append(None if place is None else rest[place])
            rest = rest if place is None else rest[place + 1 :]
        return found


def expected_of(forecast: Forecast | None) -> Mapping[tuple[str, str], Expected]:
    """By node and edge. Empty without a forecast."""
    if forecast is None:
        return {}
    found: dict[tuple[str, str], Expected] = {}
    for lane in forecast.timeline.lanes:
        for stretch in lane.stretches:
            if stretch.kind == "attempt" and stretch.ended > forecast.began:
                key = (lane.node, stretch.edge)
                began, ended = (max(0.0, at - forecast.began) for at in (stretch.began, stretch.ended))
                found[key] = _longer(found.get(key), Expected(began, ended, stretch.steps))
    return found


def _longer(before: Expected | None, more: Expected) -> Expected:
    if before is None:
        return more
    steps: Sequence[StepDone] = (*before.steps, *more.steps)
    return Expected(before.began, more.ended, tuple(steps))
