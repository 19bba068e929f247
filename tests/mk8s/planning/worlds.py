"""Modelled hosts that a plan can look at, brought as far as a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from machines.simulation import run_simulated
from mk8s.cluster import Cluster
from mk8s.distros.base import load_distro
from mk8s.executor import Executor
from mk8s.parts_model import modelled_delivery
from mk8s.planning.looking import look_at_all
from mk8s.planning.making import Ground, make_plan
from mk8s.planning.values import Look, NodePlan
from mk8s.rehearsal import modelled_roads, nominal_release
from mk8s.tables import node_machine
from tests.mk8s.examples import cluster
from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["TOKEN", "UNIT", "Hosts", "World", "cluster_of", "ground_of", "look", "node_of", "planned"]

TOKEN = "0123456789abcdef" * 4
UNIT = PurePosixPath("/etc/systemd/system/k3s-agent.service")
VERSIONS = {
    "rke2": "v1.33.4+rke2r1",
    "k3s": "v1.33.4+k3s1",
    "k0s": "v1.33.4+k0s.0",
    "kubeadm": "v1.20.2",
    "vanilla": "v1.20.2",
}
Hosts = Mapping[str, SimulatedHost]


@dataclass
class World:
    """What was looked at, and what was asked for it."""

    ground: Ground
    looks: dict[str, Look] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)  # of the transcript


def cluster_of(distro: str = "k3s", *, servers: int = 1, agents: int = 2) -> Cluster:
    return replace(cluster(servers=servers, agents=agents), distro=distro, version=VERSIONS[distro])


def ground_of(made: Cluster, states: Mapping[str, str] | None = None, token: str = TOKEN) -> Ground:
    distro = load_distro(made.distro)
    machine = node_machine(made, pacing=distro.pacing(made))
    return Ground(made, distro, machine, nominal_release(made, distro), (), states or {}, token)


def look(
    ground: Ground,
    *edges: str,
    on: tuple[str, ...] = (),
    change: Callable[[Hosts], None] = lambda _hosts: None,
) -> World:
    """Do the steps of edges (stage, bootstrap) on the hosts `on`, change something, look at all."""
    world = World(ground)
    network = SimulatedNetwork()
    roads = modelled_roads(ground.cluster, ground.distro, network, 0)
    hosts = {node.name: network.hosts[node.address] for node in ground.cluster.nodes}

    async def main() -> None:
        hands = Executor(roads, delivery=modelled_delivery)
        for node in ground.cluster.nodes:
            for edge in edges if node.name in on else ():
                situation = ground.situation(node)
                steps = (
                    ground.distro.stage(situation) if edge == "stage" else ground.distro.bootstrap(situation)
                )
                await hands.run_steps(node.name, steps)
        change(hosts)
        asking = Executor(roads, transcript=world.entries.append)
        world.looks.update(await look_at_all(asking, ground))

    run_simulated(main, seed=0)
    return world


def planned(world: World) -> Mapping[str, NodePlan]:
    """The plan made of it, by node."""
    return {plan.node.name: plan for plan in make_plan(world.ground, world.looks)}


def node_of(world: World, name: str, standing: str) -> list[str]:
    """Titles of a node's steps that stand so."""
    steps = [step for edge in planned(world)[name].edges for step in edge.steps]
    return [step.step.title for step in steps if step.look.standing == standing]
