"""What each distro asks of a bare host, by role, pod network, release and size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Cluster, ControlPlane, Network
from mk8s.distros.base import Requirements, load_distro
from tests.mk8s.examples import cluster, node

GIB = 1 << 30
VERSIONS = {
    "rke2": "v1.33.4+rke2r1",
    "k3s": "v1.33.4+k3s1",
    "k0s": "v1.33.4+k0s.0",
    "kubeadm": "v1.20.2",
    "vanilla": "v1.20.2",
}


def about(distro: str, agents: int = 1, **config: Any) -> Cluster:
    made = cluster(servers=3, agents=agents)
    nodes = tuple(replace(each, config=config) for each in made.nodes)
    return replace(made, distro=distro, version=VERSIONS[distro], nodes=nodes)


def wants(of: Cluster, role: str = "primary") -> Requirements:
    member = next(each for each in of.nodes if each.role == role)
    return load_distro(of.distro).requirements(member, of)


def udp(asked: Requirements) -> set[int]:
    found = {opening.port for opening in asked.openings if opening.protocol == "udp"}
    assert set(asked.udp_ports) <= found
    return found


@pytest.mark.parametrize("distro", sorted(VERSIONS))
def test_every_distro_names_the_ways_between_its_nodes(distro: str) -> None:
    """The API server for everyone, etcd's peers for servers alone, the kubelet where pods run."""
    server, agent = (wants(about(distro), role) for role in ("primary", "agent"))
    assert {o.to for o in server.openings if o.port == 6443} == {"everyone"}
    assert {o.to for o in server.openings if o.port == 2380} == {"servers"}
    assert 10250 in {o.port for o in agent.openings}
    assert not {o.port for o in agent.openings} & {6443, 2379, 2380}
    assert (bool(server.etcd_dir), bool(agent.etcd_dir)) == (True, False)


@pytest.mark.parametrize("distro", sorted(VERSIONS))
def test_every_distro_wants_the_room_that_its_kubelet_keeps_free(distro: str) -> None:
    """Below it images are removed and pods evicted, on a node that looks well."""
    assert wants(about(distro), "agent").free_share == 0.15


@pytest.mark.parametrize(
    ("distro", "config", "ports", "module"),
    [
        ("rke2", {}, {8472}, "vxlan"),
        ("rke2", {"cni": "cilium"}, {8472}, "vxlan"),
        ("rke2", {"cni": ["multus", "calico"]}, {4789}, "vxlan"),
        ("rke2", {"cni": "none"}, set(), ""),
        ("k3s", {}, {8472}, "vxlan"),
        ("k3s", {"flannel-backend": "wireguard-native"}, {51820, 51821}, "wireguard"),
        ("k3s", {"flannel-backend": "host-gw"}, set(), ""),
        ("k3s", {"flannel-backend": "none"}, set(), ""),
    ],
)
def test_the_pod_network_decides_the_tunnels_port(
    distro: str, config: dict[str, Any], ports: set[int], module: str
) -> None:
    """And the kernel's module that makes it."""
    asked = wants(about(distro, **config), "agent")
    assert udp(asked) == ports
    assert set(asked.network_modules) & {"vxlan", "wireguard"} == ({module} if module else set())


@pytest.mark.parametrize("distro", ["rke2", "k3s"])
def test_a_network_of_ones_own_has_no_tunnel_that_is_known(distro: str) -> None:
    own = replace(about(distro), network=Network(cni="none"))
    assert udp(wants(own, "agent")) == set()
    joining = replace(own, nodes=(node("a1", "agent", "10.0.1.1"),), joins=ControlPlane("10.0.0.1", "T"))
    assert udp(wants(joining, "agent")) == set()


@pytest.mark.parametrize(
    ("distro", "agents", "size"),
    [
        ("rke2", 225, (2, 4)), ("rke2", 226, (4, 8)), ("rke2", 1301, (16, 32)),
        ("k3s", 0, (2, 2)), ("k3s", 1, (2, 4)), ("k3s", 350, (2, 4)), ("k3s", 351, (4, 8)),
        ("k3s", 900, (4, 8)), ("k3s", 1800, (8, 16)), ("k3s", 1801, (16, 32)),
    ],
)  # fmt: skip
def test_servers_of_large_clusters_are_to_be_large(distro: str, agents: int, size: tuple[int, int]) -> None:
    """By the tables of the distros' documentation."""
    asked = wants(about(distro, agents))
    assert (asked.advised_cpus, asked.advised_memory // GIB) == size


@pytest.mark.parametrize(
    ("version", "harm"),
    [("v1.33.6+rke2r1", "refuses"), ("v1.33.7+rke2r1", "harms"), ("v1.20.4+rke2r1", "harms")],
)
def test_some_releases_of_rke2_refuse_to_start_beside_nm_cloud_setup(version: str, harm: str) -> None:
    assert wants(replace(about("rke2"), version=version)).nm_cloud_setup == harm


@pytest.mark.parametrize("distro", ["rke2", "k3s", "k0s", "kubeadm", "vanilla"])
def test_a_read_only_usr_local_is_no_trouble_where_programs_go_elsewhere(distro: str) -> None:
    """All five move to another folder then."""
    assert wants(about(distro)).program_dirs == ()


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
def test_upstreams_parameters_are_kept_by_a_file_of_ours(distro: str) -> None:
    """A later file that says otherwise would undo them at the next boot."""
    asked = wants(about(distro))
    assert asked.sysctl_file == "90-mk8s.conf"
    assert "net.bridge.bridge-nf-call-iptables=1" in asked.sysctls


@pytest.mark.parametrize(("given", "chosen"), [({}, True), ({"node-ip": "10.0.0.1"}, False)])
@pytest.mark.parametrize("distro", ["rke2", "k3s"])
def test_the_engine_chooses_an_address_where_none_is_given(
    distro: str, given: dict[str, Any], chosen: bool
) -> None:
    assert wants(about(distro, **given)).chooses_own_ip is chosen


def test_a_network_that_nobody_here_chose_has_no_ports_that_must_be_open() -> None:
    """k0s' own speaks BGP at 179; the user's, or another control plane's, is not known."""
    made = about("k0s")
    agents = tuple(each for each in made.nodes if each.role == "agent")
    there = [wants(made, "agent"), wants(replace(made, network=Network(cni="none")), "agent")]
    there.append(wants(replace(made, nodes=agents, joins=ControlPlane("10.0.0.100", "TOKEN")), "agent"))

    assert [179 in {opening.port for opening in asked.openings} for asked in there] == [True, False, False]
