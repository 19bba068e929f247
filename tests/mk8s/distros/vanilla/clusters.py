"""Clusters and situations for the tests of vanilla."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mk8s.cluster import Balancer, Cluster, Network
from mk8s.distros.base import Situation
from mk8s.distros.vanilla import DISTRO
from mk8s.distros.vanilla.pki import FOUNDERS
from mk8s.needs import Kept, pretend
from tests.mk8s.distros.situations import FACTS, make_cluster, make_node, release_of

__all__ = ["VERSIONS", "a_cluster", "all_clusters", "every_situation", "five", "grown", "situation_of"]

VERSIONS = ("v1.20.2", "v1.24.17", "v1.29.14", "v1.31.4", "v1.36.1")
FIRST, SECOND, THIRD = "10.0.0.11", "10.0.0.12", "10.0.0.13"

VIP = Balancer("kube-vip", "eth0", "ghcr.io/kube-vip/kube-vip:v0.8.0")


def a_cluster(version: str = "v1.31.4", config: Mapping[str, Any] | None = None, **more: Any) -> Cluster:
    """Two servers and an agent; `config` is the shared one."""
    nodes = (
        make_node("srv-1", "primary", FIRST, config or {}),
        make_node("srv-2", "server", SECOND, config or {}),
        make_node("agent-1", "agent", "10.0.0.21", config or {}),
    )
    return replace(make_cluster(*more.pop("nodes", nodes), version=version, **more), distro="vanilla")


def five(version: str = "v1.31.4") -> Cluster:
    """Three servers and two agents."""
    return a_cluster(
        version,
        nodes=(
            make_node("srv-1", "primary", FIRST),
            make_node("srv-2", "server", SECOND),
            make_node("srv-3", "server", THIRD),
            make_node("agent-1", "agent", "10.0.0.21"),
            make_node("agent-2", "agent", "10.0.0.22"),
        ),
    )


def situation_of(cluster: Cluster, name: str = "srv-1", founders: str = "", **facts: Any) -> Situation:
    """A node that was looked at, with the whole release here. `founders`: those of an earlier run."""
    node = next(node for node in cluster.nodes if node.name == name)
    made = pretend(DISTRO.needs(cluster))
    words = {**made.words, **({FOUNDERS: founders} if founders else {})}
    found = replace(FACTS, hostname=name, **facts)
    kept = Kept(words, made.pairs, made.numbers)
    return Situation(cluster, node, found, release_of(cluster, DISTRO), "", kept)


def grown(cluster: Cluster, name: str) -> Situation:
    """The same, where the first server was alone in the first run."""
    return situation_of(cluster, name, founders=cluster.primary.name)


def all_clusters() -> Iterator[Cluster]:
    """One of each kind."""
    yield from (a_cluster(version) for version in VERSIONS)
    yield a_cluster(endpoint="10.0.0.100", balancer=VIP)
    yield a_cluster("v1.20.2", network=Network(cni="none"), swap="allow")
    alone = a_cluster("v1.20.2", nodes=(make_node("srv-1", "primary", FIRST),))
    yield replace(alone, manifests=(Path("/addons/team.yaml"),))


def every_situation() -> Iterator[Situation]:
    """Each node of each cluster, as a founder and as one that came later, looked at and not."""
    for cluster in all_clusters():
        for node in cluster.nodes:
            for s in (situation_of(cluster, node.name), grown(cluster, node.name)):
                yield s
                yield replace(s, facts=None)
