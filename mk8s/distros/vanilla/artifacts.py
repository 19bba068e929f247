"""Which files of a release a vanilla cluster needs, and who needs which. Pure."""

from __future__ import annotations

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem
from mk8s.distros.common import packages
from mk8s.distros.upstream import parts, runtime

__all__ = ["artifact_items", "staged_ids"]

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
EVERYWHERE = (*runtime.PARTS, "kubectl", "kubelet", "kube-proxy")


def artifact_items(cluster: Cluster) -> list[ArtifactItem]:
    """Every file that this cluster needs, in the order in which it is used."""
    return [
        *parts.items(cluster, ("checksums", *EVERYWHERE)),
        *parts.items(cluster, CONTROL_PLANE, parts.SERVERS),
        *parts.manifest_items(cluster),
        *packages.items(cluster),
    ]


def staged_ids(node: Node, cluster: Cluster) -> list[str]:
    """What is put on this node."""
    ids = [*EVERYWHERE, *(CONTROL_PLANE if node.is_server else ())]
    return ids + (parts.manifest_ids(cluster) if node.role == "primary" else [])
