"""What none of upstream's distros can do with a manifest: rules that kubeadm and vanilla share. Pure.

Each gives sentences ``path: message; hint``.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from mk8s import endpoints
from mk8s.cluster import Cluster
from mk8s.distros.base import ArtifactItem
from mk8s.distros.common import meaningless, packages, placement, proxy
from mk8s.distros.upstream import network, parts
from mk8s.distros.upstream.components import version_of
from mk8s.distros.upstream.versions import parse_version
from mk8s.registries.faults import of_containerd

__all__ = [
    "addresses",
    "artifacts",
    "config_parts",
    "endpoint",
    "hint",
    "is_without_servers",
    "modes",
    "networks",
    "registries",
    "version",
]

MEANINGLESS: Mapping[str, str] = {
    "arguments": "write flags and fields into `config`",
    "artifacts_mode": "it installs every program from the release; leave it out, or write bundle or download",
    "datastore": "its servers run etcd themselves; leave it out",
    "drop_ins": "there is no folder of such files; write into `config`",
    "install_method": "it has no installer of its own; leave it out",
    "join": "nodes are added to a cluster whose servers are in the manifest",
}
ISOLATED = "its servers always run a kubelet; write `control_plane: tainted`"
SMALLEST_SERVICES = 28  # the prefix that still has a tenth address, which is the DNS's


def version(cluster: Cluster, oldest: int) -> Iterator[str]:
    """`oldest`: the minor release of the first Kubernetes that works."""
    release = parse_version(cluster.version)
    if release is None:
        yield f"version: {cluster.version!r} is no Kubernetes release; write one such as v1.31.4"
    elif release.minor < oldest:
        yield f"version: {cluster.version} is older than v1.{oldest}.0, the first that works; take another"


def addresses(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        if not _is_ipv4(node.ip):
            yield (
                f"nodes.{node.name}.address: {node.ip!r} is no IPv4 address, and certificates and routes "
                "need one; write the address, or give it as `node_ip`"
            )


def networks(cluster: Cluster) -> Iterator[str]:
    yield from network.faults(cluster)
    text = cluster.net.service_cidr
    try:
        services = IPv4Network(text)
    except ValueError:
        yield f"network.service_cidr: {text!r} is no IPv4 network; write such as 10.96.0.0/16"
        return
    if services.prefixlen > SMALLEST_SERVICES:
        yield f"network.service_cidr: {text} has no tenth address for the DNS; take a larger network"


def endpoint(cluster: Cluster) -> Iterator[str]:
    """Nodes have IPv4 addresses here, and servers that hold an address hold one of these."""
    return endpoints.faults(cluster)


def is_without_servers(cluster: Cluster) -> bool:
    """Whether nothing but `modes` can be said: no server is among the nodes."""
    return not cluster.servers


def modes(cluster: Cluster) -> Iterator[str]:
    """Keys of other distros, labels and taints, the proxy, and packages."""
    yield from meaningless.faults(cluster, MEANINGLESS)
    yield from placement.faults(cluster, ISOLATED)
    yield from proxy.faults(cluster)
    yield from packages.faults(cluster)


def config_parts(cluster: Cluster, known: Collection[str], what: str, form: str) -> Iterator[str]:
    """Every node's `config` maps known parts to mappings. `what` a part is called, `form` what it must be."""
    for node in cluster.nodes:
        for part, given in node.config.items():
            path = f"nodes.{node.name}.config.{part}"
            if part not in known:
                yield f"{path}: there is no such {what}; {hint(str(part), known)}"
            elif not isinstance(given, Mapping):
                yield f"{path}: must be a mapping of {form}"


def artifacts(cluster: Cluster, known: Sequence[ArtifactItem]) -> Iterator[str]:
    for name in parts.unknown_ids(cluster, known):
        ids = [item.id for item in known]
        yield f"artifacts.{name}: {cluster.distro} needs no such file here; {hint(name, ids)}"


def registries(cluster: Cluster) -> Iterator[str]:
    """What containerd of the version that belongs to the release cannot do with them."""
    return of_containerd(cluster, version_of(cluster, "containerd"))


def hint(name: str, known: Iterable[str]) -> str:
    """What was meant, or what there is."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
