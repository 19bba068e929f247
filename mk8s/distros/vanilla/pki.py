"""The cluster's keys: what has to be kept for its whole life, and which of it lies where on a node. Pure.

Three authorities, so that none of them opens more than it must: `ca` for the API, `etcd-ca` for etcd alone,
`front-proxy-ca` for aggregated APIs. Whatever depends on one node's name or address is a certificate of
that node alone: growth adds certificates and re-issues none. The keys of `etcd-ca` and `front-proxy-ca`
never leave the machine that mk8s runs on; that of `ca` lies on servers: the controller manager signs with it.

Common names and organizations are those that Kubernetes' own RBAC rules bind (kubernetes.io: PKI
certificates and requirements). Begin reading at `needs`, then `files_of`.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath
from typing import NamedTuple

from mk8s.cluster import Cluster, Node
from mk8s.distros.vanilla.paths import ETCD_PKI, PKI
from mk8s.needs import Authority, Certificate, Constant, Kept, KeyPair, Need, Random

__all__ = ["FOUNDERS", "KUBELET_CLIENT", "PkiFile", "dns_ip", "files_of", "first_service_ip", "keys"]

LEAF_DAYS = 1825  # five years, half of an authority's life: mk8s cannot renew certificates yet
FOUNDERS = "etcd-founders"
KUBELET_CLIENT = "kube-apiserver-kubelet-client"  # the user that apiservers are to kubelets
LOOPBACK = "127.0.0.1"


class PkiFile(NamedTuple):
    """One PEM file of a node."""

    path: PurePosixPath
    content: bytes
    secret: bool


def first_service_ip(cluster: Cluster) -> str:
    """The address of the service `kubernetes`: the first of the service network."""
    return str(ip_network(cluster.net.service_cidr)[1])


def dns_ip(cluster: Cluster) -> str:
    """The address of the service `kube-dns`: by custom the tenth of the service network."""
    return str(ip_network(cluster.net.service_cidr)[10])


def keys(cluster: Cluster) -> list[Need]:
    """Everything that is made once: authorities first, then what is shared, then what is each node's own."""
    return [*_authorities(cluster), *_words(cluster), *_shared(), *_of_servers(cluster), *_of_nodes(cluster)]


def _authorities(cluster: Cluster) -> Iterator[Need]:
    yield Authority("ca", f"{cluster.name}-ca")
    yield Authority("etcd-ca", f"{cluster.name}-etcd-ca")
    yield Authority("front-proxy-ca", f"{cluster.name}-front-proxy-ca")


def _words(cluster: Cluster) -> Iterator[Need]:
    yield KeyPair("service-account")
    yield Random("encryption-key", "base64-32")
    yield Constant(FOUNDERS, ",".join(node.name for node in cluster.servers))


def _shared() -> Iterator[Need]:
    """The same on every server. Two of them also serve, on the loopback alone."""
    yield _client("admin", "admin", "system:masters")
    yield _client("kube-proxy", "system:kube-proxy", "system:node-proxier")
    yield _client("apiserver-kubelet-client", KUBELET_CLIENT)
    yield _client("apiserver-etcd-client", "kube-apiserver-etcd-client", authority="etcd-ca")
    yield _client("front-proxy-client", "front-proxy-client", authority="front-proxy-ca")
    for component in ("kube-controller-manager", "kube-scheduler"):
        user = f"system:{component}"
        yield Certificate(
            component, "ca", user, user, server=True, client=True, dns=("localhost",), ips=(LOOPBACK,),
            days=LEAF_DAYS,
        )  # fmt: skip


def _client(name: str, user: str, group: str = "", authority: str = "ca") -> Certificate:
    return Certificate(name, authority, user, group, client=True, days=LEAF_DAYS)


def _of_servers(cluster: Cluster) -> Iterator[Need]:
    for node in cluster.servers:
        names, addresses = _endpoint(cluster)
        yield Certificate(
            f"apiserver/{node.name}", "ca", "kube-apiserver", server=True,
            dns=_unique(*_service_names(cluster), node.name, "localhost", *names),
            ips=_unique(node.ip, *addresses, first_service_ip(cluster), LOOPBACK),
            days=LEAF_DAYS,
        )  # fmt: skip
        # etcd uses one certificate to serve and to reach its peers, so it is a client's too
        yield Certificate(
            f"etcd/{node.name}", "etcd-ca", node.name, server=True, client=True,
            dns=(node.name, "localhost"), ips=_unique(node.ip, LOOPBACK), days=LEAF_DAYS,
        )  # fmt: skip


def _of_nodes(cluster: Cluster) -> Iterator[Need]:
    for node in cluster.nodes:
        yield Certificate(
            f"kubelet/{node.name}", "ca", f"system:node:{node.name}", "system:nodes",
            server=True, client=True, dns=(node.name,), ips=_unique(node.ip, LOOPBACK), days=LEAF_DAYS,
        )  # fmt: skip


def _service_names(cluster: Cluster) -> tuple[str, ...]:
    inside = "kubernetes.default.svc"
    return ("kubernetes", "kubernetes.default", inside, f"{inside}.{cluster.net.dns_domain}")


def _endpoint(cluster: Cluster) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The endpoint as names and as addresses: it is one of the two, or the primary's address."""
    at = cluster.endpoint or cluster.primary.ip
    try:
        ip_address(at)
    except ValueError:
        return (at,), ()
    return (), (at,)


def _unique(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


# What lies on a node


def files_of(node: Node, kept: Kept) -> list[PkiFile]:
    """Every certificate and key of this node."""
    files = [_public(kept, "ca", PKI / "ca.crt"), *_pair(kept, f"kubelet/{node.name}", PKI / "kubelet")]
    return [*files, *_servers_files(node, kept)] if node.is_server else files


def _servers_files(node: Node, kept: Kept) -> Iterator[PkiFile]:
    yield PkiFile(PKI / "ca.key", kept.pairs["ca"].private, secret=True)
    yield _public(kept, "front-proxy-ca", PKI / "front-proxy-ca.crt")
    yield PkiFile(PKI / "sa.pub", kept.pairs["service-account"].public, secret=False)
    yield PkiFile(PKI / "sa.key", kept.pairs["service-account"].private, secret=True)
    yield from _pair(kept, f"apiserver/{node.name}", PKI / "apiserver")
    for name in ("apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client"):
        yield from _pair(kept, name, PKI / name)
    for name in ("kube-controller-manager", "kube-scheduler"):
        yield from _pair(kept, name, PKI / name)
    yield _public(kept, "etcd-ca", ETCD_PKI / "ca.crt")
    yield from _pair(kept, f"etcd/{node.name}", ETCD_PKI / "server")


def _public(kept: Kept, name: str, path: PurePosixPath) -> PkiFile:
    return PkiFile(path, kept.pairs[name].public, secret=False)


def _pair(kept: Kept, name: str, stem: PurePosixPath) -> Iterator[PkiFile]:
    yield PkiFile(stem.with_suffix(".crt"), kept.pairs[name].public, secret=False)
    yield PkiFile(stem.with_suffix(".key"), kept.pairs[name].private, secret=True)
