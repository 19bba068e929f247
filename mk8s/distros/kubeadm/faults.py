"""What kubeadm cannot do with a manifest, found before any node is touched.

Each rule is one small function from the cluster to sentences ``path: message; hint``. Add a rule to RULES.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.distros.kubeadm import config
from mk8s.distros.kubeadm.arguments import ARGUMENTS, is_arguments, repeated
from mk8s.distros.kubeadm.artifacts import artifact_items
from mk8s.distros.upstream import network, parts
from mk8s.distros.upstream.versions import parse_version

__all__ = ["find_faults"]

Rule: TypeAlias = Callable[[Cluster], Iterator[str]]

OLDEST = 19  # v1beta2, and service-account tokens as they are now; older ones were never tried
SMALLEST_SERVICES = 28  # the prefix that still has a tenth address, which is the DNS's
HEAD = ("apiVersion", "kind")


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault of every rule, in the order of the rules."""
    return [fault for rule in RULES for fault in rule(cluster)]


def _version(cluster: Cluster) -> Iterator[str]:
    release = parse_version(cluster.version)
    if release is None:
        yield f"version: {cluster.version!r} is no Kubernetes release; write one such as v1.31.4"
    elif release.minor < OLDEST:
        yield f"version: {cluster.version} is older than v1.{OLDEST}.0, the first that works; take another"


def _addresses(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        if not _is_ipv4(node.ip):
            yield (
                f"nodes.{node.name}.address: {node.ip!r} is no IPv4 address, and certificates and routes "
                "need one; write the address, or give it as `node_ip`"
            )


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def _networks(cluster: Cluster) -> Iterator[str]:
    yield from network.faults(cluster)
    text = cluster.net.service_cidr
    try:
        services = IPv4Network(text)
    except ValueError:
        yield f"network.service_cidr: {text!r} is no IPv4 network; write such as 10.96.0.0/16"
        return
    if services.prefixlen > SMALLEST_SERVICES:
        yield f"network.service_cidr: {text} has no tenth address for the DNS; take a larger network"


def _kinds(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        for kind, fields in node.config.items():
            path = f"nodes.{node.name}.config.{kind}"
            if kind not in config.KINDS:
                yield f"{path}: there is no such kind; {_hint(str(kind), config.KINDS)}"
            elif not isinstance(fields, Mapping):
                yield f"{path}: must be a mapping of fields, as kubeadm's reference names them; indent them"


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def _owned(cluster: Cluster) -> Iterator[str]:
    for node, kind, fields in _given(cluster):
        path = f"nodes.{node.name}.config.{kind}"
        for name in HEAD:
            if name in fields:
                yield f"{path}.{name}: mk8s writes it for the release; leave it out"
        for name, why in config.OWNED[kind].items():
            if _has(fields, name):
                yield f"{path}.{name}: cannot be given here: {why}; leave it out"


def _has(fields: Mapping[str, Any], dotted: str) -> bool:
    name, _, rest = dotted.partition(".")
    below = fields.get(name)
    return name in fields and (not rest or (isinstance(below, Mapping) and _has(below, rest)))


def _given(cluster: Cluster) -> Iterator[tuple[Node, str, Mapping[str, Any]]]:
    for node in cluster.nodes:
        for kind, fields in node.config.items():
            if kind in config.KINDS and isinstance(fields, Mapping):
                yield node, str(kind), fields


def _cluster_wide(cluster: Cluster) -> Iterator[str]:
    """Only the first server's are read, so nobody may believe that another's count."""
    first = cluster.primary
    for node, kind, fields in _given(cluster):
        if kind in config.CLUSTER_WIDE and node is not first and fields != first.config.get(kind):
            yield (
                f"nodes.{node.name}.config.{kind}: differs from {first.name}'s, and a cluster has one; "
                f"give it for all nodes, or to {first.name}"
            )


def _arguments(cluster: Cluster) -> Iterator[str]:
    lists = config.api_version(cluster) == "v1beta4"
    for node, kind, fields in _given(cluster):
        for path, value in _arguments_in(fields, f"nodes.{node.name}.config.{kind}"):
            if not is_arguments(value):
                yield f"{path}: must map flags to values, or list `name` and `value`; write such as {{v: 2}}"
            elif not lists and repeated(value):
                names = ", ".join(repeated(value))
                yield f"{path}: {names} stands twice, and {cluster.version} takes a flag once; leave one"


def _arguments_in(fields: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        here = f"{path}.{name}"
        if name in ARGUMENTS:
            yield here, value
        elif isinstance(value, Mapping):
            yield from _arguments_in(value, here)


def _kube_vip(cluster: Cluster) -> Iterator[str]:
    if cluster.kube_vip and not (cluster.endpoint and _is_ipv4(cluster.endpoint)):
        yield "endpoint: kube-vip holds an IPv4 address; write it as `endpoint`"


def _artifacts(cluster: Cluster) -> Iterator[str]:
    known = artifact_items(cluster)
    for name in parts.unknown_ids(cluster, known):
        yield f"artifacts.{name}: kubeadm needs no such file here; {_hint(name, [item.id for item in known])}"


RULES: tuple[Rule, ...] = (
    _version,
    _addresses,
    _networks,
    _kinds,
    _owned,
    _cluster_wide,
    _arguments,
    _kube_vip,
    _artifacts,
)
