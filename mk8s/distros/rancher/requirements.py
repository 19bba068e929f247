"""What RKE2 wants of a bare host, its administrator's tools, and its conditions of health. Pure.

Sources: RKE2's documentation (requirements, ports; etcd is asked in its own pod), and its code, which
forces secrets encryption on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Condition, Question, Requirements, Situation, Tools
from mk8s.distros.rke2 import steps
from mk8s.distros.rke2.commands import kubeconfig_of
from mk8s.distros.rke2.config import data_dir, is_true
from mk8s.kube.conditions import nodes_answer
from transports.base import Command

__all__ = ["conditions", "requirements", "tools"]

AGENT_PORTS = {10250: "kubelet"}
SERVER_PORTS = {
    2379: "etcd",
    2380: "etcd's other members",
    6443: "the API server",
    9345: "RKE2's supervisor",
}

ETCDCTL = """\
data=$1
shift
export CRI_CONFIG_FILE="$data/agent/etc/crictl.yaml"
id=$("$data/bin/crictl" ps -q --label io.kubernetes.container.name=etcd | head -n 1)
[ -n "$id" ] || { echo "no etcd runs on this host" >&2; exit 1; }
tls=$data/server/tls/etcd
exec "$data/bin/crictl" exec "$id" etcdctl --endpoints https://127.0.0.1:2379 --cacert "$tls/server-ca.crt" \\
  --cert "$tls/server-client.crt" --key "$tls/server-client.key" "$@"
"""


def requirements(node: Node, cluster: Cluster) -> Requirements:
    """Its ports, and no data of an earlier cluster, which RKE2 would go on with."""
    del cluster
    return Requirements(
        ports=AGENT_PORTS | (SERVER_PORTS if node.is_server else {}),
        leftovers=(str(PurePosixPath(data_dir(node)) / "server" / "db"),) if node.is_server else (),
    )


def tools(node: Node, cluster: Cluster) -> Tools:
    """kubectl as the engine unpacks it; etcd is asked in its own pod, which holds the only etcdctl."""
    kubectl = PurePosixPath(data_dir(node)) / "bin" / "kubectl"
    return Tools(
        kubectl=(str(kubectl), "--kubeconfig", str(kubeconfig_of(node))),
        etcdctl=(lambda words: _etcdctl(node, words)) if _has_etcd(node) else None,
        smoke_image=cluster.smoke_image,
        secrets_encrypted=True,
    )


def _etcdctl(node: Node, words: Sequence[str]) -> Command:
    return Command(
        operation="rke2.etcdctl",
        description=f"ask etcd: {' '.join(words[:2])}",
        script=ETCDCTL,
        args=(data_dir(node), *words),
    )


def _has_etcd(node: Node) -> bool:
    return "datastore-endpoint" not in node.config and not is_true(node.config.get("disable-etcd", ""))


def conditions(situations: Sequence[Situation]) -> list[Condition]:
    """What a run waits for, of all nodes together. A full member of etcd says so in its node's conditions."""
    asked: dict[str, list[Question]] = {}
    for s in situations:
        for question in steps.is_healthy(s):
            here = replace(question, title=f"{s.node.name}: ", on=question.on or s.node.name)
            asked.setdefault(_topic(question), []).append(here)
    return [
        nodes_answer(situations[0].cluster),
        *(Condition(topic, tuple(questions)) for topic, questions in sorted(asked.items(), key=_place)),
    ]


TOPICS = (
    "RKE2's service is active on every node",
    "the API server is ready on every server",
    "the supervisor answers on every server",
    "all nodes are in the cluster, in their roles",
)


def _topic(question: Question) -> str:
    """Which condition a question of `steps.is_healthy` belongs to, by the command that it asks."""
    places = {"rke2.unit": 0, "rke2.readyz": 1, "rke2.ping": 2, "rke2.get-node": 3}
    return TOPICS[places[question.command.operation]]


def _place(entry: tuple[str, list[Question]]) -> int:
    return TOPICS.index(entry[0])
