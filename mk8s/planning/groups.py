"""Nodes whose plan reads the same, together, and when what they share is expected. Pure.

Begin reading at `groups_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mk8s.amounts import length
from mk8s.planning.expected import Expected, expected_of
from mk8s.planning.values import NodePlan, Plan, StepPlan
from mk8s.transcript import StepDone

__all__ = ["Group", "Times", "groups_of"]

NAMED = 12  # nodes of a group


@dataclass(frozen=True, slots=True)
class Times:
    """When an edge is expected and how long its steps take, in words; empty where nothing is expected."""

    when: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes of one role, in the order in which they start; `times` by edge."""

    members: tuple[NodePlan, ...]
    times: Mapping[str, Times]

    @property
    def first(self) -> NodePlan:
        """One of them: the plans of all read as this one."""
        return self.members[0]

    @property
    def heading(self) -> str:
        names = ", ".join(f"{plan.node.name} ({plan.node.address})" for plan in self.members[:NAMED])
        more = len(self.members) - NAMED
        return f"{self.first.node.role}: {names}" + (f" and {more} more" if more > 0 else "")


def groups_of(plan: Plan, read: Callable[[NodePlan], Sequence[str]]) -> list[Group]:
    """`read`: a node's plan as it is shown, without times."""
    spans = expected_of(plan.forecast)
    found: dict[tuple[str, ...], list[NodePlan]] = {}
    for node in plan.nodes:
        found.setdefault((node.node.role, *read(node)), []).append(node)
    return [Group(tuple(members), _times(members, spans)) for members in found.values()]


def _times(members: Sequence[NodePlan], spans: Mapping[tuple[str, str], Expected]) -> dict[str, Times]:
    found = {}
    for place, edge in enumerate(members[0].edges):
        expected = [spans.get((member.node.name, edge.name)) for member in members]
        known = [one for one in expected if one is not None]
        done = [one.of(member.edges[place]) for one, member in zip(expected, members, strict=True) if one]
        steps = [
            _seconds(step, column) for step, column in zip(edge.steps, zip(*done, strict=True), strict=False)
        ]
        found[edge.name] = Times(_when(known), tuple(steps) or ("",) * len(edge.steps))
    return found


def _when(expected: Sequence[Expected]) -> str:
    """From the first beginning to the last end."""
    if not expected:
        return ""
    return f"{length(min(one.began for one in expected))} to {length(max(one.ended for one in expected))}"


def _seconds(plan: StepPlan, column: Sequence[StepDone | None]) -> str:
    """Of the quickest and of the slowest; whether an earlier step will have made it true by then."""
    steps = [step for step in column if step is not None]
    if not steps or not plan.is_ahead:
        return ""
    low, high = (length(choose(step.seconds for step in steps)) for choose in (min, max))
    then = "" if any(step.changed or step.kind == "wait-for" for step in steps) else ", true by then"
    return (low if low == high else f"{low} to {high}") + then
