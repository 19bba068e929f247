"""What kubeadm wants of a bare host, and a cluster's health as named conditions. Pure.

Source of ports, programs and sizes: kubeadm's preflight checks, and Kubernetes' page on ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Requirements, Situation
from mk8s.distros.kubeadm import cluster_commands, commands
from mk8s.distros.kubeadm.config import API_PORT
from mk8s.distros.upstream import host, network
from mk8s.distros.upstream.images import nominal_images
from mk8s.kube import conditions as kube

__all__ = ["conditions", "requirements"]

MB = 1_000_000
UNITS = ("containerd.service", "kubelet.service")
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
        ports=EVERY_PORT
        | (SERVER_PORTS if node.is_server else {})
        | endpoints.listens(node, cluster, (API_PORT,)),
        leftovers=commands.LEFTOVERS,
        modules=host.MODULES,
        programs=(*PROGRAMS, *endpoints.programs(node, cluster)),
        own_ip=node.ip,
        swap_off=cluster.swap == "refuse",
        memory=LEAST_MEMORY if node.is_server else 0,
        cpus=2 if node.is_server else 0,
        etcd_dir="/var/lib/etcd" if node.is_server else "",
        free_share=host.FREE_SHARE,
        sysctls=host.SYSCTLS,
        sysctl_file=host.SYSCTLS_FILE.name,
        policy_packages=("container-selinux",),
        openings=(
            *(host.SERVER_OPENINGS if node.is_server else host.OPENINGS),
            *endpoints.openings(node, cluster, (API_PORT,)),
        ),
        endpoint_ports=(6443,),
        images=_images(cluster),
    )


def _images(cluster: Cluster) -> tuple[str, ...]:
    """Kubernetes' own in their exact version; what else there must be, kubeadm itself says on the node."""
    own = [image.rpartition("/")[2] for image in nominal_images(cluster)]
    exact = [f"*/{name}" for name in own if name.endswith(f":{cluster.version}")]
    others = [f"*/{name.partition(':')[0]}:*" for name in own if not name.endswith(f":{cluster.version}")]
    return (*exact, *others, *endpoints.images(cluster)) if cluster.airgap else ()


def conditions(situations: Sequence[Situation]) -> list[Condition]:
    """What every cluster of upstream's programs is asked, and whether the pod routes are set."""
    cluster = situations[0].cluster
    tools = cluster_commands.tools(cluster.smoke_image)
    found = kube.common(
        cluster, lambda _node: tools, lambda _node: UNITS, dns=kube.dns_is_ready(cluster, tools)
    )
    routes = tuple(
        replace(asked, title=f"{s.node.name}: ", on=s.node.name)
        for s in situations
        for asked in network.questions(s)
    )
    return [*found, Condition("the routes to all pods are set", routes)] if routes else found
