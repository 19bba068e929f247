"""What a manifest asks of its endpoint in vain: sentences ``path: message; hint``. Pure.

What can be said of a manifest without knowing any distro, with its line, `mk8s.manifest` has said already;
this is the rest. Begin reading at `faults`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from mk8s.cluster import Cluster
from mk8s.endpoints.keepalived import MOST_SERVERS

__all__ = ["faults"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Rule: TypeAlias = Callable[[Cluster], Iterator[str]]

K0S = "k0s"
RANCHER = ("rke2", "k3s")
LAST_ID = 255


def faults(cluster: Cluster) -> Iterator[str]:
    """Every fault of the way that was chosen, by any distro."""
    for rule in (_of_distro, _node_local, _WAYS[cluster.balancer.by]):
        yield from rule(cluster)


def _of_distro(cluster: Cluster) -> Iterator[str]:
    by = cluster.balancer.by
    if by == "cplb" and cluster.distro != K0S:
        yield "endpoint.by: cplb is k0s' own; write kube-vip or keepalived"
    if cluster.distro == K0S and by in ("kube-vip", "keepalived"):
        why = (
            "mk8s has it run in pods on all servers, and k0s' need not run any"
            if by == "kube-vip"
            else "all its ports must be the same at the endpoint, and haproxy cannot share them with k0s"
        )
        yield f"endpoint.by: k0s cannot use {by}: {why}; write cplb, which is k0s' own"


def _node_local(cluster: Cluster) -> Iterator[str]:
    if not cluster.balancer.node_local:
        return
    if cluster.distro in RANCHER:
        yield (
            f"endpoint.node_local: every agent of {cluster.distro} balances among all servers by itself; "
            "leave it out"
        )
    elif cluster.distro != K0S:
        yield f"endpoint.node_local: has no meaning for {cluster.distro}; leave it out, it is k0s' own"
    elif cluster.endpoint and cluster.balancer.by == "external":
        yield (
            "endpoint.node_local: k0s cannot have it beside an address that you run; "
            "leave one of the two out, or write `by: cplb`"
        )


def _external(_cluster: Cluster) -> Iterator[str]:
    """Whatever answers there is the user's."""
    return iter(())


def _held(cluster: Cluster) -> Iterator[str]:
    """Servers hold an address among themselves: it is one, nobody's own, and of their family."""
    by, given = cluster.balancer.by, _ip(cluster.endpoint or "")
    if given is None:
        yield f"endpoint.address: {by} holds an IP address; write one that no machine has"
        return
    for node in cluster.nodes:
        if given in (_ip(node.address), _ip(node.ip)):
            yield (
                f"endpoint.address: {given} is the address of {node.name}, and {by} moves it between the "
                "servers; take one that no machine has"
            )
    for node in cluster.servers:
        own = _ip(node.ip)
        if own is not None and own.version != given.version:
            yield (
                f"endpoint.address: {given} is IPv{given.version}, and {node.name} is reached by {own}; "
                "take one of the servers' network"
            )


def _kube_vip(cluster: Cluster) -> Iterator[str]:
    yield from _held(cluster)
    for key, what in (("image", "ghcr.io/kube-vip/kube-vip:v0.8.9"), ("interface", "eth0")):
        if not getattr(cluster.balancer, key):
            yield f"endpoint.{key}: kube-vip needs one; write such as {what}"


def _keepalived(cluster: Cluster) -> Iterator[str]:
    yield from _held(cluster)
    for node in cluster.servers:
        if _ip(node.ip) is None:
            yield (
                f"nodes.{node.name}.address: {node.ip!r} is a name, and keepalived's servers know each other "
                "by addresses; give the address as `node_ip`"
            )
    if not 1 <= cluster.balancer.router_id <= LAST_ID:
        yield f"endpoint.router_id: {cluster.balancer.router_id} is not between 1 and {LAST_ID}; take 51"
    if len(cluster.servers) > MOST_SERVERS:
        yield f"endpoint.by: keepalived serves {MOST_SERVERS} servers at the most; put a balancer before them"


_WAYS: Mapping[str, Rule] = {
    "external": _external,
    "kube-vip": _kube_vip,
    "keepalived": _keepalived,
    "cplb": _held,
}


def _ip(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
