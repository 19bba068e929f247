"""What both engines want of a bare host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Cluster, Datastore
from mk8s.distros.base import Requirements, load_distro
from tests.mk8s.distros.k3s.made import k3s
from tests.mk8s.distros.situations import make_cluster, make_node

GIB = 1 << 30


def of(cluster: Cluster, index: int = 0) -> Requirements:
    return load_distro(cluster.distro).requirements(cluster.nodes[index], cluster)


def rke2(config: dict[str, Any], **more: Any) -> Cluster:
    return make_cluster(make_node("srv-1", "primary", "10.0.0.11", config), **more)


def test_a_server_needs_its_ports_and_an_agent_the_kubelets() -> None:
    assert set(of(make_cluster()).ports) == {10250, 2379, 2380, 6443, 9345}
    assert set(of(k3s()).ports) == {10250, 2379, 2380, 6443}
    assert set(of(k3s(), 2).ports) == {10250}


def test_without_etcd_nobody_needs_its_ports_or_its_disk() -> None:
    found = of(k3s(datastore=Datastore("postgres://u@db/k")))

    assert set(found.ports) == {10250, 6443}
    assert found.etcd_dir == ""


def test_a_member_of_etcd_alone_needs_no_api_server() -> None:
    off = {"disable-apiserver": True, "disable-controller-manager": True, "disable-scheduler": True}
    node = make_node("etcd-2", "server", "10.0.0.12", off)
    cluster = make_cluster(make_node("srv-1", "primary", "10.0.0.11"), node)

    assert set(of(cluster, 1).ports) == {10250, 2379, 2380, 9345}


def test_sqlite_writes_to_the_disk_as_etcd_does() -> None:
    server = make_node("srv-1", "primary", "10.0.0.11", {"cluster-init": False})

    assert of(k3s(server)).etcd_dir == "/var/lib/rancher/k3s/server/db"
    assert 2379 not in of(k3s(server)).ports


@pytest.mark.parametrize(
    ("cluster", "ports"),
    [
        (rke2({}), {8472}),
        (rke2({"cni": "calico"}), {4789}),
        (rke2({"cni": ["multus", "cilium"]}), {8472}),
        (rke2({"cni": "none"}), set()),
        (k3s(), {8472}),
        (k3s(make_node("s", "primary", "10.0.0.1", {"flannel-backend": "host-gw"})), set()),
    ],
)
def test_the_network_of_pods_says_which_ports_must_be_open(cluster: Cluster, ports: set[int]) -> None:
    assert {opening.port for opening in of(cluster).openings if opening.protocol == "udp"} == ports


def test_calico_has_a_way_of_its_own_beside_its_tunnel() -> None:
    """Its agents ask Typha, which runs on some of the nodes."""
    by_tcp = [
        {opening.port for opening in of(rke2({"cni": cni})).openings if opening.protocol == "tcp"}
        for cni in ("calico", "canal")
    ]

    assert by_tcp[0] - by_tcp[1] == {5473}


def test_etcds_ports_are_the_servers_matter() -> None:
    assert {opening.port for opening in of(k3s()).openings if opening.to == "servers"} == {2379, 2380}


def test_what_is_advised_grows_with_the_cluster() -> None:
    """Sizes of both documentations."""
    agents = tuple(make_node(f"agent-{i}", "agent", f"10.1.{i >> 8}.{i & 255}") for i in range(400))
    for made, sizes in ((make_cluster(), (4, 8)), (k3s(), (4, 8))):
        grown = replace(made, nodes=(*made.nodes[:2], *agents))
        assert (of(made).advised_memory // GIB, of(grown).advised_memory // GIB) == sizes


def test_nm_cloud_setup_is_refused_only_by_the_units_that_do() -> None:
    said = [of(make_cluster(version=f"v1.{v}+rke2r1")).nm_cloud_setup for v in ("31.14", "33.7", "20.15")]

    assert said == ["refuses", "harms", "harms"]
    assert of(k3s()).nm_cloud_setup == "harms"


def test_the_embedded_mirror_has_a_port_of_its_own() -> None:
    assert 5001 in of(rke2({"embedded-registry": True})).ports
