"""What K3s wants beyond the common engine. Pure. Source: its documentation (requirements, flannel)."""

from __future__ import annotations

from dataclasses import replace

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Opening, Requirements
from mk8s.distros.rancher.requirements import GIB, advised
from mk8s.distros.rancher.values import settings_of

__all__ = ["requirements"]

SIZES = ((350, 2, 2), (900, 4, 8), (1800, 8, 16))  # agents up to which so many CPUs and GiB do
LARGEST = (16, 32)
AGENT = (1, GIB // 2)
TUNNELS = {
    "vxlan": (("vxlan",), {8472: "flannel's VXLAN"}),
    "wireguard-native": (("wireguard",), {51820: "flannel's WireGuard"}),
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
        nm_cloud_setup="harms",
    )


def _backend(cluster: Cluster) -> str:
    """Agents alone do not know what the control plane that they join has chosen."""
    if cluster.joins:
        return ""
    by_manifest = "none" if cluster.network and cluster.network.cni == "none" else "vxlan"
    return str(settings_of(cluster.primary).get("flannel-backend") or by_manifest)
