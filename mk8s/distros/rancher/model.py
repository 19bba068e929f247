"""RKE2 for simulated hosts: a model of each command that the driver sends, and of its two services.

The commands' effects are on the host's disk and services; what the hosts are together is in `world`.
A test compares the operations in `commands` with HANDLED, so no command is without a model.

Begin reading at `teach`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePosixPath
from typing import TypeAlias
from weakref import WeakKeyDictionary

import anyio

from mk8s import unit_models
from mk8s.cluster import Cluster
from mk8s.distros.rke2.world import AGENT_UNIT, SERVER_UNIT, World
from mk8s.modelled import hash_is, not_what_was_sent
from transports.base import Command, Outcome
from transports.simulated import (
    Handler,
    ServiceModel,
    SimulatedFile,
    SimulatedHost,
    SimulatedNetwork,
)

__all__ = ["HANDLED", "World", "teach", "world_of"]

Answer: TypeAlias = Callable[[World, SimulatedHost, Command], Awaitable[Outcome]]

HASHING = 500_000_000.0  # bytes per second
UNPACKING = 4.0  # seconds for the bundle
RESTART_AFTER = 5.0  # seconds, RestartSec in RKE2's units
YES, NO = Outcome(status=0), Outcome(status=1)
PROGRAMS = ("rke2", "rke2-killall.sh", "rke2-uninstall.sh")
NO_API = b"The connection to the server 127.0.0.1:6443 was refused - did you specify the right host?\n"

_worlds: WeakKeyDictionary[SimulatedNetwork, _Taught] = WeakKeyDictionary()


class _Taught:
    """One network's world, and its handlers: one library that all its hosts share."""

    def __init__(self, network: SimulatedNetwork, cluster: Cluster) -> None:
        self.world = World(network, cluster)
        self.handlers = {name: _handler(self.world, answer) for name, answer in HANDLED.items()}
        self.services = {
            SERVER_UNIT: ServiceModel(self.world.server_life, RESTART_AFTER, self.world.server_gone),
            AGENT_UNIT: ServiceModel(self.world.agent_life, RESTART_AFTER),
        }


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the driver's commands and run its services as RKE2 does."""
    taught = _worlds.get(network)
    if taught is None:
        taught = _worlds[network] = _Taught(network, cluster)
    host.use(taught.handlers)
    host.service_models.update(taught.services)


def world_of(network: SimulatedNetwork) -> World:
    """What the hosts of this network have become together. Raises KeyError before any host was taught."""
    return _worlds[network].world


def _handler(world: World, answer: Answer) -> Handler:
    async def handle(host: SimulatedHost, command: Command) -> Outcome:
        try:
            return await answer(world, host, command)
        except OSError as error:
            return Outcome(status=1, stderr=f"{error.filename}: {error.strerror}\n".encode())

    return handle


# Files


async def _hash_is(host: SimulatedHost, path: PurePosixPath, digest: str) -> bool:
    return await hash_is(host, path, digest, HASHING)


async def _has_archive(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    target, digest = command.args
    return YES if await _hash_is(host, PurePosixPath(target), digest) else NO


async def _place_archive(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    staged, target = map(PurePosixPath, command.args[:2])
    if not await _hash_is(host, staged, command.args[2]):
        return not_what_was_sent(staged)
    file = host.files[staged]
    host.disk.make_folder(target.parent)
    host.files[target] = SimulatedFile(file.sha256, 0, file.mode, "root", file.content)  # a link: no space
    return YES


async def _begin_cache(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    path = PurePosixPath(command.args[0])
    host.disk.make_folder(path.parent)
    if path not in host.files:
        host.disk.write(path, b"")
    return YES


async def _has_cache(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    return YES if PurePosixPath(command.args[0]) in host.files else NO


# Installing


async def _unpack(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    bundle, digest, prefix, units, record = command.args
    if not await _hash_is(host, PurePosixPath(bundle), digest):
        return not_what_was_sent(PurePosixPath(bundle))
    await anyio.sleep(UNPACKING)
    _install(host, digest, *map(PurePosixPath, (prefix, units, record)))
    return YES


async def _install_script(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    folder, _kind, prefix, units, record, *hashes = command.args
    digests = dict(zip(hashes[::2], hashes[1::2], strict=True))
    for name, digest in digests.items():
        if not await _hash_is(host, PurePosixPath(folder) / name, digest):
            return not_what_was_sent(PurePosixPath(folder) / name)
    await anyio.sleep(UNPACKING)
    _install(host, " ".join(digests.values()), *map(PurePosixPath, (prefix, units, record)))
    return YES


def _install(
    host: SimulatedHost, release: str, prefix: PurePosixPath, units: PurePosixPath, record: PurePosixPath
) -> None:
    files = [prefix / "bin" / name for name in PROGRAMS] + [units / SERVER_UNIT, units / AGENT_UNIT]
    for path in [*files, prefix / "share/rke2/rke2-cis-sysctl.conf"]:
        host.disk.make_folder(path.parent)
        host.disk.write(path, f"{path.name} {release}".encode(), mode=0o755)
    host.daemon_reload()
    host.disk.make_folder(record.parent)
    host.disk.write(record, "".join(f"{host.files[path].sha256}  {path}\n" for path in files).encode())


async def _has_install(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    record = PurePosixPath(command.args[0])
    if record not in host.files:
        return NO
    lines = (line.split("  ", 1) for line in host.disk.read(record).decode().splitlines())
    return YES if all([await _hash_is(host, PurePosixPath(path), digest) for digest, path in lines]) else NO


CIS = PurePosixPath("/etc/sysctl.d/60-rke2-cis.conf")


async def _prepare_cis(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    source = PurePosixPath(command.args[0]) / "share/rke2/rke2-cis-sysctl.conf"
    host.disk.write(CIS, host.disk.read(source))
    return YES


async def _is_cis_prepared(_world: World, host: SimulatedHost, _command: Command) -> Outcome:
    return YES if CIS in host.files else NO


async def _nm_cloud_setup(_world: World, _host: SimulatedHost, _command: Command) -> Outcome:
    return Outcome(status=0, stdout=b"")


# Units


async def _start(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    service = host.service(command.args[0])
    if service is None:
        return Outcome(status=5, stderr=f"Failed to start {command.args[0]}: Unit not found.".encode())
    service.restarts = 0
    unit_models.note_start(host, service)
    service.start()
    return YES


async def _unit(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    return await unit_models.ask(host, command)


# The cluster's answers


async def _readyz(world: World, host: SimulatedHost, command: Command) -> Outcome:
    return _ask(world, host, command, b"ok")


async def _ping(world: World, host: SimulatedHost, command: Command) -> Outcome:
    return _ask(world, host, command, b"pong")


def _ask(world: World, host: SimulatedHost, command: Command, word: bytes) -> Outcome:
    answer = _refusal(world, host, command.args[1]) or Outcome(status=0, stdout=word)
    return unit_models.answer_with_state(host, command, answer)


def _refusal(world: World, host: SimulatedHost, kubectl: str) -> Outcome | None:
    if PurePosixPath(kubectl) not in host.files:
        return Outcome(status=127, stderr=f"{kubectl}: not found\n".encode())
    return None if world.serves(host) else Outcome(status=1, stderr=NO_API)


async def _get_node(world: World, host: SimulatedHost, command: Command) -> Outcome:
    refusal = _refusal(world, host, command.args[0])
    if refusal:
        return refusal
    name = command.args[-3]
    node = world.nodes.get(name)
    if node is None:
        return Outcome(status=1, stderr=f'Error from server (NotFound): nodes "{name}" not found\n'.encode())
    return Outcome(status=0, stdout=json.dumps(world.as_json(node)).encode())


async def _get_nodes(world: World, host: SimulatedHost, command: Command) -> Outcome:
    refusal = _refusal(world, host, command.args[0])
    if refusal:
        return refusal
    items = [world.as_json(node) for node in world.nodes.values()]
    return Outcome(status=0, stdout=json.dumps({"kind": "List", "items": items}).encode())


HANDLED: Mapping[str, Answer] = {
    "rke2.has-archive": _has_archive,
    "rke2.place-archive": _place_archive,
    "rke2.begin-cache": _begin_cache,
    "rke2.has-cache": _has_cache,
    "rke2.unpack": _unpack,
    "rke2.install-script": _install_script,
    "rke2.has-install": _has_install,
    "rke2.prepare-cis": _prepare_cis,
    "rke2.is-cis-prepared": _is_cis_prepared,
    "rke2.nm-cloud-setup": _nm_cloud_setup,
    "rke2.start": _start,
    "rke2.unit": _unit,
    "rke2.readyz": _readyz,
    "rke2.ping": _ping,
    "rke2.get-node": _get_node,
    "rke2.get-nodes": _get_nodes,
}
"""Every operation of `commands`, by name."""
