"""Rollouts that are broken on purpose: what the modelled world sees is caught under its own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from machines.simulation import INVARIANTS, Broken, FaultPlan, ScriptedFault
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro, Situation, load_distro
from mk8s.distros.kubeadm.driver import Kubeadm
from mk8s.distros.rancher.model import world_of
from mk8s.distros.rancher.world import Member, World
from mk8s.distros.rke2.driver import Rke2
from mk8s.distros.vanilla.driver import Vanilla
from mk8s.rehearsal import Conditions, rehearse
from mk8s.steps import Run, Step, WriteFile
from tests.machines.simulation.mutants import MUTANTS as OF_THE_ENGINE
from tests.mk8s.examples import cluster
from transports.simulated import SimulatedHost, SimulatedNetwork


class LaxWorld(World):
    """An etcd that takes as many learners as come."""

    def find_learner(self) -> Member | None:
        return None


class ManyLearners(Rke2):
    """RKE2 on such an etcd."""

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        super().model(host, network, cluster)
        world_of(network).__class__ = LaxWorld


class ManyFirstServers(Rke2):
    """Each server is configured as the one that makes the cluster."""

    def bootstrap(self, s: Situation) -> list[Step]:
        return super().bootstrap(_as_first(s))

    def join(self, s: Situation) -> list[Step]:
        return super().start(_as_first(s)) if s.node.is_server else super().join(s)


def _as_first(s: Situation) -> Situation:
    return replace(s, node=replace(s.node, role="primary")) if s.node.is_server else s


class OneName(Vanilla):
    """Each kubelet says that it is the same node."""

    def bootstrap(self, s: Situation) -> list[Step]:
        return [_renamed(step, s.node.name) for step in super().bootstrap(s)]

    def join(self, s: Situation) -> list[Step]:
        return [_renamed(step, s.node.name) for step in super().join(s)]


def _renamed(step: Step, name: str) -> Step:
    if not isinstance(step, WriteFile):
        return step
    told = f"--hostname-override={name}".encode()
    return replace(step, content=step.content.replace(told, b"--hostname-override=srv-1"))


class TellsItsKey(Kubeadm):
    """Says in the words of a command what no journal may hold."""

    def join(self, s: Situation) -> list[Step]:
        return [_telling(step, s.kept.words["certificate-key"]) for step in super().join(s)]


def _telling(step: Step, key: str) -> Step:
    if not isinstance(step, Run):
        return step
    return replace(step, command=replace(step.command, description=f"use {key}"))


class BelievesIt(Vanilla):
    """Whoever has started is well: nobody is asked."""

    def verify(self, s: Situation) -> list[Step]:
        return []


NO_LIMIT = replace(cluster(), limits={"etcd-joins": 5})

MUTANTS: Mapping[str, tuple[str, Distro, Cluster]] = {
    "joins are not limited, and etcd lets them": ("one-learner", ManyLearners(), NO_LIMIT),
    "every server makes a cluster": ("one-cluster", ManyFirstServers(), cluster()),
    "nobody is asked whether he is well": ("well-first", BelievesIt(), replace(cluster(), distro="vanilla")),
    "two hosts have one name": ("world-sound", OneName(), replace(cluster(), distro="vanilla")),
}


@pytest.mark.parametrize("broken", MUTANTS)
def test_a_broken_rollout_is_caught_by_the_intended_invariant(broken: str) -> None:
    """At the record after it happened, with what the world saw."""
    invariant, distro, planned = MUTANTS[broken]
    with pytest.raises(Broken) as caught:
        rehearse(Conditions(planned, distro))
    names = {law.name for law in INVARIANTS} - {"world-sound"}
    assert caught.value.invariant == invariant or (
        invariant == "world-sound" and caught.value.invariant not in names
    )
    assert "second" in caught.value.evidence


def test_a_secret_that_a_run_keeps_is_found_in_a_record() -> None:
    """Not the join token alone: every word and key that the driver has kept."""
    faults = FaultPlan(scripted=(ScriptedFault("srv-2", "kubeadm.start", "exit"),))
    with pytest.raises(Broken, match="no-secret") as caught:
        rehearse(Conditions(replace(cluster(), distro="kubeadm"), TellsItsKey()), faults=faults)
    assert "pretended" not in caught.value.evidence


@pytest.mark.parametrize("distro", ["rke2", "vanilla"])
def test_the_same_rollouts_unbroken_break_nothing(distro: str) -> None:
    """Joins without a limit are refused by a true etcd, and come to the same end."""
    assert rehearse(Conditions(replace(NO_LIMIT, distro=distro), load_distro(distro))).result.ok


def test_every_invariant_is_proven_by_a_mutant() -> None:
    """Of the engine or of the world."""
    proven = {mutant.invariant for mutant in OF_THE_ENGINE} | {name for name, _, _ in MUTANTS.values()}
    assert proven == {law.name for law in INVARIANTS}
