"""Models of the commands in `mk8s.kube.commands`: how a simulated server answers them, in the real words.

What the words are was seen on a real v1.20.2 with etcd 3.4.23; see tests/mk8s/kube/data. A test compares
the operations of `commands` with HANDLED. Begin reading at `teach`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any, TypeAlias

from mk8s.cluster import Cluster
from mk8s.kube.etcd import SYNC, Etcd, ModelledMember
from mk8s.kube.views import NodeView
from mk8s.kube.world import API, World, world_of
from mk8s.model_answers import refuse
from mk8s.paces import ASKING
from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost, SimulatedNetwork, Span, path_of

__all__ = ["DURATIONS", "HANDLED", "as_line", "teach"]

Answer: TypeAlias = Callable[[World, SimulatedHost, Command], Outcome]

ETCD_CLIENT = 2379
COMPONENTS = {"kube-controller-manager": 10257, "kube-scheduler": 10259}
REFUSED = "The connection to the server 127.0.0.1:{} was refused - did you specify the right host or port?"
TIMED_OUT = "Error from server: etcdserver: request timed out"
NO_ETCD = "Error: context deadline exceeded"
NOT_READY = (
    'Error from server (InternalError): an error on the server ("[+]ping ok\\n[+]log ok\\n'
    '[-]etcd failed: reason withheld\\nreadyz check failed") has prevented the request from succeeding'
)
READY = "[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n"
NOT_FOUND = 'Error from server (NotFound): {} "{}" not found'


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> World:
    """Let this host answer `kube.` commands. Returns the world that all hosts of the network share."""
    world = world_of(network, cluster)
    host.use(world.library(_handlers))
    host.well_from(inf)
    network.pace.declare(DURATIONS)
    return world


def _handlers(world: World) -> Mapping[str, Handler]:
    return {operation: _handler(world, answer) for operation, answer in HANDLED.items()}


def _handler(world: World, answer: Answer) -> Handler:
    def handle(host: SimulatedHost, command: Command) -> Outcome:
        program = path_of(command.args[0])
        if "kubectl" in program.name and not host.disk.exists(program):
            return refuse(f"{program}: not found", 127)
        return answer(world, host, command)

    return handle


def _says(text: str) -> Outcome:
    return Outcome(status=0, stdout=text.encode())


def _through_api(answer: Answer) -> Answer:
    """Decorator: the answer needs this host's API server, and etcd behind it."""

    def asked(world: World, host: SimulatedHost, command: Command) -> Outcome:
        if not world.listens(host, API):
            return refuse(REFUSED.format(API))
        return answer(world, host, command) if world.serves(host) else refuse(TIMED_OUT)

    return asked


# Nodes


@_through_api
def _get_node(world: World, _host: SimulatedHost, command: Command) -> Outcome:
    name = _after(command, "node")
    node = world.nodes.get(name)
    return _says(as_line(world.view(node))) if node else refuse(NOT_FOUND.format("nodes", name))


@_through_api
def _get_nodes(world: World, _host: SimulatedHost, _command: Command) -> Outcome:
    return _says("".join(as_line(world.view(node)) for node in world.nodes.values()))


def as_line(view: NodeView) -> str:
    """A Node as the template in `commands` prints it."""
    data = {
        "name": view.name,
        "version": view.version,
        "unschedulable": view.unschedulable,
        "labels": {**view.labels, "": ""},
        "taints": [*({"key": key, "effect": effect} for key, effect in view.taints), {}],
        "conditions": [
            *(
                {"type": kind, "status": status, "message": view.messages[kind]}
                for kind, status in view.conditions.items()
            ),
            {},
        ],
    }
    return json.dumps(data) + "\n"


@_through_api
def _label_node(world: World, _host: SimulatedHost, command: Command) -> Outcome:
    name = _after(command, "node")
    if name not in world.nodes:
        return refuse(NOT_FOUND.format("nodes", name))
    for word in command.args[command.args.index("--overwrite") + 1 :]:
        key, _, value = word.partition("=")
        world.nodes[name].labels[key] = value
    return _says(f"node/{name} labeled\n")


@_through_api
def _taint_node(world: World, _host: SimulatedHost, command: Command) -> Outcome:
    name, taint = _after(command, "node"), command.args[-1]
    if name not in world.nodes:
        return refuse(NOT_FOUND.format("nodes", name))
    key, _, effect = taint.partition(":")
    if taint.endswith("-"):
        world.nodes[name].taints.pop(key, None)
        return _says(f"node/{name} untainted\n")
    world.nodes[name].taints[key.partition("=")[0]] = effect
    return _says(f"node/{name} modified\n")


# The control plane


def _readyz(world: World, host: SimulatedHost, _command: Command) -> Outcome:
    if not world.listens(host, API):
        return refuse(REFUSED.format(API))
    return _says(READY) if world.serves(host) else refuse(NOT_READY)


def _version(world: World, host: SimulatedHost, _command: Command) -> Outcome:
    if not world.listens(host, API):
        return refuse(REFUSED.format(API))
    return _says(json.dumps({"major": "1", "gitVersion": world.cluster.version}))


def _healthz(world: World, host: SimulatedHost, command: Command) -> Outcome:
    port = int(_after(command, "--server").rpartition(":")[2])
    return _says("ok") if world.listens(host, port) else refuse(REFUSED.format(port))


@_through_api
def _get_lease(world: World, _host: SimulatedHost, command: Command) -> Outcome:
    name = _after(command, "lease")
    leader = world.leader(COMPONENTS[name])
    if leader is None:
        return refuse(NOT_FOUND.format("leases.coordination.k8s.io", name))
    renewed = datetime.fromtimestamp(int(world.now), UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    return _says(f"{int(world.now)}\n{leader.name}_modelled {renewed}\n")


# etcd


def _etcd_members(world: World, host: SimulatedHost, _command: Command) -> Outcome:
    """The own member's list: it does not need the others' votes."""
    if not _runs(world.etcd, host):
        return refuse(NO_ETCD)
    members = [_member(known) for known in world.etcd.members.values()]
    return _says(json.dumps({"header": {}, "members": members}))


def _runs(etcd: Etcd, host: SimulatedHost) -> bool:
    return any(member.host is host and member.running for member in etcd.members.values())


def _member(member: ModelledMember) -> dict[str, Any]:
    """As etcdctl writes it: what is empty or false is left out."""
    told: dict[str, Any] = {"ID": member.id, "peerURLs": [member.peer]}
    if member.name:
        told["name"] = member.name
    if member.started:
        told["clientURLs"] = [_client_url(member)]
    if member.learner:
        told["isLearner"] = True
    return told


def _client_url(member: ModelledMember) -> str:
    return f"{member.peer.rpartition(':')[0]}:{ETCD_CLIENT}"


def _etcd_health(world: World, host: SimulatedHost, _command: Command) -> Outcome:
    if not _runs(world.etcd, host):
        return refuse(NO_ETCD)
    found = [_health(world, member) for member in world.etcd.members.values() if member.started]
    text = json.dumps(found)
    if all(known["health"] for known in found):
        return _says(text)
    return Outcome(status=1, stdout=text.encode(), stderr=b"Error: unhealthy cluster\n")


def _health(world: World, member: ModelledMember) -> dict[str, Any]:
    healthy = member.running and not member.learner and world.etcd.has_quorum
    told: dict[str, Any] = {"endpoint": _client_url(member), "health": healthy, "took": "1ms"}
    if not healthy:
        learner = member.learner and member.running
        told["error"] = (
            "etcdserver: rpc not supported for learner" if learner else "context deadline exceeded"
        )
    return told


# Other objects


@_through_api
def _get_workload(world: World, _host: SimulatedHost, command: Command) -> Outcome:
    kind, name = command.args[-4:-2]
    found = world.workloads.get(f"{kind}/{name}")
    if found is None:
        return refuse(NOT_FOUND.format(f"{kind}s.apps", name))
    wanted, ready = found(world)
    return _says(f"{wanted} {ready}")


@_through_api
def _apply(world: World, host: SimulatedHost, command: Command) -> Outcome:
    paths = [after for word, after in zip(command.args, command.args[1:], strict=False) if word == "-f"]
    for path in paths:
        if not host.disk.exists(path_of(path)):
            return refuse(f'error: the path "{path}" does not exist')
        file = host.files[path_of(path)]
        world.applied[path] = file.content or b""
    return _says("".join(f"{path} configured\n" for path in paths))


@_through_api
def _get(_world: World, _host: SimulatedHost, command: Command) -> Outcome:
    return refuse(f'error: the server doesn\'t have a resource type "{_after(command, "get")}"')


def _after(command: Command, word: str) -> str:
    """The last argument after `word`: kubectl's own words come first."""
    places = [place for place, known in enumerate(command.args[:-1]) if known == word]
    return command.args[places[-1] + 1]


HANDLED: Mapping[str, Answer] = {
    "kube.get-node": _get_node,
    "kube.get-nodes": _get_nodes,
    "kube.label-node": _label_node,
    "kube.taint-node": _taint_node,
    "kube.readyz": _readyz,
    "kube.version": _version,
    "kube.healthz": _healthz,
    "kube.get-lease": _get_lease,
    "kube.etcd-members": _etcd_members,
    "kube.etcd-health": _etcd_health,
    "kube.get-workload": _get_workload,
    "kube.get": _get,
    "kube.apply": _apply,
}
"""Every operation of `commands`, by name."""

DURATIONS: Mapping[str, Span] = {
    **dict.fromkeys(HANDLED, ASKING),
    "kube.apply": Span(0.5, 2.0),  # several objects, one after the other; order of magnitude
    SYNC: Span(1.0, 3.0),  # an empty cluster's data; order of magnitude
}
"""How long each takes, and etcd's part in a life."""
