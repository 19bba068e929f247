"""A simulated cluster whose API servers, etcd and nodes are up, with no distro behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from mk8s.binding import Binding
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Situation, Tools
from mk8s.distros.vanilla.driver import Vanilla
from mk8s.executor import Executor
from mk8s.kube import conditions
from mk8s.kube.model import teach
from mk8s.kube.world import API, World, everywhere, replicas
from mk8s.modelled import model_os
from tests.mk8s.distros.situations import make_cluster, make_node
from tests.mk8s.kube.answers import TOOLS
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

__all__ = ["Bed", "Plain"]

UNIT = PurePosixPath("/etc/systemd/system/kubelet.service")
KUBECTL = PurePosixPath("/usr/bin/kubectl")


class Plain(Vanilla):
    """A distro with the conditions of every cluster, and tools that a test chooses."""

    def __init__(self, tools: Tools = TOOLS, own: Sequence[Condition] = ()) -> None:
        self._tools = tools
        self._own = own

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        del node, cluster
        return self._tools

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        if self._own:
            return list(self._own)
        cluster = situations[0].cluster
        dns = conditions.dns_is_ready(cluster, self._tools)
        return conditions.common(cluster, lambda _: self._tools, lambda _: ["kubelet.service"], dns=dns)


@dataclass
class Bed:
    """Three servers and two agents, all well. `secrets`: what must not be shown."""

    tools: Tools = TOOLS
    secrets: tuple[str, ...] = ()
    own: tuple[Condition, ...] = ()  # conditions in place of the common ones
    cluster: Cluster = field(init=False)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        servers = [make_node(f"s{i}", "server" if i > 1 else "primary", f"10.0.0.{i}") for i in (1, 2, 3)]
        agents = [make_node(f"a{i}", "agent", f"10.0.0.{i + 10}") for i in (1, 2)]
        self.cluster = make_cluster(*servers, *agents, version="v1.20.2")
        self.network = SimulatedNetwork()
        self.hosts = {node.name: self._host(node) for node in self.cluster.nodes}
        self.executor = Executor(
            {name: SimulatedTransport(name, host, self.network) for name, host in self.hosts.items()},
            transcript=self.asked.append,
            redact=self._redact,
        )
        self.binding = Binding(
            self.cluster, Plain(self.tools, self.own), self.executor, {}, "", lambda _text: None
        )

    def _redact(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def _host(self, node: Node) -> SimulatedHost:
        host = self.network.add(SimulatedHost(node.name, node.address))
        model_os(host)
        self.world: World = teach(host, self.network, self.cluster)
        host.disk.make_folder(KUBECTL.parent)
        host.disk.write(KUBECTL, b"", mode=0o755)
        host.disk.make_folder(UNIT.parent)
        host.disk.write(UNIT, b"[Service]\n")
        return host

    def bring_up(self) -> None:
        """All of it at once. Needs a running event loop, whose time the world has."""
        peers = {node.name: f"https://{node.ip}:2380" for node in self.cluster.servers}
        for node in self.cluster.nodes:
            host = self.hosts[node.name]
            service = host.service("kubelet")
            if service:
                service.start()
            labels = {"node-role.kubernetes.io/control-plane": ""} if node.is_server else {}
            self.world.register(host, node.name, labels=labels)
            if node.is_server:
                self.world.etcd.start(host, node.name, peers[node.name], peers, new=True, has_data=False)
                self.world.open(host, API, 10257, 10259)
        self.world.workloads |= {"daemonset/kube-proxy": everywhere, "deployment/coredns": replicas(2)}
