"""Clusters and situations for the tests of endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mk8s.cluster import Balancer, Cluster, Node
from mk8s.distros.base import Situation
from mk8s.needs import Kept
from tests.mk8s.distros.situations import FACTS, make_cluster, make_node

__all__ = ["PORTS", "VIP", "a_cluster", "situation"]

VIP = "10.0.0.100"
PASSWORD = "abcd1234"
PORTS = {"rke2": (6443, 9345), "k3s": (6443,), "kubeadm": (6443,), "vanilla": (6443,)}
IMAGE = "ghcr.io/kube-vip/kube-vip:v0.8.9"
BY = {
    "external": Balancer(),
    "kube-vip": Balancer("kube-vip", "eth0", IMAGE),
    "keepalived": Balancer("keepalived"),
    "cplb": Balancer("cplb"),
}


def a_cluster(by: str = "keepalived", distro: str = "rke2", *nodes: Node, **more: Any) -> Cluster:
    """Three servers and an agent behind an endpoint."""
    made = nodes or (
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("srv-2", "server", "10.0.0.12"),
        make_node("srv-3", "server", "10.0.0.13"),
        make_node("agent-1", "agent", "10.0.0.21"),
    )
    fields: dict[str, Any] = {"endpoint": VIP, "balancer": BY[by], **more}
    return replace(make_cluster(*made), distro=distro, **fields)


def situation(cluster: Cluster, name: str = "srv-1") -> Situation:
    node = next(node for node in cluster.nodes if node.name == name)
    return Situation(cluster, node, FACTS, {}, "", Kept({"vrrp-password": PASSWORD}))
