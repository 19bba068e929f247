"""The shipped node machine as a cluster wants it."""

from __future__ import annotations

from dataclasses import replace

from machines import EdgeSpec
from mk8s.cluster import Cluster, ControlPlane
from mk8s.tables import HEALTHY, PENDING, node_machine
from tests.mk8s.examples import cluster


def edge(of: Cluster, name: str) -> EdgeSpec:
    return next(edge for edge in node_machine(of).edges if edge.name == name)


def test_the_names_of_states_are_those_of_the_shipped_machine() -> None:
    """Rooms that ask for one take it from here: where every way begins, and the one end that is a success."""
    machine = node_machine(cluster())

    assert machine.initial == PENDING
    assert [name for name, state in machine.states.items() if state.outcome == "success"] == [HEALTHY]


def test_agents_of_a_control_plane_that_exists_wait_for_nothing() -> None:
    """No node here could ever give them their signal."""
    alone = replace(cluster(), joins=ControlPlane("10.0.0.9", "TOKEN"))

    assert edge(cluster(), "join-agent").signal == "servers-healthy"
    assert edge(alone, "join-agent").signal is None


def test_a_distro_may_pace_joins_otherwise() -> None:
    """Without an etcd of its own its servers need not wait for each other."""
    paced = node_machine(cluster(), pacing={"etcd-joins": 20})

    assert node_machine(cluster()).limits["etcd-joins"] == 1
    assert paced.limits["etcd-joins"] == 20


def test_the_manifest_has_the_last_word_on_pace() -> None:
    """Whoever writes a number knows why."""
    given = replace(cluster(), limits={"etcd-joins": 2})

    assert node_machine(given, pacing={"etcd-joins": 20}).limits["etcd-joins"] == 2
