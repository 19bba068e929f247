"""k0s clusters and situations for the tests, and the table of those whose steps a person has read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mk8s.cluster import (
    Balancer,
    Cluster,
    ControlPlane,
    Datastore,
    Network,
    Node,
    Proxy,
    Registries,
    RegistryMirror,
)
from mk8s.distros.base import Situation
from mk8s.distros.k0s import DISTRO
from mk8s.needs import Kept, pretend
from tests.mk8s.distros.situations import make_cluster, make_node, situation

__all__ = [
    "BY_HAND",
    "CLUSTERS",
    "SERVERS",
    "VERSION",
    "every_situation",
    "five",
    "k0s",
    "one",
    "situation_of",
]

VERSION = "v1.33.4+k0s.0"
SERVERS = (
    make_node("srv-1", "primary", "10.0.0.11"),
    make_node("srv-2", "server", "10.0.0.12"),
    make_node("srv-3", "server", "10.0.0.13"),
)
AGENTS = (make_node("agent-1", "agent", "10.0.0.21"), make_node("agent-2", "agent", "10.0.0.22"))
BY_HAND = """\
# the shop's cluster
apiVersion: k0s.k0sproject.io/v1beta1
kind: ClusterConfig
spec:
  api:
    extraArgs:
      audit-log-path: "-"   # to the journal
  network:
    provider: calico        # with its own policies
    calico: {mode: vxlan}
  workerProfiles:
  - name: quiet
    values: {maxPods: 50}
"""


def k0s(*nodes: Node, version: str = VERSION, **more: Any) -> Cluster:
    """A cluster of these nodes, or of two servers and an agent."""
    return replace(make_cluster(*(nodes or (*SERVERS[:2], AGENTS[0])), version=version, **more), distro="k0s")


def five(version: str = VERSION, **more: Any) -> Cluster:
    """Three servers and two agents."""
    return k0s(*SERVERS, *AGENTS, version=version, **more)


def one(**more: Any) -> Cluster:
    """A server alone."""
    return k0s(SERVERS[0], **more)


def situation_of(cluster: Cluster, name: str = "srv-1", *, password: str = "") -> Situation:
    """A node that was looked at, with the whole release here and what is kept pretended."""
    node = next(node for node in cluster.nodes if node.name == name)
    kept = pretend(DISTRO.needs(cluster))
    words = {**kept.words, **({"datastore-password": password} if password else {})}
    token = "" if cluster.joins is None else "H4sI-token-of-theirs"
    return replace(situation(cluster, node, DISTRO), kept=Kept(words), token=token)


CLUSTERS: dict[str, Cluster] = {
    "plain": k0s(),
    "alone": one(),
    "single-process": k0s(replace(SERVERS[0], arguments=("--single",))),
    "tainted-by-hand": k0s(
        *(make_node(node.name, node.role, node.address, BY_HAND) for node in SERVERS[:2]),
        replace(
            AGENTS[0], labels={"disk": "fast"}, taints=("shop=1:NoSchedule",), arguments=("--profile=quiet",)
        ),
        control_plane="tainted",
    ),
    "external-endpoint-and-manifests": k0s(
        endpoint="api.shop.example",
        manifests=(Path("/srv/clusters/web.yaml"), Path("/srv/clusters/db.yml")),
        images=("ghcr.io/shop/web:1",),
    ),
    "virtual-address": k0s(
        version="v1.36.1+k0s.0", endpoint="10.0.0.100", balancer=Balancer("cplb", "eth1", node_local=True)
    ),
    "postgres": k0s(datastore=Datastore("postgres://k0s@db.example:5432/k0s", "DB")),
    "another-etcd": k0s(
        datastore=Datastore(
            "https://e1.example:2379,https://e2.example:2379", None, Path("ca"), Path("cert"), Path("key")
        )
    ),
    "agents-alone": k0s(*AGENTS, joins=ControlPlane("10.9.9.9", "TOKEN")),
    "preinstalled-without-network": k0s(
        artifacts_mode="preinstalled", network=Network("10.50.0.0/16", "10.60.0.0/16", "shop.local", "none")
    ),
    "old-with-proxy": k0s(
        *(replace(node, proxy=Proxy("http://proxy.example:3128")) for node in (*SERVERS[:2], AGENTS[0])),
        version="v1.24.17+k0s.0",
    ),
    "registries-and-drop-ins": k0s(
        SERVERS[0],
        replace(AGENTS[0], drop_ins={"selinux.toml": "version = 2\n"}),
        registries=Registries(
            {"docker.io": RegistryMirror(("https://mirror.example:5000",))}, default="reg.example"
        ),
    ),
    "elsewhere": k0s(
        replace(
            SERVERS[0],
            address="srv-1.example",
            node_ip="10.0.0.11",
            arguments=("--data-dir=/data/k0s", "--ignore-pre-flight-checks"),
        ),
        replace(
            AGENTS[0],
            address="192.0.2.21",
            node_ip="10.0.0.21",
            arguments=("--kubelet-extra-args", "--v=2", "--iptables-mode=nft"),
        ),
    ),
}


def every_situation() -> Iterator[Situation]:
    """Each node of each cluster of the table, looked at and not."""
    for cluster in CLUSTERS.values():
        for node in cluster.nodes:
            looked_at = situation_of(cluster, node.name, password="hush-hush" if cluster.datastore else "")
            yield looked_at
            yield replace(looked_at, facts=None)
