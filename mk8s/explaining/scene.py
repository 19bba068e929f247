"""What is known when somebody asks why: the run, what was done on the nodes, and when now is. Pure.

The second of the run that is now is known only while a run goes on: its header says by the wall clock when
it began, to the second. It is off by as much as that clock was set since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from machines import EdgeSpec, History, Life, MachineSpec, Record
from mk8s.cluster import Cluster
from mk8s.identity import Simulation
from mk8s.tables import is_for, next_edge
from mk8s.timeline import Lane, Stretch, Timeline
from mk8s.transcript import NOTHING_DONE, CommandDone, StepDone, Transcript

__all__ = ["Going", "Phase", "Scene", "second_now"]

Titles = Callable[[str, EdgeSpec], Mapping[str, str]]  # node and edge -> its steps: title to words for "now"


@dataclass(frozen=True, slots=True)
class Going:
    """A run that goes on."""

    holder: str  # who it is, in words
    now: float | None  # second of the run; None: it cannot be known


@dataclass(frozen=True, slots=True)
class Phase:
    """What a node in flight does, and since when."""

    kind: Literal["attempt", "undo", "back-off", "queue"]
    began: float
    stretch: Stretch | None


def _no_titles(_node: str, _edge: EdgeSpec) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Scene:
    """Everything that an explanation is made from."""

    cluster: Cluster
    history: History
    timeline: Timeline
    words: str  # what names the cluster on a command line
    transcript: Transcript = NOTHING_DONE
    going: Going | None = None  # None: no run goes on, as far as can be seen
    titles: Titles = field(default=_no_titles)
    simulation: Simulation | None = None  # that wrote the journal; None: what it says was done to real nodes

    @property
    def now(self) -> float:
        """The second that ages are told by: now, or that of the last record."""
        known = self.going.now if self.going else None
        return self.history.at if known is None else max(known, self.history.at)

    @property
    def is_now_known(self) -> bool:
        return self.going is not None and self.going.now is not None

    @property
    def spec(self) -> MachineSpec:
        return self.history.table.spec

    @cached_property
    def lanes(self) -> Mapping[str, Lane]:
        return {lane.node: lane for lane in self.timeline.lanes}

    @cached_property
    def own_records(self) -> Mapping[str, Sequence[Record]]:
        """Each node's records, in order."""
        found: dict[str, list[Record]] = {}
        for record in self.timeline.records:
            if record.node:
                found.setdefault(record.node, []).append(record)
        return found

    @cached_property
    def last_commands(self) -> Mapping[str, CommandDone]:
        """The last command on each node."""
        return {command.node: command for command in self.transcript.commands}

    @cached_property
    def _steps(self) -> Mapping[str, Sequence[StepDone]]:
        found: dict[str, list[StepDone]] = {}
        for step in self.transcript.steps:
            found.setdefault(step.node, []).append(step)
        return found

    def steps_of(self, node: str) -> Sequence[StepDone]:
        """The steps that ended on a node, also those since the last record."""
        return self._steps.get(node, ())

    def life(self, node: str) -> Life | None:
        return self.history.lives.get(node)

    def ahead(self, life: Life) -> list[EdgeSpec]:
        """The edges that the node may take from here, its role's own."""
        return [e for e in self.spec.edges if life.state in e.sources and is_for(life.role, e)]

    def open_stretch(self, node: str) -> Stretch | None:
        """What the node did or waited for at the last record."""
        lane = self.lanes.get(node)
        last = lane.stretches[-1] if lane and lane.stretches else None
        return last if last and last.outcome == "open" else None

    def phase(self, life: Life, edge: EdgeSpec) -> Phase:
        """What a node that is in flight does now. A wait that is over by now waits for its place."""
        stretch = self.open_stretch(life.name)
        own = self.own_records.get(life.name, ())
        last = next((r for r in reversed(own) if r.kind in ("intent", "retry")), None)
        if stretch is not None and stretch.kind in ("attempt", "undo"):
            return Phase("undo" if stretch.kind == "undo" else "attempt", stretch.began, stretch)
        if last is None or last.kind == "intent":
            return Phase("attempt", last.at if last else self.since(life.name), stretch)
        due = last.at + last.delay
        if edge.limit and edge.limit_scope == "attempt" and self.now > due:
            return Phase("queue", due, stretch)
        return Phase("back-off", last.at, stretch)

    def since(self, node: str) -> float:
        """When the node came to the state where it is."""
        own = self.own_records.get(node, ())
        return next((r.at for r in reversed(own) if r.kind in ("state", "resumed") and r.to), 0.0)

    def way(self, state: str, role: str) -> list[EdgeSpec]:
        """The edges to the end, where nothing goes wrong."""
        found: list[EdgeSpec] = []
        while len(found) <= len(self.spec.edges):
            edge = next_edge(self.spec, state, role)
            if edge is None:
                break
            found.append(edge)
            state = edge.to
        return found


def second_now(records: Sequence[Record], wall: datetime) -> float | None:
    """Which second of the run it is, by a wall clock with a zone; None where the journal does not say."""
    last = next((r for r in reversed(records) if r.header is not None), None)
    if last is None or last.header is None:
        return None
    try:
        passed = wall - datetime.fromisoformat(last.header.started)
    except (ValueError, TypeError):
        return None
    return last.at + passed.total_seconds()
