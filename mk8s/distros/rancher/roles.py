"""Which parts of a control plane a server has, and who can be asked about the cluster. Pure.

The engine lets a server leave parts out: ``disable-etcd`` makes it a control plane alone, and
``disable-apiserver`` with ``disable-controller-manager`` and ``disable-scheduler`` a member of etcd alone.
With an external datastore, or SQLite, no server has etcd.
"""

from __future__ import annotations

from itertools import takewhile

from mk8s.cluster import Cluster, Node
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.values import is_true, settings_of

__all__ = [
    "CONTROL_PLANE",
    "ETCD",
    "WITHOUT_API",
    "api_server",
    "has_api",
    "has_etcd",
    "labels_of",
    "servers_of",
    "uses_datastore",
]

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
ETCD = "node-role.kubernetes.io/etcd"
WITHOUT_API = ("disable-apiserver", "disable-controller-manager", "disable-scheduler")


def servers_of(cluster: Cluster) -> tuple[Node, ...]:
    """All servers. They stand first among the nodes, so thousands of agents cost nothing here."""
    return tuple(takewhile(lambda node: node.is_server, cluster.nodes))


def uses_datastore(cluster: Cluster) -> bool:
    """Whether the state lies in a database that somebody else runs."""
    given = any("datastore-endpoint" in settings_of(server) for server in servers_of(cluster))
    return cluster.datastore is not None or given


def has_etcd(engine: Engine, cluster: Cluster, node: Node) -> bool:
    """Whether the node is a member of the cluster's own etcd."""
    if not node.is_server or uses_datastore(cluster) or engine.without_etcd(cluster):
        return False
    return not is_true(settings_of(node).get("disable-etcd", ""))


def has_api(node: Node) -> bool:
    """Whether an API server runs on the node."""
    return node.is_server and not is_true(settings_of(node).get("disable-apiserver", ""))


def api_server(cluster: Cluster) -> Node | None:
    """The first server that can be asked about the cluster; None where no server is mk8s' own."""
    return next((server for server in servers_of(cluster) if has_api(server)), None)


def labels_of(engine: Engine, cluster: Cluster, node: Node) -> list[str]:
    """The role labels that the engine gives the node's object."""
    found = [CONTROL_PLANE] if has_api(node) else []
    return [*found, ETCD] if has_etcd(engine, cluster, node) else found
