"""What a manifest asks of vanilla in vain: each named with its place, before any node is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mk8s.cluster import ArtifactSource, Balancer, Network
from mk8s.distros.vanilla import DISTRO
from tests.mk8s.distros.situations import make_node
from tests.mk8s.distros.vanilla.clusters import VERSIONS, a_cluster, all_clusters


def test_good_clusters_have_no_fault() -> None:
    assert [fault for cluster in all_clusters() for fault in DISTRO.faults(cluster)] == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"version": "v1.33.4+rke2r1"}, "is no Kubernetes release"),
        ({"version": "v1.19.16"}, "is older than v1.20.0"),
        ({"network": Network(pod_cidr="10.244.0.0/25")}, "network.pod_cidr: "),
        ({"network": Network(service_cidr="10.96.0.0/30")}, "has no tenth address"),
        ({"network": Network(service_cidr="fd00::/108")}, "is no IPv4 network"),
        (
            {"nodes": (make_node("a", "primary", "a.example.org"),)},
            "nodes.a.address: 'a.example.org' is no IPv4",
        ),
        ({"nodes": (make_node("a", "primary", "fd00::1"),)}, "is no IPv4 address"),
        (
            {"balancer": Balancer("kube-vip", "eth0", "i"), "endpoint": "api.example.org"},
            "kube-vip holds an IP address",
        ),
        ({"artifacts": {"kubeletz": ArtifactSource()}}, "did you mean kubelet?"),
    ],
)
def test_what_cannot_be_is_refused(more: Mapping[str, Any], words: str) -> None:
    (fault,) = DISTRO.faults(a_cluster(**more))

    assert words in fault


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"apiserver": {}}, "did you mean kube-apiserver?"),
        ({"kubelet": ["x"]}, "must be a mapping"),
        (
            {"kube-apiserver": {"etcd-servers": "x"}},
            "config.kube-apiserver.etcd-servers: mk8s sets this itself",
        ),
        ({"kubelet": {"clusterDNS": ["10.0.0.1"]}}, "config.kubelet.clusterDNS: mk8s sets this itself"),
        ({"kube-proxy": {"hostnameOverride": "x"}}, "mk8s sets this itself"),
        ({"kube-scheduler": {"--v": 2}}, "is no flag's name"),
        ({"kube-scheduler": {"v": "2\nExecStartPre=/x"}}, "write it on one line"),
        ({"etcd": {"snapshot-count": ["1", "2\r"]}}, "write it on one line"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_settings_that_cannot_be_are_refused(config: Mapping[str, Any], words: str, version: str) -> None:
    """On each node that has them, by the place where they stand."""
    faults = DISTRO.faults(a_cluster(version, config))

    assert len(faults) == 3
    assert all(words in fault for fault in faults)


def test_settings_that_may_be_changed_are_taken() -> None:
    config = {
        "etcd": {"quota-backend-bytes": 8 << 30},
        "kube-apiserver": {"event-ttl": "2h", "service-node-port-range": "30000-31000"},
        "kubelet": {"maxPods": 250, "resolvConf": "/etc/resolv.kubelet"},
        "kube-proxy": {"mode": "ipvs"},
    }

    assert DISTRO.faults(a_cluster(config=config)) == []
