"""The node machine as this cluster wants it: the shipped table with the manifest's policy put in.

Pure but for reading the shipped file. It knows no node, no transport and no time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from machines import EdgeSpec, MachineSpec, Registry, Table
from machines.checks import check
from machines.loading import load_machine, parse_machine
from mk8s.cluster import Cluster
from mk8s.resources import spec_path

__all__ = ["HEALTHY", "PENDING", "is_for", "next_edge", "node_machine", "table_to_read", "titles_of"]

PENDING, HEALTHY = "pending", "healthy"
"""The states of the shipped machine in which a node's way begins, and ends well."""

GATED_EDGE = "join-agent"
SERVERS_ONLY = {"is_primary", "is_server"}
FAN_OUT_UPLOADS = 32  # most of these wait for other nodes, and cost this machine next to nothing


def node_machine(
    cluster: Cluster, registry: Registry | None = None, pacing: Mapping[str, int] | None = None
) -> MachineSpec:
    """The machine that each node of this cluster walks. `pacing`: limits that the distro wants.

    Raises MachineError if the shipped table does not fit the registry, which is a bug of ours.
    """
    shipped = _shipped(registry)
    return msgspec.structs.replace(
        shipped,
        edges=[_with_policy(edge, cluster) for edge in shipped.edges if _is_walked(edge, cluster)],
        signals={} if cluster.joins else shipped.signals,
        limits={
            name: _limit(cluster, name, capacity)
            for name, capacity in {**shipped.limits, **(pacing or {})}.items()
        },
        budgets=dict(cluster.budgets),
    )


def _shipped(registry: Registry | None) -> MachineSpec:
    """The shipped machine. It is parsed once: of a thousand simulated runs each asks twice."""
    path = spec_path("machines", "node.yaml")
    spec = _parsed(path.read_bytes(), str(path))
    if registry is not None and check(spec, registry):
        return load_machine(path, registry)  # which says where
    return spec


@lru_cache(maxsize=4)
def _parsed(text: bytes, file: str) -> MachineSpec:
    return parse_machine(text, file)


def table_to_read(spec: MachineSpec) -> Table:
    """The machine for who only reads what a run did, or draws it: its guards are not asked then."""
    return Table(spec, {name.lstrip("!"): bool for edge in spec.edges for name in edge.guard})


def titles_of(spec: MachineSpec) -> dict[str, str]:
    """Edge names to words for people."""
    return {edge.name: edge.title or edge.name for edge in spec.edges}


def is_for(role: str, edge: EdgeSpec) -> bool:
    """Whether nodes of a role take an edge."""
    return not edge.guard or f"is_{role}" in edge.guard


def next_edge(spec: MachineSpec, state: str, role: str) -> EdgeSpec | None:
    """The edge that nodes of a role take from a state; None where their way ends."""
    return next((edge for edge in spec.edges if state in edge.sources and is_for(role, edge)), None)


def _is_walked(edge: EdgeSpec, cluster: Cluster) -> bool:
    """Where the control plane exists already, no node here is a server, and none is waited for."""
    return not cluster.joins or not SERVERS_ONLY & set(edge.guard)


def _limit(cluster: Cluster, name: str, shipped: int) -> int:
    """The manifest's, else the distro's or the shipped one; nodes that hand on to each other may be more."""
    usual = FAN_OUT_UPLOADS if name == "uploads" and cluster.fan_out.mode == "on" else shipped
    return cluster.limits.get(name, usual)


def _with_policy(edge: EdgeSpec, cluster: Cluster) -> EdgeSpec:
    changes: dict[str, Any] = dict(cluster.policy.get(edge.name, {}))
    if edge.name == GATED_EDGE:  # where the control plane exists already, there is nothing to wait for
        changes["signal"] = None if cluster.joins else cluster.agents_wait_for
    return msgspec.structs.replace(edge, **changes) if changes else edge
