"""What K3s wants beyond the common engine. Pure. Source: its documentation (requirements, flannel)."""

from __future__ import annotations

from dataclasses import replace

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Opening, Requirements
from mk8s.distros.k3s.engine import backend_of, begins_etcd
from mk8s.distros.rancher.requirements import GIB, advised
from mk8s.distros.rancher.roles import uses_datastore

__all__ = ["requirements"]

# Agents up to which so many CPUs and GiB do. 2 GiB are the least, and do for a server without agents.
SIZES = ((0, 2, 2), (350, 2, 4), (900, 4, 8), (1800, 8, 16))
LARGEST = (16, 32)
AGENT = (1, GIB // 2)
TUNNELS = {
    "vxlan": (("vxlan",), {8472: "flannel's VXLAN"}),
    "wireguard-native": (("wireguard",), {51820: "flannel's WireGuard", 51821: "the same over IPv6"}),
}
"""Flannel's backends that need a kernel module, and their UDP ports."""


def requirements(common: Requirements, node: Node, cluster: Cluster) -> Requirements:
    """Flannel's tunnel, and machines that are large enough for so many agents."""
    modules, ports = TUNNELS.get(_backend(cluster), ((), {}))
    cpus, memory = advised(SIZES, LARGEST, cluster) if node.is_server else AGENT
    return replace(
        common,
        udp_ports=ports,
        openings=(*common.openings, *(Opening(port, who, protocol="udp") for port, who in ports.items())),
        network_modules=(*common.network_modules, *modules),
        advised_cpus=cpus,
        advised_memory=memory,
        etcd_dir=f"{common.data_dir}/server/db" if _has_sqlite(node, cluster) else common.etcd_dir,
        nm_cloud_setup="harms",
    )


def _has_sqlite(node: Node, cluster: Cluster) -> bool:
    """It waits for the disk as etcd does."""
    return node.is_server and not uses_datastore(cluster) and not begins_etcd(cluster)


def _backend(cluster: Cluster) -> str:
    """Agents alone do not know what the control plane that they join has chosen."""
    if cluster.joins:
        return ""
    return backend_of(cluster)
