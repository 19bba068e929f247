"""The engine for simulated hosts: a model of each common command, and of its two services.

The commands' effects are on the host's disk and services; what the hosts are together is in `world`.
Each driver adds models of its own commands, and says how long everything takes with this engine; a test
compares them with what the driver can send.

Begin reading at `teach`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from math import inf
from pathlib import PurePosixPath
from typing import TypeAlias
from weakref import WeakKeyDictionary

from mk8s import unit_models
from mk8s.cluster import Cluster
from mk8s.distros.common import model as common
from mk8s.distros.phases import Phases, Shown
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.world import World
from mk8s.endpoints import model as endpoints
from mk8s.model_answers import NO, YES, handler, refuse, says
from mk8s.modelled import hash_is, not_what_was_sent
from mk8s.paces import ASKING, CHANGE, GLANCE, LOOK
from transports.base import Command, Outcome
from transports.simulated import (
    ServiceModel,
    SimulatedFile,
    SimulatedHost,
    SimulatedNetwork,
    Span,
    path_of,
)

__all__ = [
    "HANDLED",
    "Answer",
    "World",
    "durations",
    "hash_matches",
    "is_recorded",
    "phases",
    "record",
    "teach",
    "world_of",
]

Answer: TypeAlias = Callable[[World, SimulatedHost, Command], Outcome | Awaitable[Outcome]]

RESTART_AFTER = 5.0  # seconds, RestartSec in the units
NO_API = b"The connection to the server 127.0.0.1:6443 was refused - did you specify the right host?\n"

_worlds: WeakKeyDictionary[SimulatedNetwork, _Taught] = WeakKeyDictionary()


class _Taught:
    """One network's world, and its handlers: one library that all its hosts share."""

    def __init__(
        self, engine: Engine, network: SimulatedNetwork, cluster: Cluster, own: Mapping[str, Answer]
    ) -> None:
        self.world = World(network, cluster, engine)
        answers = {f"{engine.name}.{name}": answer for name, answer in {**HANDLED, **own}.items()}
        self.handlers = {name: handler(partial(answer, self.world)) for name, answer in answers.items()}
        self.services = {
            engine.server_unit: ServiceModel(self.world.server_life, RESTART_AFTER, self.world.server_gone),
            engine.agent_unit: ServiceModel(self.world.agent_life, RESTART_AFTER, self.world.agent_gone),
        }


def teach(
    engine: Engine,
    own: Mapping[str, Answer],
    lasts: Mapping[str, Span],
    host: SimulatedHost,
    network: SimulatedNetwork,
    cluster: Cluster,
) -> None:
    """Let this host understand the driver's commands and run its services as the engine does.

    `own`: models of the driver's own commands, by the operation without the engine's name.
    `lasts`: how long all of them take, and the phases of the services; see `durations`.
    """
    network.pace.declare(lasts)
    host.well_from(inf)
    taught = _worlds.get(network)
    if taught is None:
        taught = _worlds[network] = _Taught(engine, network, cluster, own)
    common.teach(host)
    endpoints.teach(host)
    host.use(taught.handlers)
    host.service_models.update(taught.services)


def world_of(network: SimulatedNetwork) -> World:
    """What the hosts of this network have become together. Raises KeyError before any host was taught."""
    return _worlds[network].world


# Files


async def hash_matches(host: SimulatedHost, path: PurePosixPath, digest: str) -> bool:
    return await hash_is(host, path, digest)


def _has_archive(_world: World, host: SimulatedHost, command: Command) -> Outcome | Awaitable[Outcome]:
    target, digest = command.args
    return _is_archive(host, path_of(target), digest) if path_of(target) in host.files else NO


async def _is_archive(host: SimulatedHost, path: PurePosixPath, digest: str) -> Outcome:
    return YES if await hash_matches(host, path, digest) else NO


async def _place_archive(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    staged, target = map(path_of, command.args[:2])
    if not await hash_matches(host, staged, command.args[2]):
        return not_what_was_sent(staged)
    file = host.files[staged]
    host.disk.make_folder(target.parent)
    host.files[target] = SimulatedFile(file.sha256, 0, file.mode, "root", file.content)  # a link: no space
    return YES


def _begin_cache(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    path = path_of(command.args[0])
    host.disk.make_folder(path.parent)
    if path not in host.files:
        host.disk.write(path, b"")
    return YES


def _has_cache(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    return YES if path_of(command.args[0]) in host.files else NO


# What is installed


def record(host: SimulatedHost, path: PurePosixPath, files: Iterable[PurePosixPath]) -> None:
    """Note the hashes of what is installed."""
    host.disk.make_folder(path.parent)
    host.disk.write(path, "".join(f"{host.files[file].sha256}  {file}\n" for file in files).encode())


async def is_recorded(host: SimulatedHost, path: PurePosixPath) -> bool:
    """Whether all that was noted is there, unchanged."""
    if path not in host.files:
        return False
    lines = (line.split("  ", 1) for line in host.disk.read(path).decode().splitlines())
    return all([await hash_matches(host, path_of(file), digest) for digest, file in lines])


def _has_install(_world: World, host: SimulatedHost, command: Command) -> Outcome | Awaitable[Outcome]:
    record_of = path_of(command.args[0])
    return _is_installed(host, record_of) if record_of in host.files else NO


async def _is_installed(host: SimulatedHost, record_of: PurePosixPath) -> Outcome:
    return YES if await is_recorded(host, record_of) else NO


def _version(world: World, host: SimulatedHost, command: Command) -> Outcome:
    """A program that mk8s did not bring has the version that the manifest hopes for."""
    found = any(path_of(path) in host.files for path in command.args)
    words = f"{world.engine.name} version {world.cluster.version} (simulated)" if found else "absent"
    return says(words)


# Units


def _start(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    service = host.service(command.args[0])
    if service is None:
        return Outcome(status=5, stderr=f"Failed to start {command.args[0]}: Unit not found.".encode())
    noted, config = path_of(f"/run/mk8s/{service.name}.config"), path_of(command.args[1])
    now = host.files[config].sha256.encode() if config in host.files else b""
    if service.state == "activating" and noted in host.files and host.disk.read(noted) != now:
        service.stop()
    service.restarts = 0
    unit_models.note_start(host, service)
    host.disk.write(noted, now)
    service.start()
    return YES


def _unit(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    return unit_models.ask(host, command)


# The cluster's answers


def _authority(world: World, _host: SimulatedHost, command: Command) -> Outcome:
    if not world.initialised:
        return refuse(f"sed: can't read {command.args[0]}: No such file")
    digest = hashlib.sha256(world.initialised[0].encode()).hexdigest()
    return says(f"K10{digest}")


def _readyz(world: World, host: SimulatedHost, command: Command) -> Outcome:
    return _ask(world, host, command, b"ok")


def _ping(world: World, host: SimulatedHost, command: Command) -> Outcome:
    return _ask(world, host, command, b"pong")


def _etcd(world: World, host: SimulatedHost, command: Command) -> Outcome:
    healthy = world.has_quorum and host.up and world.members.get(host.name) is not None
    running = healthy and world.members[host.name].running
    refused = Outcome(status=7, stderr=b"curl: (7) Failed to connect to 127.0.0.1 port 2381\n")
    answer = Outcome(status=0, stdout=b'{"health":"true","reason":""}') if running else refused
    return unit_models.answer_with_state(host, command, answer)


def _ask(world: World, host: SimulatedHost, command: Command, word: bytes) -> Outcome:
    answer = _refusal(world, host) or Outcome(status=0, stdout=word)
    return unit_models.answer_with_state(host, command, answer)


def _refusal(world: World, host: SimulatedHost) -> Outcome | None:
    if not world.has_kubectl(host):
        return Outcome(status=127, stderr=b"kubectl: not found\n")
    return None if world.serves(host) else Outcome(status=1, stderr=NO_API)


def _get_node(world: World, host: SimulatedHost, command: Command) -> Outcome:
    refusal = None if _may_ask_as_kubelet(world, command) else _refusal(world, host)
    if refusal:
        return refusal
    name = command.args[-3]
    node = world.nodes.get(name)
    if node is None:
        return refuse(f'Error from server (NotFound): nodes "{name}" not found')
    return node.printed(world.conditions_of(node))


def _may_ask_as_kubelet(world: World, command: Command) -> bool:
    """Of somebody else's control plane, which is there."""
    return bool(world.cluster.joins) and any(
        word.endswith("/agent/kubelet.kubeconfig") for word in command.args
    )


def _get_nodes(world: World, host: SimulatedHost, _command: Command) -> Outcome:
    refusal = _refusal(world, host)
    if refusal:
        return refusal
    items = [node.as_json(world.conditions_of(node)) for node in world.nodes.values()]
    return Outcome(status=0, stdout=json.dumps({"kind": "List", "items": items}).encode())


HANDLED: Mapping[str, Answer] = {
    "has-archive": _has_archive,
    "place-archive": _place_archive,
    "begin-cache": _begin_cache,
    "has-cache": _has_cache,
    "has-install": _has_install,
    "version": _version,
    "start": _start,
    "unit": _unit,
    "readyz": _readyz,
    "ping": _ping,
    "etcd": _etcd,
    "authority": _authority,
    "get-node": _get_node,
    "get-nodes": _get_nodes,
}
"""Every operation of `commands`, by its name without the engine's."""

OPERATIONS: Mapping[str, Span] = {
    "has-archive": GLANCE,
    "place-archive": CHANGE,
    "begin-cache": CHANGE,
    "has-cache": GLANCE,
    "has-install": Span(0.1, 0.5),  # it hashes programs of 100 MB and more
    "version": Span(0.1, 1.0),  # a large program begins; k3s unpacks itself
    "start": Span(0.1, 0.4),  # systemd reads units anew, and does not wait
    "unit": LOOK,
    "readyz": ASKING,
    "ping": ASKING,
    "etcd": ASKING,
    "authority": GLANCE,
    "get-node": ASKING,
    "get-nodes": ASKING,
}
"""How long each takes beside hashing; orders of magnitude."""

LIVES: Mapping[str, Span] = {
    "server-begin": Span(1, 3),  # reads its configuration, asks the server it joins; order of magnitude
    "agent-begin": Span(1, 3),
    "server-promotion": Span(1, 16),  # the leader looks every 15 s [k3s pkg/etcd/etcd.go], the data are few
    "server-looks-again": Span(2, 2),  # the model's own, while etcd has no majority
    "agent-asks-again": Span(2, 2),  # [k3s pkg/agent: "Failed to validate connection to cluster"]
    "node-network": Span(10, 40),  # pods of the network from their images; order of magnitude
}
"""The parts of both engines' lives that take as long with either."""


def durations(engine: Engine, own: Mapping[str, Span], lives: Mapping[str, Span]) -> dict[str, Span]:
    """All by their full names: the operations here and the driver's `own`, and the parts of lives."""
    operations = {f"{engine.name}.{name}": span for name, span in {**OPERATIONS, **own}.items()}
    return operations | {f"{engine.name}:{name}": span for name, span in {**LIVES, **lives}.items()}


def phases(engine: Engine) -> Phases:
    """What a run with this engine shows."""
    active, ready = ("* is active",), ("the node is Ready",)
    parts = [
        ("primary-first-start", "start-primary", "primary", active, ("server-begin",)),
        ("server-first-start", "join-server", "server", active, ("server-begin", "server-promotion")),
        ("agent-first-start", "join-agent", "agent", active, ("agent-begin",)),
        ("node-network", "verify", "primary", ready, ()),
        ("node-network", "join-server", "server", ready, ()),
        ("node-network", "join-agent", "agent", ready, ()),
    ]
    named = (
        Shown(f"{engine.name}:{part}", edge, role, waits, tuple(f"{engine.name}:{other}" for other in minus))
        for part, edge, role, waits, minus in parts
    )
    return Phases(tuple(named))
