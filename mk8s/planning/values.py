"""A plan as values: nodes, the edges ahead of each, and how each step stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.facts import Facts
from mk8s.forecast.predicting import Forecast
from mk8s.steps import Step, Upload, Verdict

__all__ = ["EdgePlan", "Look", "NodePlan", "Plan", "Standing", "StepLook", "StepPlan", "Stock"]

Standing: TypeAlias = Literal[
    "to-do",  # a run does it, unless it has become true by then
    "true",  # it is true on the node: a run skips it
    "unknown",  # it cannot be said before the run
    "wait",  # a condition that the run waits for; never asked before
]


@dataclass(frozen=True, slots=True)
class StepLook:
    """What one read-only look at a step found."""

    standing: Standing
    why: str = ""  # what was found, or why it cannot be known
    there: int = 0  # bytes of a file that arrived before and are not sent again
    diff: str = ""  # unified, from what is on the node to what is wanted; never a secret's


@dataclass(frozen=True, slots=True)
class Look:
    """What a node is and has now. Either `facts` are known or `error` says why nothing is."""

    facts: Facts | None = None
    error: str = ""
    remedy: str = ""
    unfit: str = ""  # why a run would set this node aside before anything is put on it
    health: Verdict | None = None  # asked where the journal says that it is healthy
    steps: Mapping[str, tuple[StepLook, ...]] = field(default_factory=dict)  # by edge, in the plan's order
    drift: tuple[tuple[Step, StepLook], ...] = ()  # files of edges that are done, not as they were written


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of an edge, and how it stands as far as that is known."""

    step: Step
    look: StepLook

    @property
    def is_ahead(self) -> bool:
        """Whether a run has to look at it and perhaps do it."""
        return self.look.standing != "true"


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """One edge of a node's way: its name, its words, what it waits for, its steps."""

    name: str
    title: str
    signal: str
    steps: tuple[StepPlan, ...]


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node: where a run would begin with it, what is behind it, and what is ahead."""

    node: Node
    state: str  # by the journal
    done: tuple[str, ...]  # titles of edges that the journal says are done
    edges: tuple[EdgePlan, ...]  # that a run would go through
    look: Look | None = None  # None: it was not asked
    is_done: bool = False  # it is where it should be, by the journal

    @property
    def nothing_to_do(self) -> bool:
        """Whether a run changes nothing on it, as far as is known."""
        steps = [step for edge in self.edges for step in edge.steps]
        return all(not step.is_ahead or step.look.standing == "wait" for step in steps)

    @property
    def rests(self) -> bool:
        """Whether it is healthy by the journal and by its own word, and a run would change nothing on it."""
        health = self.look.health if self.look else None
        return health is not None and health.met and self.nothing_to_do

    @property
    def bytes_to_send(self) -> int:
        """The most that this node receives: what is known to be there is not sent again."""
        return sum(
            step.step.source.size - step.look.there
            for edge in self.edges
            for step in edge.steps
            if isinstance(step.step, Upload) and step.is_ahead
        )


@dataclass(frozen=True, slots=True)
class Stock:
    """What is known of the release's files on this machine, for people."""

    assumed: Mapping[str, int] = field(default_factory=dict)  # files that are not here -> bytes assumed


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan. Nodes in the order in which they start."""

    cluster: Cluster
    nodes: tuple[NodePlan, ...]
    forecast: Forecast | None  # None: nothing is left to be run, or `is_unsaid`
    stock: Stock = field(default_factory=Stock)
    notes: tuple[str, ...] = ()  # what the prediction leaves out, for people

    @property
    def bytes_to_send(self) -> int:
        """The most that all nodes together receive."""
        return sum(plan.bytes_to_send for plan in self.nodes)

    @property
    def is_unsaid(self) -> bool:
        """Whether nothing can be said of the run, such as of one that would be refused; `notes` say why."""
        return self.forecast is None and bool(self.notes)

    @property
    def ill(self) -> tuple[str, ...]:
        """Nodes that were healthy, and said when they were asked that they are not any more."""
        looks = [(plan.node.name, plan.look.health) for plan in self.nodes if plan.look]
        return tuple(name for name, health in looks if health and not health.met)

    @property
    def mute(self) -> tuple[str, ...]:
        """Nodes that were asked and did not answer."""
        return tuple(plan.node.name for plan in self.nodes if plan.look and plan.look.error)

    @property
    def needs_a_look(self) -> bool:
        """Whether a node was asked and did not answer, is not well any more, or will not become healthy."""
        if self.is_unsaid or (self.forecast and self.forecast.troubles):
            return True
        return bool(self.ill or self.mute)
