"""Which edges are ahead of each node, and which steps they consist of. Pure: it connects to nothing.

The steps come from the same driver that a run uses. What a host has already is known where it was asked
(`looking`); without that every step is shown, and a run skips those whose check is already true.

Begin reading at `make_plan`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from machines import EdgeSpec, History, MachineSpec
from machines.resuming import resumption
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Distro, Situation
from mk8s.facts import Facts
from mk8s.needs import Kept, pretend
from mk8s.planning.values import EdgePlan, Look, NodePlan, StepLook, StepPlan
from mk8s.rehearsal import TOKEN
from mk8s.secrets import HIDDEN
from mk8s.steps import Step, WaitFor
from mk8s.tables import next_edge
from transports.base import File

__all__ = ["REFRESH", "Ground", "edges_ahead", "edges_behind", "make_plan", "places_in", "steps_of"]

REFRESH = "refresh"
REFRESHING = "learn of nodes that were added"
WAIT, TO_DO = StepLook("wait"), StepLook("to-do")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plan stands on: the manifest, its table, the release, and where nodes are by the journal."""

    cluster: Cluster
    distro: Distro
    machine: MachineSpec
    release: Mapping[str, File]
    images: tuple[str, ...] = ()  # names of those that the release holds
    states: Mapping[str, str] = field(
        default_factory=dict
    )  # where a run begins with each node; who is missing has not begun
    token: str = HIDDEN
    kept: Kept | None = None  # None: pretended

    def state_of(self, node: Node) -> str:
        return self.states.get(node.name, self.machine.initial)

    def situation(self, node: Node, facts: Facts | None = None) -> Situation:
        """All that the driver may know before the run."""
        kept = pretend(self.distro.needs(self.cluster)) if self.kept is None else self.kept
        return Situation(self.cluster, node, facts, self.release, self.token, kept, self.images)

    def on_models(self) -> Ground:
        """The same as a rehearsal knows it: with its token, and with keys that are pretended."""
        return replace(self, token=TOKEN, kept=None)


def places_in(history: History) -> dict[str, str]:
    """Where a run would begin with each node: one that failed is put back to where its edge began."""
    found = {}
    for name, life in history.lives.items():
        again = resumption(life)
        found[name] = (again.to if again and again.to else life.state).partition("~")[0]
    return found


def make_plan(ground: Ground, looks: Mapping[str, Look] | None = None) -> tuple[NodePlan, ...]:
    """The plan of every node, in the order in which they start."""
    found = looks or {}
    return tuple(_node_plan(ground, node, found.get(node.name)) for node in ground.cluster.nodes)


def _node_plan(ground: Ground, node: Node, look: Look | None) -> NodePlan:
    situation = ground.situation(node, look.facts if look else None)
    return NodePlan(
        node,
        ground.state_of(node),
        tuple(edge.title or edge.name for edge in edges_behind(ground, node) if edge.do),
        tuple(_edge_plans(ground, situation, look)),
        look,
        is_done(ground, node),
    )


def _edge_plans(ground: Ground, situation: Situation, look: Look | None) -> Iterator[EdgePlan]:
    seen = look.steps if look else {}
    for edge in edges_ahead(ground, situation.node):
        if edge.do:
            steps = steps_of(ground.distro, edge, situation)
            yield EdgePlan(
                edge.name, edge.title or edge.name, edge.signal or "", _plans(steps, seen.get(edge.name, ()))
            )
    if is_done(ground, situation.node):
        steps = ground.distro.refresh(situation)
        if steps:
            yield EdgePlan(REFRESH, REFRESHING, "", _plans(steps, seen.get(REFRESH, ())))


def _plans(steps: list[Step], looks: tuple[StepLook, ...]) -> tuple[StepPlan, ...]:
    """Each with what was found; where nothing was looked at, all are to be done or waited for."""
    if len(looks) != len(steps):
        looks = tuple(WAIT if isinstance(step, WaitFor) else TO_DO for step in steps)
    return tuple(StepPlan(step, look) for step, look in zip(steps, looks, strict=True))


def steps_of(distro: Distro, edge: EdgeSpec, situation: Situation) -> list[Step]:
    """The steps of an edge on a node; none for one that only passes."""
    known = {
        "stage": distro.stage,
        "bootstrap": distro.bootstrap,
        "start": distro.start,
        "join": distro.join,
        "verify": distro.verify,
    }
    return known[edge.do](situation) if edge.do else []


def is_done(ground: Ground, node: Node) -> bool:
    """Whether the journal says that the node is where it should be."""
    state = ground.machine.states.get(ground.state_of(node))
    return state is not None and state.outcome == "success"


def edges_ahead(ground: Ground, node: Node) -> tuple[EdgeSpec, ...]:
    """From where a run would begin with the node to the end of its way."""
    return tuple(_walk(ground.machine, node, ground.state_of(node), ""))


def edges_behind(ground: Ground, node: Node) -> tuple[EdgeSpec, ...]:
    """From the very beginning to where a run would begin with the node."""
    return tuple(_walk(ground.machine, node, ground.machine.initial, ground.state_of(node)))


def _walk(machine: MachineSpec, node: Node, state: str, until: str) -> Iterator[EdgeSpec]:
    while state != until:
        edge = next_edge(machine, state, node.role)
        if edge is None:
            return
        yield edge
        state = edge.to
