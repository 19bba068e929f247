"""k0s.yaml: the user's ClusterConfig and the few keys that mk8s adds where they are absent. Pure.

Controllers alone read it. Every one has the same but for its own addresses. What is added: the node's
addresses, the endpoint, the datastore, the networks, registries, and that k0s calls nobody outside in an
air gap. Source: k0s' documentation of its configuration, of NLLB and of CPLB.

Begin reading at `render_config`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.common import datastore
from mk8s.distros.k0s.merging import Path, merge
from mk8s.distros.k0s.roles import CONFIG, at, is_ip, runs_own_etcd, servers_of
from mk8s.needs import Kept
from mk8s.registries import given_of
from mk8s.registries.k0s import image_settings

__all__ = [
    "CPLB",
    "CPLB_PASSWORD",
    "DATASTORE_FILES",
    "NLLB",
    "VRRP",
    "additions",
    "needed_sans",
    "render_config",
]

Addition: TypeAlias = tuple[Path, Any]

CPLB_PASSWORD = "cplb-password"  # noqa: S105 - the name of a need
DATASTORE_FILES = CONFIG.parent / "datastore"
CPLB = ("spec", "network", "controlPlaneLoadBalancing")
VRRP = (*CPLB, "keepalived", "vrrpInstances")
NLLB = ("spec", "network", "nodeLocalLoadBalancing")
FILE_KEYS = {"ca": "caFile", "cert": "clientCertFile", "key": "clientKeyFile"}


def render_config(s: Situation) -> bytes:
    """The controller's /etc/k0s/k0s.yaml. Holds secrets.

    Raises ConfigTextError; `faults` finds the same before any node is touched.
    """
    return merge(s.node.config_text, s.node.config, additions(s)).encode()


def additions(s: Situation) -> list[Addition]:
    """What the config must have, with the place of each; what the user gave there wins."""
    return [
        (("apiVersion",), "k0s.k0sproject.io/v1beta1"),
        (("kind",), "ClusterConfig"),
        (("metadata", "name"), "k0s"),
        *_api(s.cluster, s.node),
        *_storage(s),
        *_network(s.cluster),
        *_node_local(s.cluster),
        *_virtual_address(s.cluster, s.kept),
        *_offline(s.cluster),
        *_images(s),
    ]


def _api(cluster: Cluster, node: Node) -> Iterator[Addition]:
    """Without an address k0s takes its host's first one; it has to be an IP."""
    if is_ip(node.ip):
        yield ("spec", "api", "address"), node.ip
    if cluster.endpoint and not cluster.balancer.node_local:
        yield ("spec", "api", "externalAddress"), cluster.endpoint
    names = needed_sans(cluster)
    if names:
        yield ("spec", "api", "sans"), names


def needed_sans(cluster: Cluster) -> list[str]:
    """Names that must be in the API servers' certificates and that k0s does not find on its hosts."""
    reached = [node.address for node in servers_of(cluster) if node.address != node.ip or not is_ip(node.ip)]
    return list(dict.fromkeys([*([cluster.endpoint] if cluster.endpoint else []), *reached]))


def _storage(s: Situation) -> Iterator[Addition]:
    if s.cluster.datastore:
        yield from _datastore(s)
    elif runs_own_etcd(s.cluster):
        yield ("spec", "storage", "type"), "etcd"
        if is_ip(s.node.ip):
            yield ("spec", "storage", "etcd", "peerAddress"), s.node.ip


def _datastore(s: Situation) -> Iterator[Addition]:
    """kine for a database; another etcd by its members, under a prefix of the cluster's own."""
    address = datastore.endpoint(s)
    if datastore.kind(address) != "etcd":
        yield ("spec", "storage", "type"), "kine"
        yield ("spec", "storage", "kine", "dataSource"), address
        return
    files = datastore.paths(s.cluster, DATASTORE_FILES)
    external: dict[str, Any] = {"endpoints": address.split(","), "etcdPrefix": f"k0s-{s.cluster.name}"}
    external |= {FILE_KEYS[name]: str(path) for name, path in files.items()}
    yield ("spec", "storage", "type"), "etcd"
    yield ("spec", "storage", "etcd", "externalCluster"), external


def _network(cluster: Cluster) -> Iterator[Addition]:
    if cluster.network is None:
        return
    if cluster.network.cni == "none":
        yield ("spec", "network", "provider"), "custom"
    yield ("spec", "network", "podCIDR"), cluster.network.pod_cidr
    yield ("spec", "network", "serviceCIDR"), cluster.network.service_cidr
    if cluster.network.dns_domain != "cluster.local":
        yield ("spec", "network", "clusterDomain"), cluster.network.dns_domain


def _node_local(cluster: Cluster) -> Iterator[Addition]:
    if cluster.balancer.node_local:
        yield (*NLLB, "enabled"), True
        yield (*NLLB, "type"), "EnvoyProxy"


def _virtual_address(cluster: Cluster, kept: Kept) -> Iterator[Addition]:
    """The address as a network of its own: the hosts have routes to its real one already."""
    if cluster.balancer.by != "cplb" or not cluster.endpoint:
        return
    instance: dict[str, Any] = {
        "virtualIPs": [f"{cluster.endpoint}/{128 if ':' in cluster.endpoint else 32}"],
        "authPass": kept.words.get(CPLB_PASSWORD, "")[:8],
        "virtualRouterID": cluster.balancer.router_id,
    }
    if cluster.balancer.interface:
        instance["interface"] = cluster.balancer.interface
    yield (*CPLB, "enabled"), True
    yield (*CPLB, "type"), "Keepalived"
    yield VRRP, [instance]


def _offline(cluster: Cluster) -> Iterator[Addition]:
    if cluster.airgap:
        yield ("spec", "telemetry", "enabled"), False


def _images(s: Situation) -> Iterator[Addition]:
    """In an air gap k0s' own images are in its bundle, unless a registry has them."""
    given = given_of(s.cluster, s.kept)
    settings = image_settings(given) if given else {}
    for key, value in settings.items():
        yield ("spec", "images", key), value
    elsewhere = settings or at(s.node.config, "spec", "images", "repository")
    if s.cluster.airgap and not elsewhere:
        yield ("spec", "images", "default_pull_policy"), "Never"
