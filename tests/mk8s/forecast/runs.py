"""Runs to learn from, without hosts: rehearsals, as if they had been kept in a state folder."""

from __future__ import annotations

from pathlib import Path

from machines.simulation import FaultPlan
from mk8s.cluster import Cluster
from mk8s.distros.base import load_distro
from mk8s.forecast.earlier import EarlierRun
from mk8s.forecast.profile import Profile
from mk8s.rehearsal import Conditions, rehearse
from mk8s.tables import node_machine
from mk8s.timeline import timeline_of
from mk8s.transcript import CommandDone

__all__ = ["command", "kept"]


def kept(cluster: Cluster, profile: Profile, *, seed: int = 3, faults: FaultPlan | None = None) -> EarlierRun:
    """A run that took as long as the profile says."""
    distro = load_distro(cluster.distro)
    done = rehearse(Conditions(cluster, distro, profile=profile), seed, faults=faults, keep_transcript=True)
    spec = node_machine(cluster, pacing=distro.pacing(cluster))
    timeline = timeline_of(done.records, spec, done.transcript)
    return EarlierRun(Path("earlier"), cluster, distro, done.records, done.transcript, timeline)


def command(
    operation: str, at: float, seconds: float, *, status: int | str = 0, size: int = 0, node: str = "a"
) -> CommandDone:
    """One line of a transcript."""
    return CommandDone(node, operation, operation, at, seconds, status, size, changed=True)
