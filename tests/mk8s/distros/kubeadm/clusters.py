"""Clusters and situations for the tests of kubeadm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mk8s.cluster import Balancer, Cluster
from mk8s.distros.base import Situation
from mk8s.distros.kubeadm import DISTRO
from mk8s.needs import Kept, pretend
from tests.mk8s.distros.situations import FACTS, make_cluster, make_node, release_of

__all__ = [
    "KEY",
    "LEARNED",
    "TOKEN",
    "VERSIONS",
    "a_cluster",
    "all_clusters",
    "every_situation",
    "situation_of",
]

VERSIONS = ("v1.20.2", "v1.24.17", "v1.29.14", "v1.31.4", "v1.36.1")
TOKEN = "abcdef.0123456789abcdef"
KEY = "c" * 64
LEARNED = {"progress": "none", "ca-hash": "sha256:" + "a" * 64}

VIP = Balancer("kube-vip", "eth0", "ghcr.io/kube-vip/kube-vip:v0.8.0")


def a_cluster(version: str = "v1.31.4", config: Mapping[str, Any] | None = None, **more: Any) -> Cluster:
    """Two servers and an agent; `config` is the shared one."""
    nodes = (
        make_node("srv-1", "primary", "10.0.0.11", config or {}),
        make_node("srv-2", "server", "10.0.0.12", config or {}),
        make_node("agent-1", "agent", "10.0.0.21", config or {}),
    )
    made = make_cluster(*more.pop("nodes", nodes), version=version, **more)
    return replace(made, distro="kubeadm")


def situation_of(cluster: Cluster, name: str = "srv-1", **facts: Any) -> Situation:
    """A node that was looked at, with the whole release here and everything kept and learned."""
    node = next(node for node in cluster.nodes if node.name == name)
    made = pretend(DISTRO.needs(cluster))
    kept = Kept({**made.words, "bootstrap-token": TOKEN, "certificate-key": KEY}, made.pairs, made.numbers)
    found = replace(FACTS, hostname=name, **facts)
    return Situation(cluster, node, found, release_of(cluster, DISTRO), "", kept, learned=LEARNED)


def all_clusters() -> Iterator[Cluster]:
    """One of each kind."""
    yield from (a_cluster(version) for version in VERSIONS)
    yield a_cluster(
        endpoint="10.0.0.100",
        balancer=VIP,
        swap="allow",
    )
    alone = a_cluster("v1.20.2", nodes=(make_node("srv-1", "primary", "10.0.0.11"),))
    yield replace(alone, airgap=False, manifests=(Path("/addons/team.yaml"),))


def every_situation() -> Iterator[Situation]:
    """Each node of each cluster, looked at and not, at each point of its way."""
    for cluster in all_clusters():
        for node in cluster.nodes:
            looked_at = situation_of(cluster, node.name)
            for progress in ("none", "running", "half", "done"):
                learned = {**LEARNED, "progress": progress, "registered": "yes"}
                yield replace(looked_at, learned=learned)
            yield replace(looked_at, facts=None, learned={})
