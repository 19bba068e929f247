"""What a node of the manifest is to k0s: controller, worker or both, and where its files lie. Pure.

A controller alone runs no kubelet and is no Node of the cluster; with a worker in it, it is one. Which of
the two servers are, says `control_plane`. Begin reading at `runs_pods`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any, Literal

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation

__all__ = [
    "CONFIG",
    "DATA_DIR",
    "DROP_INS",
    "PROGRAM",
    "TOKEN_FILE",
    "admin_kubeconfig",
    "at",
    "config_of",
    "data_dir",
    "flag",
    "has_network",
    "images_dir",
    "is_ip",
    "is_single",
    "kubelet_kubeconfig",
    "manifests_dir",
    "node_name",
    "role_of",
    "runs_own_etcd",
    "runs_pods",
    "servers_of",
    "storage",
    "unit_of",
    "way",
]

CONFIG = PurePosixPath("/etc/k0s/k0s.yaml")
TOKEN_FILE = PurePosixPath("/etc/k0s/mk8s-join-token")
DROP_INS = PurePosixPath("/etc/k0s/containerd.d")
PROGRAM = PurePosixPath("/var/lib/mk8s/bin/k0s")  # a link to wherever it is on this host
DATA_DIR = "/var/lib/k0s"
SINGLE = "--single"


def way(cluster: Cluster) -> Literal["isolated", "tainted", "schedulable"]:
    """How the servers are. Where no agent is, they have to run the pods themselves."""
    has_agents = not cluster.nodes[-1].is_server  # agents stand last
    return cluster.control_plane or ("isolated" if has_agents else "schedulable")


def is_single(node: Node) -> bool:
    """A cluster in one process, with SQLite, that nobody can join. The user asks for it by that argument."""
    return SINGLE in node.arguments


def runs_pods(cluster: Cluster, node: Node) -> bool:
    """Whether k0s runs a worker here, so that the node is a Node of the cluster."""
    return not node.is_server or is_single(node) or way(cluster) != "isolated"


def role_of(node: Node) -> Literal["controller", "worker"]:
    """The word for it in k0s' commands."""
    return "controller" if node.is_server else "worker"


def unit_of(node: Node) -> str:
    """A controller with a worker in it has the controller's unit."""
    return f"k0s{role_of(node)}.service"


def servers_of(cluster: Cluster) -> tuple[Node, ...]:
    """All servers. They stand first among the nodes, so thousands of agents cost nothing here."""
    return tuple(takewhile(lambda node: node.is_server, cluster.nodes))


def flag(node: Node, name: str) -> str | None:
    """The value of ``--name`` among the node's arguments, as ``--name=VALUE`` or in two words."""
    words = node.arguments
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key == name:
            return value if equals else (words[place + 1] if place + 1 < len(words) else "")
    return None


# Places


def data_dir(node: Node) -> PurePosixPath:
    """Where k0s keeps its data on this node."""
    return PurePosixPath(flag(node, "--data-dir") or DATA_DIR)


def images_dir(node: Node) -> PurePosixPath:
    return data_dir(node) / "images"


def manifests_dir(node: Node) -> PurePosixPath:
    """The stack of the manifest's own files: controllers apply what lies in it."""
    return data_dir(node) / "manifests" / "mk8s"


def admin_kubeconfig(node: Node) -> PurePosixPath:
    return data_dir(node) / "pki" / "admin.conf"


def kubelet_kubeconfig(node: Node) -> PurePosixPath:
    """What a worker itself may ask the API with, once it has joined."""
    return data_dir(node) / "kubelet.conf"


# The cluster's config


def config_of(cluster: Cluster) -> Mapping[str, Any]:
    """The user's ClusterConfig as the first server has it; empty where the control plane is not ours."""
    return cluster.primary.config if cluster.primary.is_server else {}


def at(config: Any, *path: str) -> Any:
    """What stands at a path below a mapping; None where there is nothing."""
    for key in path:
        config = config.get(key) if isinstance(config, Mapping) else None
    return config


def storage(cluster: Cluster) -> Literal["etcd", "external-etcd", "kine", "sqlite"]:
    """Where the cluster's state is: in k0s' own etcd, in another, in a database, or in a file."""
    spec = at(config_of(cluster), "spec", "storage")
    if cluster.datastore:
        return "external-etcd" if cluster.datastore.endpoint.startswith("http") else "kine"
    if at(spec, "etcd", "externalCluster"):
        return "external-etcd"
    if at(spec, "type") == "kine":
        source = str(at(spec, "kine", "dataSource") or "sqlite:")
        return "sqlite" if source.startswith("sqlite") else "kine"
    return "sqlite" if is_single(cluster.primary) and at(spec, "type") is None else "etcd"


def runs_own_etcd(cluster: Cluster) -> bool:
    """Whether each controller is a member of an etcd that k0s runs."""
    return storage(cluster) == "etcd"


def has_network(cluster: Cluster) -> bool:
    """Whether nodes get a pod network by themselves; else none becomes Ready before the user's is there."""
    given = at(config_of(cluster), "spec", "network", "provider")
    if given is not None:
        return bool(given != "custom")
    return cluster.network is None or cluster.network.cni != "none"


def node_name(s: Situation) -> str:
    """The Node object's name, and etcd's: `--hostname-override` of the kubelet, else the hostname."""
    for word in (flag(s.node, "--kubelet-extra-args") or "").split():
        key, _, value = word.partition("=")
        if key == "--hostname-override" and value:
            return value.lower()
    return (s.facts.hostname if s.facts else s.node.name).lower()


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
