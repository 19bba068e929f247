"""What an edge does on one node: no black boxes. Its conditions, its steps with commands, what came of it.

The steps are the driver's own, as a run would do them, with what is secret left out. What came of them is
from the journal and the transcript, where there are any. Begin reading at `edge_view`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machines import EdgeSpec, MachineSpec
from machines.diagrams.picture import again_in_words, bounds_in_words, catch_in_words, opening_in_words
from machines.signals import listed
from machines.words import did_you_mean, one_line, printable
from mk8s.amounts import duration, length
from mk8s.cluster import Node
from mk8s.errors import UsageError
from mk8s.explaining.now import ground_of, step_in_words
from mk8s.identity import Simulation
from mk8s.last_words import MARK
from mk8s.past import Past, find_past, transcript_beside
from mk8s.planning.making import steps_of
from mk8s.planning.text import detail
from mk8s.project import Project
from mk8s.release import inspect_release
from mk8s.steps import Step
from mk8s.tables import is_for, node_machine
from mk8s.timeline import Stretch, timeline_of
from mk8s.transcript import StepDone
from mk8s.working import KINDS
from transports.base import File

__all__ = ["EdgeView", "edge_as_data", "edge_as_text", "edge_view"]

INDENT = "      "


@dataclass(frozen=True, slots=True)
class EdgeView:
    """An edge on a node. `done`: the last time that each step was gone through, by its title."""

    node: Node
    edge: EdgeSpec
    spec: MachineSpec
    steps: tuple[Step, ...]
    attempts: tuple[Stretch, ...]
    done: Mapping[str, StepDone]
    assumed: tuple[str, ...] = ()  # files that are not here: their sizes and hashes are made up
    simulation: Simulation | None = None  # that wrote what came of it; None: real nodes said so


def edge_view(project: Project, node: Node, name: str, state: Path | None) -> EdgeView:
    """Raises UsageError for an edge that the machine lacks, or that this node does not take."""
    cluster = project.cluster
    spec = node_machine(cluster, pacing=project.distro.pacing(cluster))
    edge = _edge(spec, node, name)
    steps, assumed = _steps(project, spec, node, edge)
    past = find_past(project, state)
    attempts = _attempts(project, state, past, node, edge)
    done = {step.title: step for attempt in attempts for step in attempt.steps}
    simulation = past.simulation if past else None
    return EdgeView(node, edge, spec, steps, attempts, done, assumed, simulation)


def _steps(
    project: Project, spec: MachineSpec, node: Node, edge: EdgeSpec
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The driver's, and the files in them that are not here. Files are hashed only where steps name any."""
    ground = ground_of(project, spec)
    steps = steps_of(ground.distro, edge, ground.situation(node))
    named = {name: file for name, file in ground.release.items() if _is_named(file, steps)}
    if not named:
        return tuple(steps), ()
    found = inspect_release(project.cluster, project.distro).files
    ground = ground_of(project, spec, found)
    steps = steps_of(ground.distro, edge, ground.situation(node))
    return tuple(steps), tuple(file.path.name for name, file in named.items() if name not in found)


def _is_named(file: File, steps: Sequence[Step]) -> bool:
    return any(file.sha256 in detail(step) for step in steps)


def _edge(spec: MachineSpec, node: Node, name: str) -> EdgeSpec:
    own = [edge.name for edge in spec.edges if is_for(node.role, edge)]
    found = next((edge for edge in spec.edges if edge.name == name), None)
    if found is None:
        raise UsageError(f"there is no edge {name!r}", remedy=did_you_mean(name, own))
    if name not in own:
        raise UsageError(
            f"{node.name} never takes the edge {name}: its role is {node.role}",
            remedy=f"its edges are {', '.join(own)}",
        )
    return found


def _attempts(
    project: Project, state: Path | None, past: Past | None, node: Node, edge: EdgeSpec
) -> tuple[Stretch, ...]:
    if past is None:
        return ()
    transcript = transcript_beside(project, state, past.records)
    timeline = timeline_of(past.records, past.history.table.spec, transcript)
    lane = next((lane for lane in timeline.lanes if lane.node == node.name), None)
    stretches = lane.stretches if lane else ()
    return tuple(s for s in stretches if s.kind == "attempt" and s.edge == edge.name)


def edge_as_text(view: EdgeView) -> str:
    """For people: the conditions, each step with its commands, the attempts."""
    edge = view.edge
    lines = [
        *([f"note: {view.simulation.words}"] if view.simulation else []),
        f"{edge.name} on {view.node.name} ({view.node.role}): {edge.title or edge.name}",
        f"  from {', '.join(edge.sources)} to {edge.to}",
        *(f"  {line}" for line in _conditions(view)),
        *(["its steps, of which those that are true already are skipped:"] if view.steps else []),
        *(line for number, step in enumerate(view.steps, 1) for line in _step(number, step, view)),
        *(
            [f"not here yet, so its size and sha256 are made up: {listed(view.assumed)}"]
            if view.assumed
            else []
        ),
        *_came(view.attempts),
    ]
    return printable("\n".join(lines))


def _conditions(view: EdgeView) -> Iterator[str]:
    """The machine's own words; the same that the picture has."""
    edge = view.edge
    opening = [line for line in opening_in_words(view.spec, edge) if line != edge.name]
    if opening:
        yield f"opens: {'; '.join(opening)}"
    if bounds_in_words(edge):
        yield f"bounds: {bounds_in_words(edge)}"
    yield from (again_in_words(clause) for clause in edge.retry)
    yield from (f"{', '.join(catch_in_words(clause))} -> {clause.to}" for clause in edge.catch)
    if edge.probe:
        yield f"before an attempt whose end nobody saw is repeated: {edge.probe} asks the node"
    if edge.undo:
        yield f"taken back by: {', '.join(edge.undo)}"
    if not edge.do:
        yield "does nothing on the node: it is taken at once"


def _step(number: int, step: Step, view: EdgeView) -> Iterator[str]:
    yield f"  {number:>2}. {step_in_words(step)}{_done(view.done.get(step.title))}"
    yield from (f"{INDENT}{line}" for line in detail(step).splitlines())


def _done(step: StepDone | None) -> str:
    if step is None:
        return ""
    if step.status != 0:
        return f"   [{step.status}, at {duration(step.at)} of the run, after {length(step.seconds)}]"
    what = "changed" if step.changed else "seen" if step.kind == "wait-for" else "true already"
    return f"   [{what}, at {duration(step.at)} of the run, in {length(step.seconds)}]"


def _came(attempts: Sequence[Stretch]) -> Iterator[str]:
    if attempts:
        yield "what came of it:"
    for each in attempts:
        words = one_line(each.words.split(MARK)[0])
        end = {"done": "done", "open": "goes on", "stopped": "cut off"}.get(each.outcome, f"failed: {words}")
        yield f"  {duration(each.began):>7}  attempt {each.attempt}, {duration(each.seconds)}: {end}"


def edge_as_data(view: EdgeView) -> dict[str, Any]:
    """As JSON values; see docs/explain.md."""
    edge = view.edge
    return {
        "node": view.node.name,
        "edge": edge.name,
        "title": edge.title,
        "from": edge.sources,
        "to": edge.to,
        "conditions": list(_conditions(view)),
        "steps": [_step_as_data(step, view.done.get(step.title)) for step in view.steps],
        "assumed": list(view.assumed),
        "simulated": view.simulation is not None,
        "attempts": [
            {
                "attempt": each.attempt,
                "began": each.began,
                "ended": each.ended,
                "outcome": each.outcome,
                "message": one_line(each.words.split(MARK)[0]),
            }
            for each in view.attempts
        ],
    }


def _step_as_data(step: Step, done: StepDone | None) -> dict[str, Any]:
    last = None
    if done is not None:
        last = {"at": done.at, "seconds": done.seconds, "status": done.status, "changed": done.changed}
    return {"kind": KINDS[type(step)], "title": step.title, "detail": detail(step), "last": last}
