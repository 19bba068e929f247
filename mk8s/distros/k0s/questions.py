"""What is asked of a k0s node, and where: the questions of joining and of health. Pure.

A controller without a worker is no Node of the cluster, so nobody waits for one there: it is judged by its
own API server and by etcd's list of members. A worker is judged by its Node object, asked on the first
controller, or with its kubelet's own credentials where the control plane is not ours.

Begin reading at `is_healthy`.
"""

from __future__ import annotations

from mk8s.distros.base import Question, Situation
from mk8s.distros.k0s import commands
from mk8s.distros.k0s.readiness import answers_as, has_member, kubelet_version, node_is_there
from mk8s.distros.k0s.roles import (
    has_network,
    is_ip,
    node_name,
    role_of,
    runs_own_etcd,
    runs_pods,
    unit_of,
)
from mk8s.kube import commands as kube
from mk8s.kube.judges import readyz_is_ok
from mk8s.steps import WaitFor

__all__ = ["as_wait", "has_joined", "is_healthy", "of_join", "of_start", "peer_of"]

BETWEEN_LOOKS = 3.0  # seconds, at the most, between two questions
PEERS = 2380


def has_joined(s: Situation) -> list[Question]:
    """k0s answers and a reboot will start it, and the cluster has the node in its role."""
    return [_status(s, enabled=True), *_api(s), *_member(s), *_node(s, ready=False)]


def is_healthy(s: Situation) -> list[Question]:
    """In its role and version; its API ready (controllers), its Node Ready if there is a network."""
    node = _node(s, ready=has_network(s.cluster), version=kubelet_version(s.cluster.version))
    return [_status(s, version=s.cluster.version), *_api(s), *_member(s), *node]


def of_start(s: Situation) -> list[Question]:
    """The first controller is there for the others."""
    return [_status(s), *_api(s), *_member(s), *_node(s, ready=False)]


def of_join(s: Situation) -> list[Question]:
    """The node is in the cluster. An etcd without a majority, or a learner, lets no API server be ready."""
    return of_start(s)


def as_wait(question: Question) -> WaitFor:
    return WaitFor(question.title, question.command, question.judge, BETWEEN_LOOKS, question.on)


def peer_of(s: Situation) -> str:
    """The URL by which etcd knows this node; empty where its IP is not known."""
    ip = s.node.ip
    if not is_ip(ip):
        return ""
    return f"https://{f'[{ip}]' if ':' in ip else ip}:{PEERS}"


def _status(s: Situation, *, version: str = "", enabled: bool = False) -> Question:
    judge = answers_as(role_of(s.node), pods=runs_pods(s.cluster, s.node), version=version, enabled=enabled)
    return Question(f"{unit_of(s.node)} answers", commands.ask_status(s.node), judge)


def _api(s: Situation) -> list[Question]:
    if not s.node.is_server:
        return []
    return [Question("the API server is ready", kube.readyz(commands.kubectl(s.node)), readyz_is_ok())]


def _member(s: Situation) -> list[Question]:
    if not s.node.is_server or not runs_own_etcd(s.cluster):
        return []
    judge = has_member(node_name(s), peer_of(s))
    return [Question("etcd has it as a member", commands.ask_members(s.node), judge)]


def _node(s: Situation, *, ready: bool, version: str = "") -> list[Question]:
    """Asked on the node itself where it has an API server, otherwise on the first controller."""
    if not runs_pods(s.cluster, s.node):
        return []
    name = node_name(s)
    title = f"the node is {'Ready' if ready else 'registered'}"
    judge = node_is_there(name, ready=ready, version=version)
    if s.cluster.joins:
        return [Question(title, commands.ask_own_node(s.node, name), judge)]
    server = s.node if s.node.is_server else s.cluster.primary
    on = None if server is s.node else server.name
    return [Question(title, kube.get_node(commands.kubectl(server), name), judge, on)]
