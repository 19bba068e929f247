"""A cluster's simulated hosts and a driver's hands on them. Shared by the tests of all drivers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

import anyio

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Distro, Situation
from mk8s.executor import Executor, StepsReport
from mk8s.modelled import model_os
from mk8s.parts_model import modelled_delivery
from mk8s.steps import Run, Step
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

__all__ = ["VERSIONS", "DriverLab", "HostsLab", "Look"]

VERSIONS = {  # of each distro one, where any will do
    "k0s": "v1.33.4+k0s.0",
    "k3s": "v1.33.4+k3s1",
    "kubeadm": "v1.31.2",
    "rke2": "v1.33.4+rke2r1",
    "vanilla": "v1.31.2",
}

Look = Callable[[Cluster, str], Situation]


class HostsLab(ABC):
    """A cluster's hosts, each with its driver's model, and who gives them commands."""

    def __init__(self, distro: Distro, cluster: Cluster) -> None:
        self.distro, self.cluster = distro, cluster
        self.network = SimulatedNetwork()
        self.hosts = {node.name: self._host(node) for node in cluster.nodes}
        self.transports = {
            name: SimulatedTransport(name, host, self.network) for name, host in self.hosts.items()
        }
        self.executor = Executor(self.transports, delivery=modelled_delivery)

    def _host(self, node: Node) -> SimulatedHost:
        host = self.network.add(SimulatedHost(node.name, node.address, arch=node.arch))
        model_os(host)
        self.distro.model(host, self.network, self.cluster)
        return host

    @abstractmethod
    async def situation(self, name: str) -> Situation:
        """What is known of a node now."""

    async def unmet(self, name: str, /) -> list[str]:
        """What `has_joined` and `is_healthy` miss."""
        s = await self.situation(name)
        verdicts = [
            question.judge(await self.executor.ask(question.on or name, question.command))
            for question in (*self.distro.has_joined(s), *self.distro.is_healthy(s))
        ]
        return [verdict.reason for verdict in verdicts if not verdict.met]


class DriverLab(HostsLab):
    """The same, whose nodes go step by step. `look` says what is known of a node, without asking it."""

    def __init__(self, distro: Distro, cluster: Cluster, look: Look) -> None:
        super().__init__(distro, cluster)
        self.look = look

    async def situation(self, name: str) -> Situation:
        return self.look(self.cluster, name)

    async def bootstrap(self, *names: str) -> None:
        """These nodes, or all."""
        for name in names or self.hosts:
            s = self.look(self.cluster, name)
            await self.run(name, [*self.distro.stage(s), *self.distro.bootstrap(s)])

    async def enter(self, *names: str) -> None:
        """Start or join, as the engine does: with lookups first."""
        for name in names:
            await self.run(name, self.way_in(await self.informed(name)))

    def way_in(self, s: Situation) -> list[Step]:
        return self.distro.start(s) if s.node.role == "primary" else self.distro.join(s)

    async def informed(self, name: str) -> Situation:
        s = self.look(self.cluster, name)
        learned: dict[str, str] = {}
        for lookup in self.distro.lookups(s):
            asked = lookup.wanted(learned)
            learned[lookup.name] = (
                lookup.read(await self.executor.ask(lookup.on, lookup.command)) if asked else ""
            )
        return replace(s, learned=learned)

    async def begin(self, name: str, operation: str) -> None:
        """Start or join up to the step that gives this command, and no further: mk8s is gone then."""
        steps = self.way_in(await self.informed(name))
        until = next(place for place, step in enumerate(steps) if _gives(step, operation))
        await self.run(name, steps[: until + 1])

    async def run(self, name: str, steps: list[Step]) -> StepsReport:
        with anyio.fail_after(3600):
            return await self.executor.run_steps(name, steps, self.distro.classify)


def _gives(step: Step, operation: str) -> bool:
    return isinstance(step, Run) and step.command.operation == operation
