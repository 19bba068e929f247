"""Builders of the conditions that `mk8s health` shows, for drivers to choose from, in the order of `common`.

A question about one host is asked there. A question about the whole cluster is for `A_SERVER`: the first
that can answer it, so that a dead primary hides nothing. It is asked with the primary's tools, so those of
all servers have to be the same.

Begin reading at `common`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mk8s.cluster import Cluster, Node
from mk8s.commands import unit_show
from mk8s.distros.base import Condition, Question, Tools
from mk8s.kube import commands, judges
from mk8s.steps import Judge, Verdict
from mk8s.units import MISSING
from transports.base import Command, Outcome

__all__ = [
    "A_SERVER",
    "api_is_ready",
    "common",
    "components_are_healthy",
    "dns_is_ready",
    "etcd_is_healthy",
    "etcd_members",
    "nodes_answer",
    "nodes_are_ready",
    "nodes_are_registered",
    "nodes_are_schedulable",
    "proxy_is_ready",
    "units_are_active",
]

A_SERVER = "any server"
"""A question's `on` for one that every server can answer; no node's name has a space in it."""

CONTROLLER_MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
PORTS = {CONTROLLER_MANAGER: 10257, SCHEDULER: 10259}
ToolsOf = Callable[[Node], Tools]


def common(
    cluster: Cluster,
    tools: ToolsOf,
    units: Callable[[Node], Sequence[str]],
    *,
    proxy: Condition | None = None,
    dns: Condition | None = None,
) -> list[Condition]:
    """What every upstream cluster with its own etcd is asked. `tools`: of a server; `units`: of any node."""
    primary = tools(cluster.primary)
    etcd = [etcd_members(cluster, tools), etcd_is_healthy(primary)] if primary.etcdctl else []
    return [
        nodes_answer(cluster),
        units_are_active(cluster, units),
        *etcd,
        api_is_ready(cluster, tools),
        components_are_healthy(cluster, tools),
        nodes_are_registered(cluster, primary),
        nodes_are_ready(cluster, primary),
        nodes_are_schedulable(cluster, primary),
        proxy or proxy_is_ready(cluster, primary),
        *([dns] if dns else []),
    ]


def nodes_answer(cluster: Cluster) -> Condition:
    """Every node lets us in and runs a command as root."""
    ask = Command(operation="kube.hello", description="see whether it answers", script="exit 0")
    return _each("all nodes answer", cluster.nodes, lambda _node: [(ask, "", _always("answers"))])


def units_are_active(cluster: Cluster, units: Callable[[Node], Sequence[str]]) -> Condition:
    """systemd calls each of a node's units active."""
    return _each(
        "services run on every node",
        cluster.nodes,
        lambda node: [(unit_show(unit), f"{unit} on ", _is_active) for unit in units(node)],
    )


def etcd_members(cluster: Cluster, tools: ToolsOf) -> Condition:
    """Each server's own member knows all servers as started, full members, and nobody else."""
    names = [node.name for node in cluster.servers]
    return _each(
        "etcd has all servers as members",
        cluster.servers,
        lambda node: [(commands.etcd_members(tools(node)), "", judges.etcd_members_are(names))],
    )


def etcd_is_healthy(tools: Tools) -> Condition:
    """Each member answers and has a leader."""
    ask = commands.etcd_health(tools)
    return _one("etcd is healthy", ask, judges.etcd_is_healthy())


def api_is_ready(cluster: Cluster, tools: ToolsOf) -> Condition:
    """Every server's own API server passes all its checks."""
    return _each(
        "the API server is ready on every server",
        cluster.servers,
        lambda node: [(commands.readyz(tools(node)), "", judges.readyz_is_ok())],
    )


def components_are_healthy(cluster: Cluster, tools: ToolsOf) -> Condition:
    """controller-manager and scheduler are well on each server, and one of each leads."""
    primary = tools(cluster.primary)
    leads = tuple(
        Question(f"{name}: ", commands.get_lease(primary, name), judges.someone_leads(), on=A_SERVER)
        for name in PORTS
    )
    here = _each(
        "controller-manager and scheduler are healthy",
        cluster.servers,
        lambda node: [
            (commands.healthz(tools(node), port), f"{name} on ", judges.is_ok())
            for name, port in PORTS.items()
        ],
    )
    return Condition(here.title, here.questions + leads)


def nodes_are_registered(cluster: Cluster, tools: Tools) -> Condition:
    return _one(
        "all nodes are registered",
        commands.get_nodes(tools),
        judges.nodes_are_registered(_names(cluster)),
    )


def nodes_are_ready(cluster: Cluster, tools: Tools) -> Condition:
    """Ready, in the version that the manifest says."""
    return _one(
        "all nodes are Ready",
        commands.get_nodes(tools),
        judges.nodes_are_ready(_names(cluster), version=cluster.version),
    )


def nodes_are_schedulable(cluster: Cluster, tools: Tools) -> Condition:
    return _one(
        "all nodes take pods",
        commands.get_nodes(tools),
        judges.nodes_are_schedulable(_names(cluster)),
    )


def proxy_is_ready(
    cluster: Cluster, tools: Tools, kind: str = "daemonset", name: str = "kube-proxy"
) -> Condition:
    """kube-proxy as a DaemonSet on every node, as kubeadm has it."""
    ask = commands.get_workload(tools, kind, name)
    return _one("kube-proxy is ready", ask, judges.workload_is_ready(at_least=len(cluster.nodes)))


def dns_is_ready(cluster: Cluster, tools: Tools, name: str = "coredns") -> Condition:
    ask = commands.get_workload(tools, "deployment", name)
    return _one(f"DNS for {cluster.net.dns_domain} is ready", ask, judges.workload_is_ready())


def _names(cluster: Cluster) -> list[str]:
    return [node.name for node in cluster.nodes]


def _one(title: str, command: Command, judge: Judge) -> Condition:
    """A question that any server can answer."""
    return Condition(title, (Question("", command, judge, on=A_SERVER),))


Asked = tuple[Command, str, Judge]


def _each(title: str, nodes: Iterable[Node], asked: Callable[[Node], Sequence[Asked]]) -> Condition:
    """Questions about each of these nodes, asked there. Their titles say what about it is asked."""
    return Condition(
        title,
        tuple(
            Question(f"{about}{node.name}: ", command, judge, on=node.name)
            for node in nodes
            for command, about, judge in asked(node)
        ),
    )


def _always(reason: str) -> Judge:
    return lambda outcome: Verdict(outcome.ok, reason if outcome.ok else outcome.complaint)


def _is_active(outcome: Outcome) -> Verdict:
    """Of `unit_show`."""
    found = dict(line.partition("=")[::2] for line in outcome.text.splitlines())
    state, sub = found.get("ActiveState", "unknown"), found.get("SubState", "")
    if found.get("LoadState") == "not-found":
        return Verdict(False, "not installed", MISSING)
    words = state if sub in ("", state, "running") else f"{state} ({sub})"
    return Verdict(state == "active", words, remedy="" if state == "active" else "read its journal")
