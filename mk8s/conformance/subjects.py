"""What a driver is tried on: sample clusters, and situations as a run would make them. Pure.

A driver that needs more of a manifest (an endpoint, a config) says so with `adapt`.
Begin reading at `Subject`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mk8s.cluster import Cluster, Login, Node, Role
from mk8s.distros.base import Distro, Situation
from mk8s.facts import Facts
from mk8s.needs import pretend
from mk8s.rehearsal import nominal_release
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from transports.base import Command

__all__ = ["TOKEN", "Subject", "commands_of", "words_of"]

TOKEN = "conformance-join-token"  # noqa: S105 - no host ever sees it
SHAPES = {"one server": (1, 0), "three servers and two agents": (3, 2)}
FACTS = Facts(
    hostname="host", arch="amd64", kernel="6.1.0", os_id="debian", os_version="12", boot_id="b",
    machine_id="m", uid=0, free=1 << 40, memory=1 << 33, systemd=True, selinux="disabled",
    usr_local="writable",
)  # fmt: skip


def _as_it_is(cluster: Cluster) -> Cluster:
    return cluster


@dataclass(frozen=True)
class Subject:
    """A driver and a version of its distro, with sample clusters to try it on."""

    distro: Distro
    version: str
    adapt: Callable[[Cluster], Cluster] = _as_it_is

    def cluster(self, servers: int, agents: int) -> Cluster:
        """A cluster of so many nodes; the first server is the primary."""
        places = [*(("srv", i) for i in range(1, servers + 1)), *(("agt", i) for i in range(1, agents + 1))]
        nodes = tuple(_node(kind, number) for kind, number in places)
        return self.adapt(
            Cluster(
                name="conformance",
                distro=self.distro.name,
                version=self.version,
                airgap=True,
                nodes=nodes,
                artifacts={},
                artifacts_dir=Path("/release"),
            )
        )

    def clusters(self) -> Iterator[tuple[str, Cluster]]:
        """Every sample, with what it is called."""
        for name, (servers, agents) in SHAPES.items():
            yield name, self.cluster(servers, agents)

    def situations(self) -> Iterator[tuple[str, Situation]]:
        """Every node of every sample, looked at, with the whole release here."""
        for name, cluster in self.clusters():
            for node in cluster.nodes:
                yield f"{name}, {node.name}", self.situation(cluster, node)

    def situation(self, cluster: Cluster, node: Node) -> Situation:
        facts = replace(FACTS, hostname=node.name, arch=node.arch)
        release = nominal_release(cluster, self.distro)
        kept = pretend(self.distro.needs(cluster))
        bare = Situation(cluster, node, facts, release, TOKEN, kept)
        learned = {lookup.name: f"learned-{lookup.name}" for lookup in self.distro.lookups(bare)}
        return replace(bare, learned=learned)

    def steps(self, s: Situation) -> dict[str, list[Step]]:
        """Every edge's steps for this node, by the method that gives them."""
        begin = self.distro.start if s.node.role == "primary" else self.distro.join
        return {
            "stage": self.distro.stage(s),
            "bootstrap": self.distro.bootstrap(s),
            begin.__name__: begin(s),
            "verify": self.distro.verify(s),
            "refresh": self.distro.refresh(s),
            "stop_unit": self.distro.stop_unit(s),
        }


def _node(kind: str, number: int) -> Node:
    role: Role = "agent" if kind == "agt" else "primary" if number == 1 else "server"
    third = 1 if kind == "agt" else 0
    return Node(f"{kind}-{number}", role, f"10.0.{third}.{number}", "amd64", Login("root"))


def commands_of(step: Step) -> list[Command]:
    """The commands that a step may run by itself; what the executor adds is not the driver's."""
    match step:
        case Run(command=command, check=check):
            return [command, check] if check else [command]
        case WaitFor(command=command):
            return [command]
        case Upload() | WriteFile():
            return []


def words_of(step: Step) -> list[str]:
    """Everything of a step that people or process lists see."""
    seen = [step.title]
    for command in commands_of(step):
        seen += [command.description, command.script, *command.args, *command.env.values()]
    return seen
