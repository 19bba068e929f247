"""By which names and ports the control plane is reached, whatever leads there. Pure.

Begin reading at `registration_url`.
"""

from __future__ import annotations

from mk8s.cluster import Cluster

__all__ = ["SHIFT", "address", "in_url", "names", "port", "registration_url"]

SHIFT = 10_000
"""haproxy on the servers listens so much higher than what it leads to: those ports are taken there."""


def address(cluster: Cluster) -> str:
    """The endpoint, the control plane that agents join, or the first server."""
    if cluster.joins:
        return cluster.joins.address
    return cluster.endpoint or cluster.primary.address


def port(cluster: Cluster, own: int) -> int:
    """The port at `address` that leads to the servers' `own`."""
    return own + SHIFT if cluster.balancer.by == "keepalived" and cluster.endpoint else own


def registration_url(cluster: Cluster, own: int) -> str:
    """Where nodes register and people ask: ``https://HOST:PORT``. `own`: the port on the servers."""
    return f"https://{in_url(address(cluster))}:{port(cluster, own)}"


def names(cluster: Cluster) -> tuple[str, ...]:
    """What servers' certificates must hold besides their own names."""
    return (cluster.endpoint,) if cluster.endpoint else ()


def in_url(host: str) -> str:
    """An address as it stands in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
