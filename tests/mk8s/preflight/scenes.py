"""Hosts as modelled findings: sound ones, of which a test spoils what it is about."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface
from pathlib import PurePosixPath
from typing import Any

from mk8s.cluster import Cluster, Role
from mk8s.distros.base import Opening, Requirements
from mk8s.preflight.base import Finding, Host, ReleaseView, Scene
from mk8s.preflight.checks import findings
from mk8s.preflight.found import Found, Moment, Mount, Own, Reached, Unit
from mk8s.release import Inspection
from tests.mk8s.examples import cluster, node

__all__ = [
    "CLUSTER",
    "GIB",
    "WANTS",
    "host",
    "own",
    "release",
    "scene",
    "the_trouble",
    "troubles",
    "units",
    "wanting",
]

GIB = 1 << 30
CLUSTER: Cluster = replace(cluster(node("n1", "primary", "10.0.0.1"), node("n2")), version="v1.20.2")
WANTS = Requirements(
    ports={6443: "kube-apiserver", 10250: "kubelet"},
    udp_ports={8472: "VXLAN"},
    openings=(
        Opening(6443, "the API server"),
        Opening(2379, "etcd", to="servers"),
        Opening(10250, "the kubelet"),
        Opening(8472, "VXLAN", protocol="udp"),
    ),
    endpoint_ports=(6443,),
    leftovers=("/etc/kubernetes", "/var/lib/etcd"),
    modules=("overlay", "br_netfilter"),
    network_modules=("vxlan",),
    programs=("conntrack", "ip"),
    advised_programs=("iptables",),
    own_ip="10.0.0.1",
    swap_off=True,
    memory=2 * GIB,
    cpus=2,
    images=("*/kube-proxy:v1.20.2", "*/pause:*"),
)
TAGS = ("k8s.gcr.io/kube-proxy:v1.20.2", "k8s.gcr.io/pause:3.2")


def host(name: str = "n1", role: Role = "primary", *, state: str = "pending", **found: Any) -> Host:
    """A sound host; `found` is what is otherwise about it."""
    sound = Found(
        hostname=name,
        arch="amd64",
        machine_id=f"{name}-id",
        product_uuid=f"{name}-uuid",
        mac=f"02:00:{name}",
        moment=Moment(100.0, 100.2, 100.1),
        cpus=4,
        memory=4 * GIB,
        free=40 * GIB,
        cgroup="tmpfs",
        mounts=(Mount(PurePosixPath("/"), frozenset({"rw", "relatime"})),),
        nameservers=("10.0.0.53",),
        route="eth0",
    )
    return Host(node(name, role), replace(sound, **found), WANTS, state, to_stage=GIB)


def wanting(seen: Host, **wants: Any) -> Host:
    """The same host, of which the distro wants more or other things."""
    return replace(seen, wants=replace(seen.wants, **wants))


def seeing(seen: Host, *, write_seconds: float | None = None, tool: str = "bash", **more: Any) -> Host:
    """The same host with what it sees of the others: `ways`, `names`, `neighbours`."""
    return replace(seen, reached=Reached(tool, write_seconds=write_seconds, **more))


def units(*words: str) -> dict[str, Unit]:
    """Units by name, from words such as ``docker active enabled``."""
    made = (Unit(*word.split()) for word in words)
    return {unit.name: unit for unit in made}


def own(interface: str, address: str) -> Own:
    """An address with its network, as 10.0.0.5/24, of an interface."""
    return Own(interface, ip_interface(address))


def release(
    tags: tuple[str, ...] | None = TAGS,
    *faults: str,
    smoke: str = "",
    cut: tuple[str, ...] = (),
    **inspection: Any,
) -> ReleaseView:
    """A whole release; `inspection` says what is wrong with its files, `faults` what with its versions."""
    return ReleaseView(Inspection({}, 3, **inspection), tags, faults, smoke, cut)


def scene(*hosts: Host, about: Cluster = CLUSTER, **more: Any) -> Scene:
    wants = {each.name: WANTS for each in about.nodes}
    return Scene(about, hosts, wants=wants, **more)


def troubles(seen: Scene) -> list[Finding]:
    """All that did not pass."""
    return [finding for finding in findings(seen) if finding.level != "ok"]


def the_trouble(seen: Scene) -> Finding:
    """The only one."""
    (finding,) = troubles(seen)
    return finding
