"""Clusters and situations for the tests of what upstream's distros share."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from mk8s.cluster import Cluster, Network, Node
from mk8s.distros.base import Situation
from mk8s.distros.upstream import network, parts, runtime
from mk8s.needs import pretend
from tests.mk8s.distros.situations import FACTS, make_cluster, make_node
from transports.base import File

__all__ = ["EVERY_ID", "IMAGES", "cluster", "situation"]

IMAGES = ("k8s.example/pause:9.9", "k8s.example/kube-apiserver:v1.20.2", "docker.io/library/busybox:1")
EVERY_ID = (*runtime.PARTS, "kubelet")


def cluster(*nodes: Node, version: str = "v1.20.2", pods: str = "10.244.0.0/16", **more: Any) -> Cluster:
    """A cluster of these nodes, or of two servers and an agent."""
    more.setdefault("network", Network(pod_cidr=pods))
    return make_cluster(*nodes, version=version, **more)


def situation(
    of: Cluster, name: str = "srv-1", *, images: tuple[str, ...] = IMAGES, **facts: Any
) -> Situation:
    """A node that was looked at, with a release whose hashes are made from the files' names."""
    node = next(node for node in of.nodes if node.name == name)
    found = [*parts.items(of, EVERY_ID), *parts.manifest_items(of)]
    release = {
        item.id: File(of.artifacts_dir / item.file, 1 << 20, hashlib.sha256(item.file.encode()).hexdigest())
        for item in found
    }
    kept = pretend(network.needs(of))
    return Situation(of, node, replace(FACTS, **facts), release, "", kept, images)


def with_arm() -> Cluster:
    """Servers of one architecture, an agent of another."""
    return cluster(
        make_node("srv-1", "primary", "10.0.0.11"), make_node("arm-1", "agent", "10.0.0.21", arch="arm64")
    )
