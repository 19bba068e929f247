"""k0s for simulated hosts: a model of each command that the driver sends, and of its two services.

The commands' effects are on the host's disk and services; what the hosts are together is in `world`.
A test compares the operations of `commands` with HANDLED, so no command is without a model.

Begin reading at `teach`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import TypeAlias
from weakref import WeakKeyDictionary

import yaml

from mk8s import unit_models
from mk8s.cluster import Cluster
from mk8s.distros.common import model as common
from mk8s.distros.k0s.durations import DURATIONS, HASHED, PROGRAMS
from mk8s.distros.k0s.foreign import TOP
from mk8s.distros.k0s.roles import is_single, runs_own_etcd
from mk8s.distros.k0s.world import CONTROLLER, SOCKET, WORKER, K0sWorld, words_of
from mk8s.distros.upstream import model as upstream
from mk8s.kube import model as kube
from mk8s.kube.etcd import EtcdRefused
from mk8s.kube.world import replicas
from mk8s.model_answers import NO, YES, handler, refuse, says
from mk8s.modelled import not_what_was_sent
from mk8s.paces import HASHING, work
from transports.base import Command, Outcome
from transports.simulated import (
    Handler,
    ServiceModel,
    SimulatedFile,
    SimulatedHost,
    SimulatedNetwork,
    path_of,
)

__all__ = ["HANDLED", "k0s_world_of", "teach"]

Answer: TypeAlias = Callable[[K0sWorld, SimulatedHost, Command], Outcome]

RESTART_AFTER = 10.0  # seconds, RestartSec in k0s' units
LASTS = {"30m": 1800.0, "10m": 600.0}
NO_SOCKET = 'Error: can\'t get "status" via "/run/k0s/status.sock": no such file or directory'
NO_API = "The connection to the server localhost:6443 was refused - did you specify the right host or port?"
NO_MEMBERS = "Error: can't list etcd cluster members: context deadline exceeded"
NO_JOINING = "Error: refusing to create token: cannot join into a single node cluster"
NO_NODE = 'Error from server (NotFound): nodes "{}" not found'

_taught: WeakKeyDictionary[SimulatedNetwork, _Taught] = WeakKeyDictionary()


class _Taught:
    """One network's world, and its handlers: one library that all its hosts share."""

    def __init__(self, world: K0sWorld) -> None:
        self.world = world
        self.handlers = {name: _handler(world, name, answer) for name, answer in HANDLED.items()}
        self.services = {
            CONTROLLER: ServiceModel(world.controller_life, RESTART_AFTER, world.gone),
            WORKER: ServiceModel(world.worker_life, RESTART_AFTER, world.gone),
        }


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the driver's commands and run its services as k0s does."""
    common.teach(host)
    host.use({name: upstream.HANDLED[name] for name in PROGRAMS})
    host.use(unit_models.UNIT_HANDLERS)
    network.pace.declare(DURATIONS)
    shared = kube.teach(host, network, cluster)
    taught = _taught.get(network)
    if taught is None:
        taught = _taught[network] = _Taught(K0sWorld(shared))
        shared.workloads |= {"deployment/coredns": replicas(2)}
    host.use(taught.handlers)
    host.service_models.update(taught.services)


def k0s_world_of(network: SimulatedNetwork) -> K0sWorld:
    """What the hosts of this network have become together. Raises KeyError before any host was taught."""
    return _taught[network].world


def _handler(world: K0sWorld, name: str, answer: Answer) -> Handler:
    async def hash_and_answer(host: SimulatedHost, command: Command) -> Outcome:
        file = host.files.get(path_of(command.args[0]))
        await work(host, HASHING, file.size if file else 0)
        return answer(world, host, command)

    return handler(hash_and_answer if name in HASHED else partial(answer, world))


# Files


def _place(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    staged, target = map(path_of, command.args[:2])
    file = host.files.get(staged)
    if file is None or file.sha256 != command.args[2]:
        return not_what_was_sent(staged)
    host.disk.make_folder(target.parent)
    host.files[target] = SimulatedFile(file.sha256, 0, file.mode, "root", file.content)  # a link: no space
    return YES


def _has_placed(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    file = host.files.get(path_of(command.args[0]))
    return YES if file and file.sha256 == command.args[1] else NO


def _find(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    """A host that is said to have k0s already has it."""
    link, target = map(path_of, command.args[:2])
    host.disk.make_folder(link.parent)
    host.disk.write(link, str(target).encode(), mode=0o755)
    return YES


def _has_program(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    return YES if path_of(command.args[0]) in host.files else NO


def _version(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    if path_of(command.args[0]) not in host.files:
        return refuse(f"{command.args[0]}: not found", 127)
    return says(world.cluster.version)


def _validate(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    config = yaml.safe_load(host.disk.read(path_of(command.args[1])))
    strange = [key for key in config if key not in TOP]
    return refuse(f'Error: unknown field "{strange[0]}"') if strange else YES


def _share(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    world.shared |= {(host.name, path) for path in command.args[1:]}
    return YES


def _is_shared(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    return YES if {(host.name, path) for path in command.args[1:]} <= world.shared else NO


# The unit


def _install(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    record, _program, units, unit, late, *words = command.args
    line = "\t".join(["ExecStart=/usr/local/bin/k0s", *words, *([late] if late else [])])
    host.disk.make_folder(path_of(units))
    host.disk.write(path_of(units) / unit, f"[Service]\n{line}\n".encode())
    host.daemon_reload()
    service = host.service(unit)
    if service:
        service.enabled = True
    host.disk.make_folder(path_of(record).parent)
    host.disk.write(path_of(record), _print(host, command))
    return YES


def _is_installed(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    record, unit = path_of(command.args[0]), path_of(command.args[2]) / command.args[3]
    if record not in host.files or unit not in host.files:
        return NO
    return YES if host.disk.read(record) == _print(host, command) else NO


def _print(host: SimulatedHost, command: Command) -> bytes:
    unit = host.disk.read(path_of(command.args[2]) / command.args[3])
    return hashlib.sha256("\n".join(command.args[4:]).encode() + unit).hexdigest().encode()


def _is_stopped(_world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    service = host.service(command.args[0])
    return NO if service and service.state in ("active", "activating") else YES


def _status(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    unit = command.args[0]
    answer = refuse(NO_SOCKET)
    if SOCKET in host.files:
        node, words = world.node_of(host), words_of(host, unit)
        works = unit == WORKER or "--enable-worker" in words or is_single(node)
        said = {"Version": world.cluster.version, "Role": _role(unit, works), "Workloads": works}
        answer = says(json.dumps(said))
    return unit_models.answer_with_state(host, command, answer)


def _role(unit: str, works: bool) -> str:
    if unit == WORKER:
        return "worker"
    return "controller+worker" if works else "controller"


# Joining


def _progress(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    role, data, etcd, unit, token, fresh = command.args
    folder = path_of(data)
    needed = ["kubelet.conf"] if role == "worker" else ["pki/ca.key", "pki/ca.crt"]
    needed += ["etcd/member/snap/db"] if etcd == "yes" else []
    if all(host.disk.exists(folder / name) for name in needed):
        return says("joined")
    service = host.service(unit)
    working = service is not None and service.state == "active" and fresh != "0"
    return says("joining" if working and _is_fresh(world, host, path_of(token)) else "new")


def _is_fresh(world: K0sWorld, host: SimulatedHost, token: PurePosixPath) -> bool:
    """The host looks at the file's age, the model whether anything made lately is good still."""
    given = token in host.files and bool(host.disk.read(token).strip())
    return given and any(known.until > world.now for known in world.tokens.values())


def _through_api(answer: Answer) -> Answer:
    """Decorator: the answer needs this host's API server, and what is behind it."""

    def asked(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
        return answer(world, host, command) if world.world.serves(host) else refuse(NO_API)

    return asked


@_through_api
def _create_token(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    if is_single(world.node_of(host)):
        return refuse(NO_JOINING)
    role, lasts = (command.args[command.args.index(word) + 1] for word in ("--role", "--expiry"))
    return says(world.make_token(host, role, LASTS[lasts]))


@_through_api
def _invalidate_token(world: K0sWorld, _host: SimulatedHost, command: Command) -> Outcome:
    name = command.args[command.args.index("invalidate") + 1]
    world.tokens.pop(name, None)
    return says(f"token {name} deleted successfully")


# etcd


def _through_etcd(answer: Answer) -> Answer:
    """Decorator: the answer needs this host's member, and a majority."""

    def asked(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
        works = runs_own_etcd(world.cluster) and world.world.etcd.answers(host)
        return answer(world, host, command) if works else refuse(NO_MEMBERS)

    return asked


@_through_etcd
def _members(world: K0sWorld, _host: SimulatedHost, _command: Command) -> Outcome:
    members = {member.name: member.peer for member in world.world.etcd.members.values()}
    return says(json.dumps({"members": members}))


@_through_etcd
def _has_no_member(world: K0sWorld, _host: SimulatedHost, command: Command) -> Outcome:
    return NO if command.args[0] in world.world.etcd.members else YES


@_through_etcd
def _remove_member(world: K0sWorld, _host: SimulatedHost, command: Command) -> Outcome:
    ip = command.args[command.args.index("--peer-address") + 1]
    try:
        world.world.etcd.remove(f"https://{f'[{ip}]' if ':' in ip else ip}:2380")
    except EtcdRefused as refusal:
        return refuse(f"Error: {refusal}")
    return YES


def _own_node(world: K0sWorld, host: SimulatedHost, command: Command) -> Outcome:
    """With the kubelet's own credentials, of a control plane that is not among these hosts."""
    name = command.args[command.args.index("node") + 1]
    node = world.world.nodes.get(name)
    if path_of(command.args[command.args.index("--kubeconfig") + 1]) not in host.files:
        return refuse("error: stat kubelet.conf: no such file or directory")
    if node is None or node.host is not host:
        return refuse(NO_NODE.format(name))
    return says(kube.as_line(world.world.view(node)))


HANDLED: Mapping[str, Answer] = {
    "k0s.place": _place,
    "k0s.has-placed": _has_placed,
    "k0s.find": _find,
    "k0s.has-program": _has_program,
    "k0s.version": _version,
    "k0s.validate": _validate,
    "k0s.share": _share,
    "k0s.is-shared": _is_shared,
    "k0s.install": _install,
    "k0s.is-installed": _is_installed,
    "k0s.is-stopped": _is_stopped,
    "k0s.status": _status,
    "k0s.progress": _progress,
    "k0s.create-token": _create_token,
    "k0s.invalidate-token": _invalidate_token,
    "k0s.members": _members,
    "k0s.has-no-member": _has_no_member,
    "k0s.remove-member": _remove_member,
    "k0s.get-own-node": _own_node,
}
"""Every operation of `commands`, by name."""
