"""A cluster's simulated hosts and a driver's hands on them. Shared by the tests of both engines."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Distro, Situation
from mk8s.distros.rancher.model import World, world_of
from mk8s.executor import Executor, StepsReport
from mk8s.facts import gather
from mk8s.modelled import model_os
from mk8s.needs import Kept
from mk8s.parts_model import modelled_delivery
from mk8s.steps import Step
from tests.mk8s.distros.situations import TOKEN, release_of
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

__all__ = ["Lab"]

Edge = Callable[[Situation], list[Step]]


class Lab:
    """A cluster's hosts, and its driver's hands on them."""

    def __init__(self, distro: Distro, cluster: Cluster, kept: Kept | None = None) -> None:
        self.distro, self.cluster, self.kept = distro, cluster, kept or Kept()
        self.network = SimulatedNetwork()
        self.hosts = {node.name: self._host(node) for node in cluster.nodes}
        self.transports = {
            name: SimulatedTransport(name, host, self.network) for name, host in self.hosts.items()
        }
        self.executor = Executor(self.transports, delivery=modelled_delivery)
        self.nodes = {node.name: node for node in cluster.nodes}
        self.world: World = world_of(self.network)

    def _host(self, node: Node) -> SimulatedHost:
        host = self.network.add(SimulatedHost(node.name, node.address, arch=node.arch))
        model_os(host)
        self.distro.model(host, self.network, self.cluster)
        return host

    async def situation(self, name: str) -> Situation:
        facts = await gather(self.transports[name].run, name)
        token = self.distro.user_token(self.cluster) or TOKEN
        release = release_of(self.cluster, self.distro)
        return Situation(self.cluster, self.nodes[name], facts, release, token, self.kept)

    async def do(self, name: str, *edges: Edge) -> StepsReport:
        """Walk a node through edges; the report of the last one."""
        report = StepsReport()
        for edge in edges:
            steps = edge(await self.situation(name))
            with anyio.fail_after(1800):
                report = await self.executor.run_steps(name, steps, self.distro.classify)
        return report

    async def prepare(self) -> None:
        for name in self.nodes:
            await self.do(name, self.distro.stage, self.distro.bootstrap)

    async def bring_up(self) -> None:
        """Everything, one node after the other."""
        await self.prepare()
        for name, node in self.nodes.items():
            await self.do(
                name, self.distro.start if node.role == "primary" else self.distro.join, self.distro.verify
            )

    async def unmet(self, name: str) -> list[str]:
        """What `is_healthy` misses."""
        s = await self.situation(name)
        verdicts = [
            question.judge(await self.executor.ask(question.on or name, question.command))
            for question in (*self.distro.has_joined(s), *self.distro.is_healthy(s))
        ]
        return [verdict.reason for verdict in verdicts if not verdict.met]
