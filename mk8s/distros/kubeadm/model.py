"""kubeadm for simulated hosts: a model of each command that the driver sends, and of its two units.

What the hosts are together is in `world`. A test compares the operations of `commands` with HANDLED, so no
command is without a model.

Begin reading at `teach`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import yaml

from mk8s.cluster import Cluster
from mk8s.distros.kubeadm.commands import REFUSED
from mk8s.distros.kubeadm.durations import DURATIONS
from mk8s.distros.kubeadm.paths import ADMIN_KUBECONFIG, KUBELET_UNIT, LOG, RUNNER_UNIT
from mk8s.distros.kubeadm.said import NO_MAJORITY
from mk8s.distros.kubeadm.world import CERTIFICATES_LAST, TOKENS_LAST, KubeadmWorld
from mk8s.distros.upstream import model as upstream
from mk8s.distros.upstream.runtime import IMPORTED
from mk8s.kube import model as kube
from mk8s.kube.etcd import EtcdRefused
from mk8s.kube.world import everywhere, replicas
from mk8s.model_answers import NO, YES, refuse, says
from mk8s.units import JOURNAL, LINES_OF_JOURNAL
from transports.base import Command, Outcome
from transports.simulated import Handler, ServiceModel, SimulatedHost, SimulatedNetwork, path_of

__all__ = ["HANDLED", "kubeadm_world_of", "teach"]

Answer: TypeAlias = Callable[[KubeadmWorld, SimulatedHost, Command], Outcome]

KUBELET_RESTARTS_AFTER = 10.0  # seconds, RestartSec in the unit
NO_API = "The connection to the server {}:6443 was refused - did you specify the right host or port?"

_taught: WeakKeyDictionary[SimulatedNetwork, _Taught] = WeakKeyDictionary()


class _Taught:
    """One network's world, and its handlers: one library that all its hosts share."""

    def __init__(self, world: KubeadmWorld) -> None:
        self.world = world
        self.handlers = {name: _handler(world, answer) for name, answer in HANDLED.items()}
        self.services = {
            RUNNER_UNIT.name: ServiceModel(world.kubeadm_life),
            KUBELET_UNIT.name: ServiceModel(world.kubelet_life, KUBELET_RESTARTS_AFTER, world.kubelet_gone),
        }


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the driver's commands and run its units as kubeadm's hosts do."""
    network.pace.declare(DURATIONS)
    upstream.teach(host, network, cluster)
    shared = kube.teach(host, network, cluster)
    taught = _taught.get(network)
    if taught is None:
        taught = _taught[network] = _Taught(KubeadmWorld(shared))
        shared.workloads |= {"daemonset/kube-proxy": everywhere, "deployment/coredns": replicas(2)}
    host.use(taught.handlers)
    host.service_models.update(taught.services)


def kubeadm_world_of(network: SimulatedNetwork) -> KubeadmWorld:
    """What the hosts of this network have become together. Raises KeyError before any host was taught."""
    return _taught[network].world


def _handler(world: KubeadmWorld, answer: Answer) -> Handler:
    def handle(host: SimulatedHost, command: Command) -> Outcome:
        return answer(world, host, command)

    return handle


# How far kubeadm is


def _ask(_world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    unit, done, joined, *leftovers = command.args
    kubelet = host.service(KUBELET_UNIT.name)
    lines = [
        f"progress={_progress(host, done, joined, leftovers)}",
        f"kubelet={'enabled' if kubelet and kubelet.enabled else 'disabled' if kubelet else ''}",
    ]
    lines += ["registered=yes"] if path_of(joined) in host.files else []
    service = host.service(unit)
    state = service.state if service else "inactive"
    lines += [
        f"LoadState={'loaded' if service else 'not-found'}",
        f"ActiveState={state}",
        f"SubState={service.sub if service else 'dead'}",
        f"Result={service.result if service else 'success'}",
    ]
    if state != "active":
        since = int(host.disk.read(_since(unit))) if _since(unit) in host.files else 0
        lines += [JOURNAL, *(service.journal[since:][-LINES_OF_JOURNAL:] if service else [])]
    return Outcome(status=0, stdout=("\n".join(lines) + "\n").encode())


def _progress(host: SimulatedHost, done: str, joined: str, leftovers: list[str]) -> str:
    if path_of(done) in host.files and path_of(joined) in host.files:
        return "done"
    return "half" if any(host.disk.exists(path_of(path)) for path in leftovers) else "none"


def _since(unit: str) -> PurePosixPath:
    """Where the start was noted. The host notes the time, the model the journal's length."""
    return path_of(f"/run/mk8s/{unit}.since")


def _start(_world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    unit = command.args[0]
    service = host.service(unit)
    if service is None:
        return refuse(f"Failed to start {unit}: Unit {unit} not found.", 5)
    host.disk.remove(path_of(command.args[1]))
    host.disk.make_folder(_since(unit).parent)
    host.disk.write(_since(unit), str(len(service.journal)).encode())
    service.stop()
    service.start()
    return YES


def _stop(_world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    for unit in (command.args[0], KUBELET_UNIT.name):
        service = host.service(unit)
        if service:
            service.stop()
            service.enabled = False
    host.disk.remove(path_of(command.args[1]))
    return YES


def _reset(world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    name, unit, role = command.args[3], command.args[5], command.args[8]
    service = host.service(unit)
    if service:
        service.stop()
    others = [known for known in world.world.nodes if known != name] if world.world.serves(host) else []
    if role == "primary" and others:
        return refuse(f"mk8s: refused to start over: {others[0]} has joined the cluster of {name}", REFUSED)
    if role == "primary" and _last_of_log(host) == "end init, exit status 0":
        return refuse(f"mk8s: refused to start over: kubeadm init has succeeded on {name}", REFUSED)
    _log(host, "begin reset")
    node = next(node for node in world.world.cluster.nodes if node.address == host.address)
    world.take_back(host, node.ip)
    _log(host, "end reset, exit status 0")
    return YES


def _last_of_log(host: SimulatedHost) -> str:
    lines = host.disk.read(LOG).decode().splitlines() if LOG in host.files else []
    return lines[-1] if lines else ""


def _log(host: SimulatedHost, words: str) -> None:
    before = host.disk.read(LOG) if LOG in host.files else b""
    host.disk.make_folder(LOG.parent)
    host.disk.write(LOG, before + f"{words}\n".encode())


def _has_no_config(_world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    return NO if path_of(command.args[0]) in host.files else YES


def _forget_config(_world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    host.disk.remove(path_of(command.args[0]))
    return YES


def _missing_images(world: KubeadmWorld, host: SimulatedHost, _command: Command) -> Outcome:
    """An archive holds what it should; a host that was given none lacks all, and here one stands for them."""
    if world.world.cluster.artifacts_mode == "preinstalled" or host.disk.is_folder(IMPORTED):
        return YES
    return says(f"kube-apiserver:{world.world.cluster.version}")


# The cluster's secrets


def _through_api(answer: Answer) -> Answer:
    """Decorator: the answer needs an API server at the endpoint."""

    def asked(world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
        address = world.world.cluster.endpoint or world.world.cluster.primary.ip
        if ADMIN_KUBECONFIG not in host.files or world.world.api_for(host, address) is None:
            return refuse(NO_API.format(address))
        return answer(world, host, command)

    return asked


@_through_api
def _has_token(world: KubeadmWorld, _host: SimulatedHost, command: Command) -> Outcome:
    name, soon = command.args[2:]
    known = world.tokens.get(name)
    return YES if known and known[1] > world.now + float(soon) else NO


@_through_api
def _create_token(world: KubeadmWorld, _host: SimulatedHost, command: Command) -> Outcome:
    token = _first(command)["bootstrapTokens"][0]["token"]
    world.tokens[token.partition(".")[0]] = (token, world.now + TOKENS_LAST)
    return YES


@_through_api
def _has_certificates(world: KubeadmWorld, _host: SimulatedHost, command: Command) -> Outcome:
    known = world.certificates
    return YES if known and known[1] > world.now + float(command.args[2]) else NO


@_through_api
def _upload_certificates(world: KubeadmWorld, _host: SimulatedHost, command: Command) -> Outcome:
    world.certificates = (_first(command)["certificateKey"], world.now + CERTIFICATES_LAST)
    return YES


def _first(command: Command) -> Mapping[str, Any]:
    document: Mapping[str, Any] = next(iter(yaml.safe_load_all(command.stdin or b"")))
    return document


@_through_api
def _forget_node(world: KubeadmWorld, _host: SimulatedHost, command: Command) -> Outcome:
    world.world.nodes.pop(command.args[-2], None)
    return YES


# etcd


def _remove_member(world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    etcd = world.world.etcd
    if not etcd.answers(host):
        return refuse(NO_MAJORITY)
    peer = command.args[1]
    try:
        if peer in etcd.members:
            etcd.remove(peer)
    except EtcdRefused as refusal:
        return refuse(f"Error: {refusal}")
    return YES


def _has_no_member(world: KubeadmWorld, host: SimulatedHost, command: Command) -> Outcome:
    etcd = world.world.etcd
    if not etcd.answers(host):
        return refuse(NO_MAJORITY)
    return NO if command.args[1] in etcd.members else YES


def _etcdctl(_world: KubeadmWorld, _host: SimulatedHost, command: Command) -> Outcome:
    """Only `mk8s.kube.commands` uses it, under operations of its own."""
    return refuse(f"Error: unknown command {' '.join(command.args[1:])} for etcdctl")


HANDLED: Mapping[str, Answer] = {
    "kubeadm.ask": _ask,
    "kubeadm.missing-images": _missing_images,
    "kubeadm.has-token": _has_token,
    "kubeadm.has-certificates": _has_certificates,
    "kubeadm.has-no-config": _has_no_config,
    "kubeadm.create-token": _create_token,
    "kubeadm.upload-certificates": _upload_certificates,
    "kubeadm.start": _start,
    "kubeadm.stop": _stop,
    "kubeadm.reset": _reset,
    "kubeadm.forget-config": _forget_config,
    "kubeadm.has-no-member": _has_no_member,
    "kubeadm.remove-member": _remove_member,
    "kubeadm.forget-node": _forget_node,
    "kubeadm.etcdctl": _etcdctl,
}
"""Every operation of `commands`, by name."""
