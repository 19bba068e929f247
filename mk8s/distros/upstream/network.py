"""The pod network without a daemon: a bridge on each node, and static routes between the nodes.

Each node owns one /24 of the pod network for ever (`needs`), so every route is known before any node
joins. Nodes must reach each other without a router between them, or with one that knows these routes.

Traffic between pods, and from nodes to pods, keeps its addresses: the bridge plugin's own ``ipMasq``
would hide the source of everything that leaves a node, other nodes' pods included. What leaves the pod
network altogether is masqueraded by one rule, ``-s PODS ! -d PODS``, which the same unit sets; so pods
reach what has no route to them. Traffic to a service's address is addressed to a pod or a node by then
(kube-proxy rewrites it before routing), so it falls under the same rule.

With ``cni: none`` none of this is done: the user's manifests bring the network.
"""

from __future__ import annotations

import ipaddress
import json
from pathlib import PurePosixPath

from mk8s.cluster import Cluster
from mk8s.distros.base import Question, Situation
from mk8s.distros.upstream import commands, host
from mk8s.distros.upstream.parts import OWN, folder
from mk8s.distros.upstream.routes import ROUTES_SCRIPT, ROUTES_UNIT
from mk8s.needs import Need, Number
from mk8s.steps import Run, Step, Verdict, WriteFile
from transports.base import Command, Outcome

__all__ = ["faults", "install", "needs", "pod_cidr", "questions", "refresh"]

NODE_PREFIX = 24  # so a node has 254 addresses for pods, and kubelet's default is 110
POOL = "pod-subnets"
CNI = PurePosixPath("/etc/cni/net.d")
CONFLIST, LOOPBACK = CNI / "10-mk8s.conflist", CNI / "99-loopback.conf"
ROUTES, SCRIPT = OWN / "routes", OWN / "routes.sh"
UNIT = PurePosixPath("/etc/systemd/system/mk8s-routes.service")
CNI_VERSION = "0.3.1"  # read by plugins 0.8.7 to 1.x


def faults(cluster: Cluster) -> list[str]:
    """What this network cannot do with this cluster: ``path: message; hint`` each."""
    pods = _network(cluster)
    if pods is None:
        return [f"network.pod_cidr: {cluster.net.pod_cidr!r} is no IPv4 network; write such as 10.244.0.0/16"]
    room = _room(pods)
    if len(cluster.nodes) > room:
        what = f"{cluster.net.pod_cidr} has room for {room} nodes with a /{NODE_PREFIX} each"
        return [f"network.pod_cidr: {what}, and there are {len(cluster.nodes)}; take a larger network"]
    return []


def needs(cluster: Cluster) -> list[Need]:
    """A number for each node: which /24 of the pod network is its own, for the cluster's whole life."""
    pods = _network(cluster)
    below = max(len(cluster.nodes), _room(pods) if pods else 0)
    return [Number(_number_of(node.name), POOL, below) for node in cluster.nodes]


def pod_cidr(s: Situation, node_name: str) -> str:
    """A node's part of the pod network, such as ``10.244.3.0/24``. Raises KeyError for an unknown node."""
    number = s.kept.numbers[_number_of(node_name)]
    pods = ipaddress.IPv4Network(s.cluster.net.pod_cidr)
    size = max(NODE_PREFIX, pods.prefixlen)
    first = int(pods.network_address) + (number << (32 - size))
    return f"{ipaddress.IPv4Address(first)}/{size}"


def install(s: Situation) -> list[Step]:
    """The bridge's configuration, and the routes to the other nodes' pods."""
    if s.cluster.net.cni == "none":
        return []
    return [
        folder(CNI),
        WriteFile(f"write {CONFLIST}", CONFLIST, _conflist(pod_cidr(s, s.node.name))),
        WriteFile(
            f"write {LOOPBACK}",
            LOOPBACK,
            _json({"cniVersion": CNI_VERSION, "name": "lo", "type": "loopback"}),
        ),
        folder(OWN),
        WriteFile(f"write {SCRIPT}", SCRIPT, ROUTES_SCRIPT.encode(), mode=0o755),
        WriteFile(f"write {UNIT}", UNIT, _unit(s)),
        *_routes(s),
    ]


def refresh(s: Situation) -> list[Step]:
    """What a healthy node must learn of nodes that were added: routes and names. Restarts nothing else."""
    routes = [] if s.cluster.net.cni == "none" else _routes(s)
    return [*routes, *host.entries(s)]


def questions(s: Situation) -> list[Question]:
    """All met: the kernel has the routes that the cluster needs, and sets them at boot."""
    if s.cluster.net.cni == "none":
        return []
    return [Question("the pod routes are set", _ask(s), _routes_are_set)]


def _routes(s: Situation) -> list[Step]:
    others = sorted((pod_cidr(s, node.name), node.ip) for node in s.cluster.nodes if node.name != s.node.name)
    text = "".join(f"{cidr} via {ip}\n" for cidr, ip in others)
    return [
        WriteFile(f"write {ROUTES}", ROUTES, text.encode()),
        Run("set the routes to the other nodes' pods", commands.restart_routes(), _ask(s)),
    ]


def _ask(s: Situation) -> Command:
    return commands.ask_routes(SCRIPT, ROUTES, s.cluster.net.pod_cidr)


def _routes_are_set(outcome: Outcome) -> Verdict:
    return Verdict(outcome.ok, outcome.text.splitlines()[0] if outcome.text else "")


def _unit(s: Situation) -> bytes:
    words = f"{SCRIPT} set {ROUTES} {s.cluster.net.pod_cidr}"
    return ROUTES_UNIT.format(words=words).encode()


def _conflist(subnet: str) -> bytes:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return _json({"cniVersion": CNI_VERSION, "name": "pods", "plugins": [bridge, portmap]})


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _number_of(node_name: str) -> str:
    return f"pod-subnet/{node_name}"


def _network(cluster: Cluster) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(cluster.net.pod_cidr)
    except ValueError:
        return None


def _room(pods: ipaddress.IPv4Network) -> int:
    """How many nodes have a place."""
    return 1 << max(0, NODE_PREFIX - pods.prefixlen)
