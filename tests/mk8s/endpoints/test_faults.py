"""What a manifest asks of its endpoint in vain."""

from __future__ import annotations

from typing import Any

import pytest

from mk8s import endpoints
from mk8s.cluster import ArtifactSource, Balancer
from mk8s.distros.base import load_distro
from tests.mk8s.distros.situations import make_node
from tests.mk8s.endpoints.made import BY, IMAGE, a_cluster

GOOD = [
    ("external", "rke2"), ("external", "k0s"), ("kube-vip", "rke2"), ("kube-vip", "k3s"),
    ("kube-vip", "kubeadm"), ("kube-vip", "vanilla"), ("keepalived", "rke2"), ("keepalived", "kubeadm"),
    ("cplb", "k0s"),
]  # fmt: skip


@pytest.mark.parametrize(("by", "distro"), GOOD)
def test_ways_that_a_distro_has_are_no_faults(by: str, distro: str) -> None:
    assert list(endpoints.faults(a_cluster(by, distro))) == []


@pytest.mark.parametrize(
    ("by", "distro", "words"),
    [
        ("cplb", "rke2", "cplb is k0s' own; write kube-vip or keepalived"),
        ("kube-vip", "k0s", "k0s cannot use kube-vip: mk8s has it run in pods on all servers"),
        ("keepalived", "k0s", "k0s cannot use keepalived: all its ports must be the same"),
    ],
)
def test_a_way_that_a_distro_has_not_is_told_with_another(by: str, distro: str, words: str) -> None:
    (fault,) = endpoints.faults(a_cluster(by, distro))
    assert fault.startswith("endpoint.by: ")
    assert words in fault


@pytest.mark.parametrize("by", ["kube-vip", "keepalived"])
@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (None, "holds an IP address; write one that no machine has"),
        ("api.example.org", "holds an IP address; write one that no machine has"),
        ("10.0.0.12", "10.0.0.12 is the address of srv-2, and"),
        ("10.0.0.21", "10.0.0.21 is the address of agent-1"),
        ("fd00::64", "fd00::64 is IPv6, and srv-1 is reached by 10.0.0.11"),
    ],
)
def test_an_address_that_servers_cannot_hold_is_a_fault(by: str, endpoint: str | None, words: str) -> None:
    fault = next(endpoints.faults(a_cluster(by, endpoint=endpoint)))
    assert fault.startswith("endpoint.address: ")
    assert words in fault


@pytest.mark.parametrize(
    ("balancer", "path"),
    [
        (Balancer("kube-vip", "eth0"), "endpoint.image"),
        (Balancer("kube-vip", "", IMAGE), "endpoint.interface"),
        (Balancer("keepalived", router_id=0), "endpoint.router_id"),
        (Balancer("keepalived", router_id=256), "endpoint.router_id"),
    ],
)
def test_what_a_way_needs_besides_is_asked_for(balancer: Balancer, path: str) -> None:
    (fault,) = endpoints.faults(a_cluster(balancer=balancer))
    assert fault.startswith(f"{path}: ")


def test_keepalived_needs_servers_with_addresses() -> None:
    """They are written into each other's config."""
    (fault,) = endpoints.faults(a_cluster("keepalived", "rke2", make_node("s", "primary", "s.example")))
    assert fault.startswith("nodes.s.address: 's.example' is a name")


def test_keepalived_serves_only_so_many_servers() -> None:
    nodes = [make_node(f"s{n}", "server" if n else "primary", f"10.1.0.{n + 1}") for n in range(100)]
    (fault,) = endpoints.faults(a_cluster("keepalived", "rke2", *nodes))
    assert "99 servers at the most" in fault


@pytest.mark.parametrize(
    ("distro", "more", "words"),
    [
        ("rke2", {}, "every agent of rke2 balances among all servers by itself"),
        ("k3s", {}, "every agent of k3s balances"),
        ("kubeadm", {}, "has no meaning for kubeadm"),
        ("k0s", {}, "k0s cannot have it beside an address that you run"),
    ],
)
def test_balancing_on_each_node_is_k0s_own(distro: str, more: dict[str, Any], words: str) -> None:
    (fault,) = endpoints.faults(a_cluster("external", distro, balancer=Balancer(node_local=True), **more))
    assert fault.startswith("endpoint.node_local: ")
    assert words in fault


@pytest.mark.parametrize(
    "more",
    [
        {"endpoint": None, "balancer": Balancer(node_local=True)},
        {"balancer": Balancer("cplb", node_local=True)},
    ],
)
def test_k0s_balances_on_each_node_without_an_external_address(more: dict[str, Any]) -> None:
    """Its documentation recommends the pair with an address that the servers hold."""
    assert list(endpoints.faults(a_cluster("external", "k0s", **more))) == []


# What hosts and releases must offer


def test_programs_must_be_there_or_come_as_packages() -> None:
    """On servers; what a package of that name brings is not asked for before."""
    cluster = a_cluster()
    server, agent = cluster.primary, cluster.agents[0]
    assert endpoints.programs(server, cluster) == ("haproxy", "keepalived")
    assert endpoints.programs(agent, cluster) == ()
    brought = {"packages-lb-servers": ArtifactSource("haproxy_2.6_amd64.deb")}
    assert endpoints.programs(server, a_cluster(artifacts=brought)) == ("keepalived",)
    assert endpoints.programs(server, a_cluster("kube-vip")) == ()


def test_haproxys_ports_must_be_free_on_servers() -> None:
    cluster = a_cluster()
    assert endpoints.listens(cluster.primary, cluster, (6443, 9345)) == {16443: "haproxy", 19345: "haproxy"}
    assert endpoints.listens(cluster.agents[0], cluster, (6443,)) == {}
    assert endpoints.listens(cluster.primary, a_cluster("external"), (6443,)) == {}


@pytest.mark.parametrize(
    ("distro", "ports"), [("rke2", {16443, 19345}), ("vanilla", {16443}), ("kubeadm", {16443})]
)
def test_drivers_ask_hosts_for_all_of_it(distro: str, ports: set[int]) -> None:
    """Free ports, ports that others reach, programs."""
    cluster = a_cluster("keepalived", distro)
    wants = load_distro(distro).requirements(cluster.primary, cluster)
    assert ports <= set(wants.ports)
    assert ports <= {opening.port for opening in wants.openings}
    assert {"haproxy", "keepalived"} <= set(wants.programs)


def test_the_release_must_hold_kube_vip() -> None:
    assert endpoints.images(a_cluster("kube-vip")) == (IMAGE,)
    assert [endpoints.images(a_cluster(by)) for by in BY if by != "kube-vip"] == [(), (), ()]
