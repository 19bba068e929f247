"""How addresses and networks of a manifest must fit together: one rule each. Pure.

Everything that has an address must have one of its own, and no network may hold what belongs to
another: a packet goes to one of them only. Distros that take networks from their own config are left
alone, unless the manifest has a `network`; their drivers say what they think of it.

Like the rules of `checking`, these look at plain values and pass over what is not of its kind, because
that is told already. Begin reading at RULES.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from machines.documents import Path, Value, show_path
from machines.errors import Fault
from machines.words import shown
from mk8s.cluster import Network
from mk8s.manifest.networks import Cidr, cidr_of, pod_cidr, service_cidr
from mk8s.manifest.source import EACH, CrossRule, Source, as_text
from mk8s.manifest.values import Rule, Wrong, ip_of
from mk8s.manifest.versions import UPSTREAM

__all__ = ["RULES"]

NODE_BITS = 24
"""Every node gets a network of this size for its pods."""


@dataclass(frozen=True, slots=True)
class _Inner:
    """One of the cluster's inner networks."""

    whose: str
    path: Path
    cidr: Cidr
    is_given: bool

    def said(self, source: Source) -> str:
        """How a message about something else names it."""
        where = f"in line {source.line(self.path)}" if self.is_given else "by default"
        return f"the network of {self.whose}, {self.cidr} {where}"


_KINDS: tuple[tuple[str, str, Rule], ...] = (
    ("pod_cidr", "pods", pod_cidr),
    ("service_cidr", "services", service_cidr),
)


def _inner(source: Source) -> list[_Inner]:
    """The networks that can be read, the defaults included where the distro uses them."""
    given = source.mapping("network")
    if not given and as_text(source.mapping().get("distro")) not in UPSTREAM:
        return []
    found = [_one_inner(given, *kind) for kind in _KINDS]
    return [network for network in found if network]


def _one_inner(given: Mapping[str, Value], key: str, whose: str, rule: Rule) -> _Inner | None:
    value = given.get(key)
    text = str(getattr(Network(), key)) if value is None else as_text(value)
    cidr = cidr_of(text) if text and rule(text) is None else None
    return _Inner(whose, ("network", key), cidr, value is not None) if cidr else None


def networks_apart(source: Source) -> Iterator[Fault]:
    """Pods and services never share an address."""
    networks = _inner(source)
    if len(networks) < len(_KINDS) or not networks[0].cidr.overlaps(networks[1].cidr):
        return
    pods, services = networks
    at, other = (services, pods) if services.is_given else (pods, services)
    message = f"{shown(str(at.cidr))} overlaps {other.said(source)}"
    yield source.fault(at.path, Wrong(message, "give each of the two addresses that nothing else has"))


def nodes_outside(source: Source) -> Iterator[Fault]:
    """No address of a node, and not the endpoint, lies in a network inside the cluster."""
    networks = _inner(source)
    endpoints = [*source.words("endpoint"), *source.words("endpoint", "address")]
    for path, text in [*_inside_addresses(source), *endpoints]:
        found = ip_of(text)
        for network in networks:
            if found is not None and found in network.cidr:
                message = f"{shown(text)} lies in {network.said(source)}"
                hint = f"give `{show_path(network.path)}` addresses that nothing else has"
                yield source.fault(path, Wrong(message, hint))


def _inside_addresses(source: Source) -> Iterator[tuple[Path, str]]:
    """By which address each node is reached from the others: `node_ip`, or else `address`."""
    for path, node in source.nodes():
        key = "node_ip" if node.get("node_ip") is not None else "address"
        text = as_text(node.get(key))
        if text is not None:
            yield (*path, key), text


def room_for_nodes(source: Source) -> Iterator[Fault]:
    """The built-in network gives every node a /24 of the pods' network."""
    pods = next((network for network in _inner(source) if network.whose == "pods"), None)
    if pods is None or source.mapping("network").get("cni") == "none":
        return
    nodes = sum(1 for _ in source.nodes())
    room = 1 << (NODE_BITS - pods.cidr.prefixlen)
    if nodes > room:
        enough = NODE_BITS - (nodes - 1).bit_length()
        message = f"{shown(str(pods.cidr))} has room for {room} nodes, and there are {nodes}"
        hint = f"every node gets a /{NODE_BITS} of it: a /{enough} is enough"
        yield source.fault(pods.path, Wrong(message, hint))


def inside_addresses_differ(source: Source) -> Iterator[Fault]:
    """A node's `node_ip` is no other node's, by neither key."""
    first: dict[Any, Path] = {}
    claims = [(path, ip_of(text)) for path, text in source.words("nodes", EACH, "address")]
    claims += [(path, ip_of(text)) for path, text in source.words("nodes", EACH, "node_ip")]
    for path, found in claims:
        if found is None:
            continue
        before = first.setdefault(found, path)
        if path[-1] == "node_ip" and before[:-1] != path[:-1]:
            other = f"the {before[-1]} of {show_path(before[:-1])} too, in line {source.line(before)}"
            yield source.fault(
                path, Wrong(f"{shown(str(found))} is {other}", "every node has a node_ip of its own")
            )


def virtual_address(source: Source) -> Iterator[Fault]:
    """kube-vip holds the endpoint, so there is one, it is an address, and no machine has it."""
    if not isinstance(source.mapping().get("kube_vip"), dict):
        return
    endpoint = source.mapping().get("endpoint")
    if isinstance(endpoint, dict):
        return  # told elsewhere: the two ways to say it are not used together
    if endpoint is None:
        hint = "give `endpoint` an address of the nodes' network that no machine has"
        yield source.fault(("kube_vip",), Wrong("there is no `endpoint` for it to hold", hint))
        return
    text = as_text(endpoint)
    if text is not None:
        yield from _held(source, text)


def _held(source: Source, text: str) -> Iterator[Fault]:
    found = ip_of(text)
    if found is None:
        hint = "write the address that the name stands for, or leave `kube_vip` out"
        yield source.fault(("endpoint",), Wrong(f"{shown(text)} is a name: kube_vip holds an address", hint))
        return
    for key in ("address", "node_ip"):
        for path, of_node in source.words("nodes", EACH, key):
            if ip_of(of_node) == found:
                where = f"{show_path(path[:-1])} in line {source.line(path)}"
                hint = "kube_vip moves the address between the servers: take one that no machine has"
                yield source.fault(("endpoint",), Wrong(f"{shown(text)} is the address of {where}", hint))
                return


RULES: tuple[CrossRule, ...] = (
    networks_apart,
    nodes_outside,
    room_for_nodes,
    inside_addresses_differ,
    virtual_address,
)
