"""Vanilla for simulated hosts: a model of each command that the driver sends.

The units' lives are in `services`; what the hosts are together is in `mk8s.kube.world`. A test compares the
operations in `commands` with HANDLED, so no command is without a model. Begin reading at `teach`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from mk8s.cluster import Cluster
from mk8s.distros.phases import Phases, Shown
from mk8s.distros.upstream import model as upstream
from mk8s.distros.vanilla import services
from mk8s.distros.vanilla.commands import HEALTH, TRIES
from mk8s.kube import model as kube
from mk8s.kube.etcd import EtcdRefused, ModelledMember
from mk8s.kube.world import World, replicas, world_of
from mk8s.model_answers import NO, YES, disk_words, handler, refuse
from mk8s.paces import ASKING, GLANCE, UNPACKING, work
from mk8s.unit_models import UNIT_DURATIONS, UNIT_HANDLERS, answer_with_state
from transports.base import Command, Outcome
from transports.simulated import ServiceModel, SimulatedHost, SimulatedNetwork, Span, path_of

__all__ = ["DURATIONS", "HANDLED", "PHASES", "teach"]

Answer: TypeAlias = Callable[[World, SimulatedHost, Command], Outcome | Awaitable[Outcome]]


_taught: WeakKeyDictionary[SimulatedNetwork, _Taught] = WeakKeyDictionary()


class _Taught:
    """One network's handlers: one library that all its hosts share."""

    def __init__(self, network: SimulatedNetwork, cluster: Cluster) -> None:
        world = world_of(network, cluster)
        world.workloads["deployment/coredns"] = replicas(2)
        self.handlers = {
            name: handler(partial(answer, world), (OSError, EtcdRefused), _in_words)
            for name, answer in HANDLED.items()
        }
        self.services: dict[str, ServiceModel] = services.models(world)


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the driver's commands and run its units."""
    taught = _taught.get(network)
    if taught is None:
        taught = _taught[network] = _Taught(network, cluster)
    upstream.teach(host, network, cluster)
    kube.teach(host, network, cluster)
    network.pace.declare(DURATIONS)
    host.use(UNIT_HANDLERS)
    host.use(taught.handlers)
    host.service_models.update(taught.services)


def _in_words(error: OSError | EtcdRefused) -> str:
    return disk_words(error) if isinstance(error, OSError) else f"Error: {error}"


# Installing


async def _install_etcd(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    archive, digest, target, links, record = command.args
    file = host.files.get(path_of(archive))
    if file is None or file.sha256 != digest:
        return refuse(f"mk8s: {archive} is not what was sent", 65)
    await work(host, UNPACKING, file.size)
    lines = ""
    for name in ("etcd", "etcdctl"):
        content = f"{name} {digest}".encode()
        for folder in (target, links):
            host.disk.make_folder(path_of(folder))
            host.disk.write(path_of(folder) / name, content, mode=0o755)
        lines += f"{hashlib.sha256(content).hexdigest()}  {target}/{name}\n"
    host.disk.make_folder(path_of(record).parent)
    host.disk.write(path_of(record), lines.encode())
    return YES


def _has_etcd(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    target, record = map(path_of, command.args)
    return YES if record in host.files and target / "etcdctl" in host.files else NO


# etcd's members, asked by a server that joins


def _reached(world: World, host: SimulatedHost, command: Command) -> SimulatedHost | None:
    """The first of the servers that etcdctl was given whose member answers."""
    listed = next(word for word in command.args if word.startswith("--endpoints=")).removeprefix(
        "--endpoints="
    )
    by_ip = {node.ip: node.address for node in world.cluster.nodes}
    for url in listed.split(","):
        address = urlsplit(url).hostname or ""
        target = host if address == "127.0.0.1" else world.network.reach(host, by_ip.get(address, address))
        if target is not None and world.etcd.answers(target):
            return target
    return None


def _unreached() -> Outcome:
    return refuse("Error: context deadline exceeded")


def _members(world: World, host: SimulatedHost, command: Command) -> Outcome:
    target = _reached(world, host, command)
    return kube.HANDLED["kube.etcd-members"](world, target, command) if target else _unreached()


def _is_voting(member: ModelledMember | None) -> bool:
    return member is not None and member.started and not member.learner


def _add_member(world: World, host: SimulatedHost, command: Command) -> Outcome:
    name, peer, data, file = command.args[:4]
    if not _reached(world, host, command):
        return _unreached()
    own = world.etcd.members.get(peer)
    if own is None:
        world.etcd.add(peer, learner=True)
    elif own.started and not host.disk.exists(path_of(data) / "member"):
        return refuse(f"mk8s: etcd has a started member at {peer}, and its data are not here", 66)
    names = {known.peer: known.name for known in world.etcd.members.values()} | {peer: name}
    cluster = ",".join(f"{known}={at}" for at, known in names.items() if known)
    text = f"ETCD_INITIAL_CLUSTER={cluster}\nETCD_INITIAL_CLUSTER_STATE=existing\n"
    host.disk.write(path_of(file), text.encode())
    return YES


def _is_member(world: World, host: SimulatedHost, command: Command) -> Outcome:
    peer, data, file = command.args[:3]
    here = path_of(file) in host.files and host.disk.exists(path_of(data) / "member")
    if not here or not _reached(world, host, command):
        return NO
    own = world.etcd.members.get(peer)
    return YES if own is not None and own.started else NO


async def _promote(world: World, host: SimulatedHost, command: Command) -> Outcome:
    for attempt in range(TRIES):
        try:
            world.etcd.promote(command.args[0])
            return YES
        except EtcdRefused:
            if attempt == TRIES - 1:
                raise
        await host.spend("vanilla:promote-again")
        host.timeline.catch_up()
    return NO


def _is_voter(world: World, host: SimulatedHost, command: Command) -> Outcome:
    if not _reached(world, host, command):
        return _unreached()
    return YES if _is_voting(world.etcd.members.get(command.args[0])) else NO


# Health


def _health(world: World, host: SimulatedHost, command: Command) -> Outcome:
    url = command.args[command.args.index("--server") + 1]
    port = urlsplit(url).port or 0
    if world.listens(host, port):
        said = b'{"lastUpdated": "2026-01-02 03:04:05"}' if port == HEALTH["kube-proxy"] else b"ok"
        return answer_with_state(host, command, Outcome(status=0, stdout=said))
    words = f"The connection to the server {urlsplit(url).netloc} was refused"
    return answer_with_state(host, command, refuse(words))


def _readyz(world: World, host: SimulatedHost, command: Command) -> Outcome:
    if world.serves(host):
        said = b"[+]ping ok\n[+]etcd ok\nreadyz check passed\n"
        return answer_with_state(host, command, Outcome(status=0, stdout=said))
    words = (
        "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?"
    )
    return answer_with_state(host, command, refuse(words))


HANDLED: Mapping[str, Answer] = {
    "vanilla.install-etcd": _install_etcd,
    "vanilla.has-etcd": _has_etcd,
    "vanilla.members": _members,
    "vanilla.add-member": _add_member,
    "vanilla.is-member": _is_member,
    "vanilla.promote": _promote,
    "vanilla.is-voter": _is_voter,
    "vanilla.health": _health,
    "vanilla.readyz": _readyz,
}
"""Every operation of `commands`, by name."""

ETCDCTL = Span(0.05, 0.2)  # etcdctl begins, and its certificates are read; order of magnitude

DURATIONS: Mapping[str, Span] = {
    **UNIT_DURATIONS,
    **services.PARTS,
    "vanilla.install-etcd": Span(0.2, 0.6),
    "vanilla.has-etcd": GLANCE,
    "vanilla.members": ETCDCTL,
    "vanilla.add-member": ETCDCTL,
    "vanilla.is-member": ETCDCTL,
    "vanilla.promote": ETCDCTL,
    "vanilla.is-voter": ETCDCTL,
    "vanilla.health": ASKING,
    "vanilla.readyz": ASKING,
    "vanilla:promote-again": Span(1, 1),  # `sleep 1` in the script
}
"""How long each takes beside the bytes that it works on; and the parts of lives."""


def _shown() -> Iterator[Shown]:
    """Each unit has a wait of its own."""
    yield Shown("vanilla:etcd-start", "start-primary", "primary", ("etcd is active",))
    for edge, role in (("start-primary", "primary"), ("join-server", "server"), ("join-agent", "agent")):
        yield Shown("vanilla:kubelet-start", edge, role, ("kubelet is healthy",))
        yield Shown("vanilla:kube-proxy-start", edge, role, ("kube-proxy is healthy",))
        if role == "agent":
            continue
        yield Shown("vanilla:kube-apiserver-start", edge, role, ("the API server is ready",))
        for component in ("kube-controller-manager", "kube-scheduler"):
            yield Shown(f"vanilla:{component}-start", edge, role, (f"{component} is healthy",))
    yield Shown("vanilla:node-network", "verify", "agent", ("the node is Ready",))


PHASES = Phases(tuple(_shown()))
