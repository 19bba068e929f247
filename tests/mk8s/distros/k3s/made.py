"""Clusters of K3s for its tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mk8s.cluster import Cluster, Node
from tests.mk8s.distros.situations import make_cluster, make_node

__all__ = ["VERSION", "k3s", "one_server", "three_servers"]

VERSION = "v1.33.4+k3s1"


def k3s(*nodes: Node, version: str = VERSION, **more: Any) -> Cluster:
    """A cluster of these nodes, or of two servers and an agent."""
    return replace(make_cluster(*nodes, version=version, **more), distro="k3s")


def one_server(config: dict[str, Any] | None = None, **more: Any) -> Cluster:
    """A server and an agent."""
    server = make_node("srv-1", "primary", "10.0.0.11", config or {})
    return k3s(server, make_node("agent-1", "agent", "10.0.0.21"), **more)


def three_servers(config: dict[str, Any] | None = None, **more: Any) -> Cluster:
    given = config or {}
    return k3s(
        make_node("srv-1", "primary", "10.0.0.11", given),
        make_node("srv-2", "server", "10.0.0.12", given),
        make_node("srv-3", "server", "10.0.0.13", given),
        make_node("agent-1", "agent", "10.0.0.21"),
        **more,
    )
