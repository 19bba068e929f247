"""What RKE2 wants of a bare host, and its administrator's tools. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Requirements, Situation, Tools

__all__ = ["conditions", "requirements", "tools"]


def requirements(node: Node, cluster: Cluster) -> Requirements:
    """Nothing yet that a run refuses for."""
    del node, cluster
    return Requirements()


def tools(node: Node, cluster: Cluster) -> Tools:
    del node, cluster
    return Tools(kubectl=("/var/lib/rancher/rke2/bin/kubectl", "--kubeconfig", "/etc/rancher/rke2/rke2.yaml"))


def conditions(situations: Sequence[Situation]) -> list[Condition]:
    del situations
    return []
