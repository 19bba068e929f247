"""What kubeadm wants of a bare host, and a cluster's health as named conditions. Pure.

Source of ports, programs and sizes: kubeadm's preflight checks, and Kubernetes' page on ports.
"""

from __future__ import annotations

from collections.abc import Sequence

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Question, Requirements, Situation
from mk8s.distros.kubeadm import commands
from mk8s.distros.kubeadm.steps import is_healthy
from mk8s.distros.upstream import host
from mk8s.distros.upstream.images import nominal_images

__all__ = ["conditions", "requirements"]

MB = 1_000_000
LEAST_MEMORY = 1700 * MB  # what kubeadm checks; of a control plane
EVERY_PORT = {10250: "kubelet"}
SERVER_PORTS = {
    2379: "etcd",
    2380: "etcd's other members",
    6443: "the API server",
    10257: "the controller-manager",
    10259: "the scheduler",
}
PROGRAMS = (
    "conntrack", "ethtool", "ip", "iptables", "modprobe", "mount", "nsenter", "socat", "sysctl", "tc", "touch"
)  # fmt: skip


def requirements(node: Node, cluster: Cluster) -> Requirements:
    """Ports by role; two processors and 1700 MB for a server; no swap unless the manifest deals with it."""
    return Requirements(
        ports=EVERY_PORT | (SERVER_PORTS if node.is_server else {}),
        leftovers=commands.LEFTOVERS,
        modules=host.MODULES,
        programs=PROGRAMS,
        swap_off=cluster.swap == "refuse",
        memory=LEAST_MEMORY if node.is_server else 0,
        cpus=2 if node.is_server else 0,
        images=_images(cluster),
    )


def _images(cluster: Cluster) -> tuple[str, ...]:
    """Kubernetes' own in their exact version; what else there must be, kubeadm itself says on the node."""
    own = [image.rpartition("/")[2] for image in nominal_images(cluster)]
    exact = [f"*/{name}" for name in own if name.endswith(f":{cluster.version}")]
    others = [f"*/{name.partition(':')[0]}:*" for name in own if not name.endswith(f":{cluster.version}")]
    vip = [cluster.kube_vip.image] if cluster.kube_vip else []
    return (*exact, *others, *vip) if cluster.airgap else ()


def conditions(situations: Sequence[Situation]) -> list[Condition]:
    """Each question of a node's health, over all nodes, in the order in which it comes true on a node."""
    by_title: dict[str, list[Question]] = {}
    for s in situations:
        for asked in is_healthy(s):
            where = Question(asked.title, asked.command, asked.judge, asked.on or s.node.name)
            by_title.setdefault(asked.title, []).append(where)
    return [Condition(title, tuple(questions)) for title, questions in by_title.items()]
