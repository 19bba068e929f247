"""What k0s wants of a bare host, its administrator's tools, and its conditions of health. Pure.

Sources: k0s' pages on system requirements and networking, and its sources at the release tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Opening, Question, Requirements, Situation, Tools
from mk8s.distros.k0s import commands, questions
from mk8s.distros.k0s.roles import (
    at,
    config_of,
    data_dir,
    has_network,
    is_ip,
    runs_own_etcd,
    runs_pods,
    servers_of,
)
from mk8s.kube.conditions import nodes_answer

__all__ = ["conditions", "requirements", "tools"]

MB = 1_000_000
LEAST = {True: 900 * MB, False: 450 * MB}  # of 1 GB and 0.5 GB the kernel keeps some for itself
ADVISED = ((10, 2), (50, 4), (100, 8), (500, 16), (1000, 32))  # workers up to which so many GB suffice
WORKERS_DISK = 0.15  # of a worker's disk that should be free

CONTROLLER_PORTS = {
    6443: "the API server",
    8132: "konnectivity, for workers",
    9443: "k0s' own API, for controllers that join",
}
KUBELET = {10250: "kubelet"}
NLLB_PORTS = {7443: "the node's own load balancer", 7132: "the node's own load balancer for konnectivity"}


def requirements(node: Node, cluster: Cluster) -> Requirements:
    """Ports by role, no data of an earlier cluster, and what k0s' documentation asks of the machine."""
    pods = runs_pods(cluster, node)
    etcd = node.is_server and runs_own_etcd(cluster)
    return Requirements(
        ports=_ports(node, cluster),
        openings=tuple(_openings(node, cluster)),
        endpoint_ports=_endpoint_ports(node, cluster),
        leftovers=_leftovers(node, pods=pods),
        network_modules=("br_netfilter", "overlay") if pods else (),
        own_ip=node.ip if node.is_server and is_ip(node.ip) else "",
        memory=LEAST[node.is_server],
        cpus=1,
        advised_memory=_advised(cluster) if node.is_server else 0,
        data_dir=str(data_dir(node)),
        etcd_dir=str(data_dir(node) / "etcd") if etcd else "",
        free_share=WORKERS_DISK if pods else 0.0,
        policy_packages=("container-selinux",) if pods else (),
        kernel=(3, 10),
        cgroup_v1_way=(
            "a worker profile with failCgroupV1: false in `config.spec.workerProfiles`, chosen by "
            "`arguments: [--profile=NAME, --ignore-pre-flight-checks]`"
        ),
    )


def _ports(node: Node, cluster: Cluster) -> dict[int, str]:
    found = dict(CONTROLLER_PORTS) if node.is_server else {}
    if node.is_server and runs_own_etcd(cluster):
        found |= {2379: "etcd", 2380: "etcd's other members"}
    if runs_pods(cluster, node):
        found |= KUBELET
    if not node.is_server and cluster.balancer.node_local:
        found |= NLLB_PORTS
    return dict(sorted(found.items()))


def _endpoint_ports(node: Node, cluster: Cluster) -> tuple[int, ...]:
    """What leads to the controllers has to have their own ports. Workers have no use for 9443."""
    if not cluster.endpoint and not cluster.joins:
        return ()
    return tuple(CONTROLLER_PORTS) if node.is_server else (6443, 8132)


def _openings(node: Node, cluster: Cluster) -> Iterator[Opening]:
    """What others must reach here."""
    if node.is_server:
        yield Opening(6443, CONTROLLER_PORTS[6443])
        yield Opening(8132, CONTROLLER_PORTS[8132])
        yield Opening(9443, CONTROLLER_PORTS[9443], "servers")
    if node.is_server and runs_own_etcd(cluster):
        yield Opening(2380, "etcd's other members", "servers")
    if not runs_pods(cluster, node):
        return
    yield Opening(10250, "kubelet")
    yield from _of_network(cluster)


def _of_network(cluster: Cluster) -> Iterator[Opening]:
    """The pods' network. Whoever brings one, or runs the control plane elsewhere, knows its ports."""
    if cluster.joins or not has_network(cluster):
        return
    provider = at(config_of(cluster), "spec", "network", "provider") or "kuberouter"
    if provider == "kuberouter":
        yield Opening(179, "kube-router's BGP")
    if provider == "calico":
        yield Opening(4789, "calico's VXLAN", protocol="udp")


def _leftovers(node: Node, *, pods: bool) -> tuple[str, ...]:
    """With keys and data of an earlier cluster k0s goes on as a member of that one."""
    data = data_dir(node)
    found = [data / "pki", data / "etcd", data / "db"] if node.is_server else []
    if pods:
        found += [data / "kubelet.conf", data / "kubelet"]
    return tuple(map(str, found))


def _advised(cluster: Cluster) -> int:
    workers = len(cluster.nodes) - len(servers_of(cluster))
    return next((gigabytes for most, gigabytes in ADVISED if workers <= most), ADVISED[-1][1]) * 1000 * MB


def tools(node: Node, cluster: Cluster) -> Tools:
    """kubectl as k0s has it inside. etcd is asked by k0s' own words: see `conditions`."""
    return commands.kubectl(node, cluster.smoke_image)


TOPICS = {
    "k0s.status": "k0s answers on every node, in its role and version",
    "kube.readyz": "the API server is ready on every controller",
    "k0s.members": "etcd has all controllers as members",
    "kube.get-node": "all nodes with pods are in the cluster",
    "k0s.get-own-node": "all nodes with pods are in the cluster",
}
"""Which condition a question of `questions.is_healthy` belongs to, by the command that it asks."""


def conditions(situations: Sequence[Situation]) -> list[Condition]:
    """What a run waits for, of all nodes together."""
    asked: dict[str, list[Question]] = {title: [] for title in TOPICS.values()}
    for s in situations:
        for question in questions.is_healthy(s):
            here = replace(question, title=f"{s.node.name}: ", on=question.on or s.node.name)
            asked[TOPICS[question.command.operation]].append(here)
    found = [Condition(title, tuple(several)) for title, several in asked.items() if several]
    return [nodes_answer(situations[0].cluster), *found]
