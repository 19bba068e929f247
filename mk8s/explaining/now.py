"""The scene of a project as its state folder tells it now: the only module here that reads files.

The journal is read without its lock and nothing is changed. Begin reading at `scene_now`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from machines import EdgeSpec, MachineSpec
from mk8s.explaining.scene import Going, Scene, second_now
from mk8s.past import Past, holder_of, read_past, transcript_beside
from mk8s.planning.making import Ground, steps_of
from mk8s.project import Project
from mk8s.rehearsal import nominal_release
from mk8s.steps import Step, WaitFor
from mk8s.timeline import timeline_of
from transports.base import File

__all__ = ["ground_of", "scene_now", "step_in_words"]


def scene_now(project: Project, state: Path | None) -> Scene:
    """Raises Mk8sError when there is no journal, or one that cannot be trusted."""
    going = _going(project, state)  # before the journal is read: a run that ends between is then seen to end
    past = read_past(project, state)
    transcript = transcript_beside(project, state, past.records)
    spec = past.history.table.spec
    ground = ground_of(project, spec)

    @cache
    def titles(node: str, edge: str) -> Mapping[str, str]:
        steps = _steps(ground, node, past.history.table.edges[edge])
        return {step.title: step_in_words(step) for step in steps}

    return Scene(
        project.cluster,
        past.history,
        timeline_of(past.records, spec, transcript),
        project.words(state),
        transcript,
        _with_now(going, past),
        lambda node, edge: titles(node, edge.name),
        past.simulation,
    )


def ground_of(project: Project, spec: MachineSpec, found: Mapping[str, File] | None = None) -> Ground:
    """What the driver's steps are made from. Files not `found` are nominal: their names are right."""
    cluster, distro = project.cluster, project.distro
    return Ground(cluster, distro, spec, {**nominal_release(cluster, distro), **(found or {})})


def _steps(ground: Ground, node: str, edge: EdgeSpec) -> list[Step]:
    found = next((each for each in ground.cluster.nodes if each.name == node), None)
    return steps_of(ground.distro, edge, ground.situation(found)) if found else []


def step_in_words(step: Step) -> str:
    """What a step does while it does it."""
    return f"waits until: {step.title}" if isinstance(step, WaitFor) else step.title


def _going(project: Project, state: Path | None) -> Going | None:
    holder = holder_of(project.past_state(state).journal)
    return Going(f"process {holder.pid}, since {holder.since}", None) if holder else None


def _with_now(going: Going | None, past: Past) -> Going | None:
    if going is None or past.history.finished:
        return None
    return Going(going.holder, second_now(past.records, datetime.now(UTC)))
