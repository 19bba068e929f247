"""The cluster that simulated hosts make up together: what kubeadm's and the hard way's models share.

A driver's own model plays its services and says here what they do: `open` and `close` ports, `etcd.start`,
`register` a node. This module then answers what `mk8s.kube.commands` ask (see `mk8s.kube.model`), and tells
the network what must never happen: a second cluster, two members that join at once, two hosts of one name.

Not modelled: pods, controllers, leader elections, the API's objects beyond nodes and named workloads.
Begin reading at `World`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from weakref import WeakKeyDictionary

from mk8s.cluster import Cluster
from mk8s.kube.etcd import Etcd
from mk8s.kube.views import SILENT, NodeView
from mk8s.ports_model import leave, listen
from transports.simulated import Handler, SimulatedHost, SimulatedNetwork

__all__ = ["API", "OURS", "NodeObject", "World", "everywhere", "replicas", "world_of"]

API = 6443
OURS = "kubernetes"  # who listens
POSTING = "kubelet is posting ready status"
NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)

_worlds: WeakKeyDictionary[SimulatedNetwork, World] = WeakKeyDictionary()


@dataclass(slots=True)
class NodeObject:
    """A Node in the API. Ready while its kubelet runs, from `ready_at` (seconds; its network) on."""

    name: str
    host: SimulatedHost
    version: str
    ready_at: float
    running: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    taints: dict[str, str] = field(default_factory=dict)  # key -> effect
    unschedulable: bool = False


@dataclass(eq=False)
class World:
    """What all hosts of one network share."""

    network: SimulatedNetwork
    cluster: Cluster
    nodes: dict[str, NodeObject] = field(default_factory=dict)  # by node name
    applied: dict[str, bytes] = field(default_factory=dict)  # manifests: path -> content
    workloads: dict[str, Workloads] = field(default_factory=dict)  # "daemonset/kube-proxy" -> how it is
    _library: Mapping[str, Handler] | None = None

    def __post_init__(self) -> None:
        self.etcd = Etcd(lambda: self.network.timeline.now, self.network.breach)

    @property
    def now(self) -> float:
        """Seconds."""
        return self.network.timeline.now

    @property
    def violations(self) -> list[str]:
        """What must never happen and did on this network, in words."""
        return [breach.evidence for breach in self.network.breaches]

    def library(self, make: Callable[[World], Mapping[str, Handler]]) -> Mapping[str, Handler]:
        """The models of commands, made once and shared by all hosts."""
        self._library = self._library or make(self)
        return self._library

    # What listens

    def open(self, host: SimulatedHost, *ports: int) -> None:
        """A program of this host begins to listen, such as its API server on `API`.

        Raises ServiceFailed where something foreign has the port.
        """
        listen(host, OURS, *ports)

    def close(self, host: SimulatedHost, *ports: int) -> None:
        """It does no more. Call it from the service's `gone`: a power loss ends programs too."""
        leave(host, OURS, *ports)

    def listens(self, host: SimulatedHost, port: int) -> bool:
        return host.up and host.listening.get(port) == OURS

    def serves(self, host: SimulatedHost) -> bool:
        """Whether the API server on this host runs and etcd has a majority behind it."""
        return self.listens(host, API) and not host.cut and self.etcd.has_quorum

    def api_for(self, source: SimulatedHost, address: str) -> SimulatedHost | None:
        """The serving host that `source` reaches at this address. The endpoint leads to any that serves."""
        addresses = [address]
        if address not in self.network.hosts and address == self.cluster.endpoint:
            addresses = [node.address for node in self.cluster.servers]
        by_ip = {node.ip: node.address for node in self.cluster.nodes}
        reached = (self.network.reach(source, by_ip.get(known, known)) for known in addresses)
        return next((host for host in reached if host is not None and self.serves(host)), None)

    def leader(self, port: int) -> SimulatedHost | None:
        """The host whose component on this port leads: the first that runs."""
        return next((host for host in self.network.hosts.values() if self.listens(host, port)), None)

    # Nodes

    def register(
        self,
        host: SimulatedHost,
        name: str,
        *,
        ready_in: float = 0.0,
        network: bool = True,
        labels: Mapping[str, str] | None = None,
        taints: Mapping[str, str] | None = None,
    ) -> NodeObject:
        """The kubelet registers its node, or comes back. The first time it waits for its network.

        Without one it is never Ready, and as well as it can be: whoever brings his own gets it as it is.
        """
        node = self.nodes.get(name)
        if node is None:
            ready_at = self.now + ready_in if network else inf
            node = self.nodes[name] = NodeObject(name, host, self.cluster.version, ready_at)
        elif node.host is not host:
            self.network.breach("one-name", f"{host.name} and {node.host.name} are both node {name}")
        host.well_from(node.ready_at if network else self.now)
        node.running = True
        node.labels |= labels or {}
        node.taints |= taints or {}
        return node

    def kubelet_gone(self, host: SimulatedHost) -> None:
        """The kubelet of this host ended: its nodes are Unknown. (Rough: it takes 40 s.)"""
        for node in self.nodes.values():
            if node.host is host:
                node.running = False

    def is_ready(self, node: NodeObject) -> bool:
        return node.running and node.host.up and not node.host.cut and self.now >= node.ready_at

    def view(self, node: NodeObject) -> NodeView:
        """The Node as a question's answer tells it."""
        status, message = "Unknown", SILENT
        if self.is_ready(node):
            status, message = "True", POSTING
        elif node.running and node.host.up and not node.host.cut:
            status, message = "False", NO_NETWORK
        return NodeView(
            name=node.name,
            version=node.version,
            unschedulable=node.unschedulable,
            labels=node.labels,
            taints=tuple(sorted(node.taints.items())),
            conditions={"Ready": status},
            messages={"Ready": message},
        )


Workloads = Callable[[World], tuple[int, int]]
"""How many pods it wants, and how many are ready."""


def everywhere(world: World) -> tuple[int, int]:
    """A DaemonSet that tolerates everything."""
    return len(world.nodes), sum(world.is_ready(node) for node in world.nodes.values())


def replicas(wanted: int) -> Workloads:
    """A Deployment whose pods run as soon as any node is Ready."""

    def found(world: World) -> tuple[int, int]:
        return wanted, wanted if any(world.is_ready(node) for node in world.nodes.values()) else 0

    return found


def world_of(network: SimulatedNetwork, cluster: Cluster) -> World:
    """What the hosts of this network have become together; begun at the first call."""
    known = _worlds.get(network)
    if known is None:
        known = _worlds[network] = World(network, cluster)
    return known
