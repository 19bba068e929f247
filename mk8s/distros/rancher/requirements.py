"""What the engine wants of a bare host, its administrator's tools, and its conditions of health. Pure.

Sources: both documentations (requirements, ports). What only one of the two wants, its driver adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Opening, Question, Requirements, Situation, Tools
from mk8s.distros.rancher import steps
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.roles import has_api, has_etcd, servers_of
from mk8s.distros.rancher.values import is_true, settings_of
from mk8s.kube.conditions import nodes_answer

__all__ = ["GIB", "advised", "conditions", "requirements", "tools"]

GIB = 1 << 30

KUBELET, API, MIRROR = 10250, 6443, 5001
ETCD_PORTS = {2379: "etcd", 2380: "etcd's other members"}
FREE_SHARE = 0.15  # kubelet's own limit for images


def requirements(engine: Engine, node: Node, cluster: Cluster) -> Requirements:
    """Its ports, where it writes, and no data of an earlier cluster, which the engine would go on with."""
    data = PurePosixPath(engine.data_dir(node))
    ports = _ports(engine, node, cluster)
    return Requirements(
        ports=ports | endpoints.listens(node, cluster, engine.ports),
        openings=(
            *(_opening(port, purpose) for port, purpose in ports.items()),
            *endpoints.openings(node, cluster, engine.ports),
        ),
        endpoint_ports=tuple(endpoints.port(cluster, port) for port in engine.ports),
        programs=endpoints.programs(node, cluster),
        images=endpoints.images(cluster),
        leftovers=(str(data / "server" / "db"),) if node.is_server else (),
        network_modules=("br_netfilter", "overlay"),
        chooses_own_ip="node-ip" not in settings_of(node),
        data_dir=str(data),
        etcd_dir=str(data / "server" / "db") if has_etcd(engine, cluster, node) else "",
        free_share=FREE_SHARE,
        trusted_dirs=(str(data), "/opt/cni", "/run/k3s", "/var/lib/kubelet"),
        policy_packages=(f"{engine.name}-selinux",),
        config_dir=f"{engine.config}.d",
        same_on_servers=engine.same_on_all_servers,
        cgroup_v1_way="write `kubelet-arg: [fail-cgroupv1=false]` into the node's config",
    )


def advised(
    sizes: Sequence[tuple[int, int, int]], largest: tuple[int, int], cluster: Cluster
) -> tuple[int, int]:
    """CPUs and bytes of a server. `sizes`: agents up to which so many CPUs and GiB do; beyond, `largest`."""
    agents = len(cluster.nodes) - len(servers_of(cluster))  # asked for each node of thousands
    cpus, memory = next(((cpus, gib) for most, cpus, gib in sizes if agents <= most), largest)
    return cpus, memory * GIB


def _ports(engine: Engine, node: Node, cluster: Cluster) -> dict[int, str]:
    """TCP. The supervisor answers on every server; where it has a port of its own, that is one more."""
    found = {KUBELET: "kubelet"}
    if has_etcd(engine, cluster, node):
        found |= ETCD_PORTS
    if has_api(node) or (node.is_server and engine.supervisor_port == API):
        found[API] = "the API server"
    if node.is_server and engine.supervisor_port != API:
        found[engine.supervisor_port] = f"{engine.title}'s supervisor"
    if is_true(settings_of(cluster.primary).get("embedded-registry", "")):
        found[MIRROR] = "the embedded registry mirror"
    return found


def _opening(port: int, purpose: str) -> Opening:
    return Opening(port, purpose, "servers" if port in ETCD_PORTS else "everyone")


def tools(engine: Engine, node: Node, cluster: Cluster) -> Tools:
    """kubectl as the engine brings it. How etcd is asked, a driver adds where it can be."""
    return Tools(
        kubectl=(*engine.kubectl(node), "--kubeconfig", str(engine.kubeconfig(node))),
        smoke_image=cluster.smoke_image,
        secrets_encrypted=engine.secrets_encrypted
        or is_true(settings_of(node).get("secrets-encryption", "")),
    )


def conditions(engine: Engine, situations: Sequence[Situation]) -> list[Condition]:
    """What a run waits for, of all nodes together. A full member of etcd says so in its node's conditions."""
    asked: dict[int, list[Question]] = {}
    for s in situations:
        for question in steps.is_healthy(engine, s):
            here = replace(question, title=f"{s.node.name}: ", on=question.on or s.node.name)
            asked.setdefault(_topic(question), []).append(here)
    return [
        nodes_answer(situations[0].cluster),
        *(Condition(TOPICS[topic].format(engine.title), tuple(asked[topic])) for topic in sorted(asked)),
    ]


TOPICS = (
    "{}'s service is active on every node",
    "etcd is healthy on its dedicated servers",
    "the API server is ready on every server",
    "the supervisor answers on every server",
    "all nodes are in the cluster, in their roles",
)
OPERATIONS = ("unit", "etcd", "readyz", "ping", "get-node")


def _topic(question: Question) -> int:
    """Which condition a question of `steps.is_healthy` belongs to, by the command that it asks."""
    return OPERATIONS.index(question.command.operation.partition(".")[2])
