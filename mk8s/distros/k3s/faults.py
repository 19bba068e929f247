"""What only K3s cannot do with a manifest; what RKE2 refuses too is in `rancher.faults`."""

from __future__ import annotations

from collections.abc import Iterator

from mk8s.cluster import Cluster
from mk8s.distros.k3s.artifacts import artifact_items
from mk8s.distros.k3s.engine import K3S, begins_etcd
from mk8s.distros.rancher import faults
from mk8s.distros.rancher.faults import path_of
from mk8s.distros.rancher.roles import servers_of, uses_datastore
from mk8s.distros.rancher.values import is_true, settings_of, words

__all__ = ["find_faults"]

CHART = "rke2-"
SERVICE_LB = "servicelb"
SAME_PART = {"rke2-coredns": "coredns", "rke2-metrics-server": "metrics-server", "rke2-traefik": "traefik"}
"""RKE2's names in `disable` -> K3s'."""


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault, the common ones first."""
    return [
        *faults.find_faults(K3S, cluster),
        *_sqlite(cluster),
        *_cluster_init(cluster),
        *_ports(cluster),
        *_disable(cluster),
        *_servicelb(cluster),
        *faults.artifact_faults(K3S, cluster, artifact_items(cluster)),
    ]


def _sqlite(cluster: Cluster) -> Iterator[str]:
    """SQLite is a file on one server."""
    if len(servers_of(cluster)) > 1 and not uses_datastore(cluster) and not begins_etcd(cluster):
        yield (
            f"{path_of(cluster.primary, 'cluster-init')}: without etcd there can be one server only; "
            "leave it out, or give a `datastore`"
        )


def _cluster_init(cluster: Cluster) -> Iterator[str]:
    """On a joining server, or beside a datastore, it would begin another cluster's etcd."""
    for node in servers_of(cluster):
        given = is_true(settings_of(node).get("cluster-init", ""))
        if given and uses_datastore(cluster):
            where = path_of(node, "cluster-init")
            yield f"{where}: the datastore takes the place of etcd; leave one of the two out"
        elif (
            given
            and node.role != "primary"
            and not is_true(settings_of(cluster.primary).get("cluster-init", ""))
        ):
            yield (
                f"{path_of(node, 'cluster-init')}: only the first server begins the cluster; leave it out: "
                "mk8s gives it to the first server by itself"
            )


def _ports(cluster: Cluster) -> Iterator[str]:
    """mk8s and the nodes register at the usual one."""
    for node in servers_of(cluster):
        for key in ("https-listen-port", "supervisor-port"):
            if str(settings_of(node).get(key) or K3S.supervisor_port) != str(K3S.supervisor_port):
                yield f"{path_of(node, key)}: mk8s registers nodes at {K3S.supervisor_port}; leave it out"


def _disable(cluster: Cluster) -> Iterator[str]:
    for node in servers_of(cluster):
        for name in words(settings_of(node).get("disable")):
            if name.startswith(CHART):
                hint = (
                    f"write {SAME_PART[name]}" if name in SAME_PART else "K3s does not bring it; leave it out"
                )
                yield f"{path_of(node, 'disable')}: {name} is RKE2's name; {hint}"


def _servicelb(cluster: Cluster) -> Iterator[str]:
    """Of all that `disable` names, this one alone must be the same on all servers."""
    servers = servers_of(cluster)
    without = [node for node in servers if SERVICE_LB in words(settings_of(node).get("disable"))]
    if 0 < len(without) < len(servers):
        names = ", ".join(node.name for node in without)
        yield (
            f"{path_of(without[0], 'disable')}: only {names} of {len(servers)} servers leave {SERVICE_LB} "
            "out, and it must be the same on all; write it into `config.servers`"
        )
