"""A cluster's simulated hosts and a driver's hands on them. Shared by the tests of both engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

import anyio
import pytest

from machines.errors import ActionError
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro, Situation
from mk8s.distros.rancher.model import World, world_of
from mk8s.executor import StepsReport
from mk8s.facts import gather
from mk8s.needs import Kept
from mk8s.steps import Step
from tests.mk8s.distros.labs import HostsLab
from tests.mk8s.distros.situations import TOKEN, release_of

__all__ = ["Lab"]

Edge = Callable[[Situation], list[Step]]


class Lab(HostsLab):
    """A cluster's hosts, and its driver's hands on them."""

    def __init__(self, distro: Distro, cluster: Cluster, kept: Kept | None = None) -> None:
        super().__init__(distro, cluster)
        self.kept = kept or Kept()
        self.nodes = {node.name: node for node in cluster.nodes}
        self.world: World = world_of(self.network)

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

    async def refused_once_damaged(self, name: str, staged: PurePosixPath) -> tuple[str, ...]:
        """How an installation fails whose file became another one after its upload."""
        await self.do(name, self.distro.stage)
        self.hosts[name].disk.write(staged, b"something else")
        with pytest.raises(ActionError) as caught:
            await self.do(name, self.distro.bootstrap)
        return caught.value.failure.lineage

    async def bring_up(self) -> None:
        """Everything, one node after the other."""
        await self.prepare()
        for name, node in self.nodes.items():
            await self.do(
                name, self.distro.start if node.role == "primary" else self.distro.join, self.distro.verify
            )
