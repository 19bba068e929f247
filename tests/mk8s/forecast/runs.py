"""Runs to learn from, without hosts: rehearsals, as if they had been kept in a state folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from machines.simulation import FaultPlan
from mk8s.cluster import Cluster
from mk8s.distros.base import load_distro
from mk8s.forecast.earlier import EarlierRun
from mk8s.forecast.profile import Profile
from mk8s.rehearsal import Conditions, nominal_release, rehearse
from mk8s.tables import node_machine
from mk8s.timeline import timeline_of
from mk8s.transcript import CommandDone

__all__ = ["command", "kept"]


def kept(
    cluster: Cluster,
    profile: Profile,
    *,
    seed: int = 3,
    faults: FaultPlan | None = None,
    size: int | None = None,
) -> EarlierRun:
    """A run that took as long as the profile says. `size`: of each file, in bytes; None: the nominal ones."""
    distro = load_distro(cluster.distro)
    release = {
        name: replace(file, size=file.size if size is None else size)
        for name, file in nominal_release(cluster, distro).items()
    }
    conditions = Conditions(cluster, distro, profile, release=release)
    done = rehearse(conditions, seed, faults=faults, keep_transcript=True)
    spec = node_machine(cluster, pacing=distro.pacing(cluster))
    timeline = timeline_of(done.records, spec, done.transcript)
    return EarlierRun(Path("earlier"), cluster, distro, done.records, done.transcript, timeline)


def command(
    operation: str, at: float, seconds: float, *, status: int | str = 0, size: int = 0, node: str = "a"
) -> CommandDone:
    """One line of a transcript."""
    return CommandDone(node, operation, operation, at, seconds, status, size, changed=True)
