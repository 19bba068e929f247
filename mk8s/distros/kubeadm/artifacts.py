"""Which files of a release a kubeadm cluster needs, and who needs which. Pure."""

from __future__ import annotations

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem
from mk8s.distros.common import packages
from mk8s.distros.upstream import parts, runtime

__all__ = ["artifact_items", "staged_ids"]

EVERYWHERE = ("kubeadm", "kubelet", "kubectl", *runtime.PARTS)


def artifact_items(cluster: Cluster) -> list[ArtifactItem]:
    """Every file that this cluster needs, in the order in which it is used."""
    own = parts.items(cluster, ("checksums", *EVERYWHERE))
    return [*own, *parts.manifest_items(cluster), *packages.items(cluster)]


def staged_ids(node: Node, cluster: Cluster) -> list[str]:
    """What is put on this node."""
    return [*EVERYWHERE, *(parts.manifest_ids(cluster) if node.role == "primary" else ())]
