"""Every way to the servers, rehearsed whole: drivers, steps and models of all distros that have it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mk8s.cluster import ArtifactSource, Cluster
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from tests.mk8s.endpoints.made import a_cluster

VERSIONS = {
    "rke2": "v1.33.4+rke2r1", "k3s": "v1.33.4+k3s1", "kubeadm": "v1.31.4", "vanilla": "v1.31.4",
}  # fmt: skip
PACKAGES = {"packages-lb-servers": ArtifactSource("haproxy_2.6_amd64.deb", checksum="sha256:" + "0" * 64)}


def whole(by: str, distro: str) -> Cluster:
    cluster = a_cluster(by, distro, artifacts=PACKAGES)
    return replace(cluster, version=VERSIONS[distro])


def rehearsed(cluster: Cluster) -> Rehearsal:
    driver = load_distro(cluster.distro)
    assert driver.faults(cluster) == []
    return rehearse(Conditions(cluster, driver), 1)


@pytest.mark.parametrize("distro", VERSIONS)
@pytest.mark.parametrize("by", ["external", "kube-vip", "keepalived"])
def test_a_cluster_behind_each_way_becomes_healthy(by: str, distro: str) -> None:
    """In one run, whatever holds the address: nobody waits for one that comes later."""
    found = rehearsed(whole(by, distro))
    last = {record.node: record.to for record in found.records if record.kind == "state"}
    assert set(last.values()) == {"healthy"}


def test_the_first_server_has_the_address_before_it_starts() -> None:
    """Its haproxy and keepalived run at the end of its bootstrap; an agent gets neither."""
    found = rehearsed(whole("keepalived", "rke2"))
    files = {
        name: [str(path) for path in found.network.hosts[name].files if "keepalived.conf" in str(path)]
        for name in ("10.0.0.11", "10.0.0.21")
    }
    assert "/etc/keepalived/keepalived.conf" in files["10.0.0.11"]
    assert files["10.0.0.21"] == []
