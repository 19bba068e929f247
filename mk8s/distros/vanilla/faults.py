"""What vanilla cannot do with a manifest, found before any node is touched.

Each rule is one small function from the cluster to sentences ``path: message; hint``. Add a rule to RULES.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeAlias

from machines.words import shown
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.upstream import network, parts
from mk8s.distros.upstream.versions import parse_version
from mk8s.distros.vanilla import configs, flags, settings, versions
from mk8s.distros.vanilla.artifacts import artifact_items
from mk8s.needs import Kept

__all__ = ["find_faults"]

Rule: TypeAlias = Callable[[Cluster], Iterator[str]]

SMALLEST_SERVICES = 28  # the prefix that still has a tenth address, which is the DNS's
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
FLAG = re.compile(r"[a-z][a-z0-9-]*")


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault of every rule, in the order of the rules."""
    return [fault for rule in RULES for fault in rule(cluster)]


def _version(cluster: Cluster) -> Iterator[str]:
    release = parse_version(cluster.version)
    if release is None:
        yield f"version: {cluster.version!r} is no Kubernetes release; write one such as v1.31.4"
    elif release.minor < versions.OLDEST:
        yield f"version: {cluster.version} is too old; vanilla installs v1.{versions.OLDEST}.0 and later"


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


def _components(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        for name, given in node.config.items():
            path = f"nodes.{node.name}.config.{name}"
            if name not in settings.COMPONENTS:
                yield f"{path}: there is no such component; {_hint(str(name), settings.COMPONENTS)}"
            elif not isinstance(given, Mapping):
                yield f"{path}: must be a mapping of settings, such as {{v: 2}}"


def _hint(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def _owned(cluster: Cluster) -> Iterator[str]:
    if any(_version(cluster)) or any(_networks(cluster)):
        return  # then nothing can be rendered to compare with
    for node in cluster.nodes:
        for component in settings.COMPONENTS:
            given = settings.of(node, component)
            for name in settings.owned(_rendered(cluster, node, component), given, component):
                yield (
                    f"nodes.{node.name}.config.{component}.{name}: mk8s sets this itself, "
                    "for other parts of the cluster rely on it; leave it out"
                )


def _rendered(cluster: Cluster, node: Node, component: str) -> Mapping[str, Any]:
    """What mk8s sets of a component, whatever this node's role: the names are what matters."""
    s = Situation(cluster, node, None, {}, "", Kept())
    fields = {"kubelet": configs.kubelet_fields, "kube-proxy": configs.proxy_fields}.get(component)
    return fields(s) if fields else flags.RENDERED[component](s)


def _flag_names(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        for component in settings.FLAGGED:
            for name in settings.of(node, component):
                if not FLAG.fullmatch(str(name)):
                    yield (
                        f"nodes.{node.name}.config.{component}.{name}: is no flag's name; "
                        "write it without dashes before it, in lower case"
                    )


def _flag_values(cluster: Cluster) -> Iterator[str]:
    """A unit file has lines: what breaks one would begin a setting of the unit's own."""
    for node in cluster.nodes:
        for component in settings.FLAGGED:
            for name, value in settings.of(node, component).items():
                text = settings.as_flag(value)
                if CONTROL.search(text):
                    yield (
                        f"nodes.{node.name}.config.{component}.{name}: {shown(text)} holds "
                        "a line break or another control character; write it on one line"
                    )


def _kube_vip(cluster: Cluster) -> Iterator[str]:
    if cluster.kube_vip and not (cluster.endpoint and _is_ipv4(cluster.endpoint)):
        yield "endpoint: kube-vip holds an IPv4 address; write it as `endpoint`"


def _artifacts(cluster: Cluster) -> Iterator[str]:
    known = artifact_items(cluster)
    for name in parts.unknown_ids(cluster, known):
        ids = tuple(item.id for item in known)
        yield f"artifacts.{name}: vanilla needs no such file here; {_hint(name, ids)}"


RULES: tuple[Rule, ...] = (
    _version,
    _addresses,
    _networks,
    _components,
    _owned,
    _flag_names,
    _flag_values,
    _kube_vip,
    _artifacts,
)
