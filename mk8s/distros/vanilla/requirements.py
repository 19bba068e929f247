"""What vanilla wants of a bare host, and the conditions by which a cluster is called healthy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Question, Requirements, Situation
from mk8s.distros.upstream import host, network
from mk8s.distros.vanilla import files
from mk8s.distros.vanilla.commands import HEALTH, admin_tools
from mk8s.distros.vanilla.flags import components
from mk8s.kube import commands as kube
from mk8s.kube import conditions as shared
from mk8s.steps import Verdict
from transports.base import Outcome

__all__ = ["conditions", "requirements"]


MIB = 1 << 20
LEAST = {
    "server": 1700 * MIB,
    "agent": 700 * MIB,
}  # kubeadm's own limit for servers; an agent has no API server

WORKER_PORTS = {10250: "kubelet", 10248: "kubelet", 10249: "kube-proxy", 10256: "kube-proxy"}
SERVER_PORTS = {
    2379: "etcd",
    2380: "etcd",
    2381: "etcd",
    6443: "kube-apiserver",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
LEFTOVERS = ("/etc/kubernetes", "/var/lib/kubernetes")
SERVER_LEFTOVERS = ("/var/lib/etcd/member",)
PROGRAMS = ("conntrack", "ip", "iptables", "mount", "socat")  # what kubelet and kube-proxy call


def requirements(node: Node, cluster: Cluster) -> Requirements:
    """What a node must offer before anything is put on it."""
    server = node.is_server
    return Requirements(
        ports=WORKER_PORTS
        | (SERVER_PORTS if server else {})
        | endpoints.listens(node, cluster, (files.API_PORT,)),
        leftovers=(*LEFTOVERS, *(SERVER_LEFTOVERS if server else ())),
        modules=host.MODULES,
        programs=(*PROGRAMS, *endpoints.programs(node, cluster)),
        own_ip=node.ip,
        swap_off=cluster.swap == "refuse",
        memory=LEAST["server" if server else "agent"],
        cpus=2 if server else 1,
        etcd_dir="/var/lib/etcd" if server else "",
        free_share=host.FREE_SHARE,
        sysctls=host.SYSCTLS,
        sysctl_file=host.SYSCTLS_FILE.name,
        policy_packages=("container-selinux",),
        openings=(
            *(host.SERVER_OPENINGS if server else host.OPENINGS),
            *endpoints.openings(node, cluster, (files.API_PORT,)),
        ),
        endpoint_ports=(6443,),
        images=("*/pause:*", "*coredns:*", *endpoints.images(cluster)),
    )


def conditions(situations: Sequence[Situation]) -> list[Condition]:
    """Those of every cluster of upstream's programs, with kube-proxy's port and our own routes."""
    cluster, tools = situations[0].cluster, admin_tools()
    units = {
        s.node.name: ["containerd.service", *(f"{name}.service" for name in components(s))]
        for s in situations
    }
    asked = kube.healthz(tools, HEALTH["kube-proxy"], tls=False)
    proxies = tuple(Question(f"{node.name}: ", asked, _it_answers, on=node.name) for node in cluster.nodes)
    found = shared.common(
        cluster,
        lambda _node: tools,
        lambda node: units[node.name],
        proxy=Condition("kube-proxy is healthy on every node", proxies),
        dns=shared.dns_is_ready(cluster, tools),
    )
    routes = tuple(
        replace(question, title=f"{s.node.name}: ", on=s.node.name)
        for s in situations
        for question in network.questions(s)
    )
    return [*found, *([Condition("every node has the routes to the others' pods", routes)] if routes else [])]


def _it_answers(outcome: Outcome) -> Verdict:
    """kube-proxy says when it last wrote its rules; kubectl exits 0 where that was not too long ago."""
    return Verdict(outcome.ok, "it answers" if outcome.ok else outcome.complaint)
