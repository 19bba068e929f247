"""K3s for simulated hosts: its own commands beside the common engine's. Begin reading at `teach`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

import anyio

from mk8s import unit_models
from mk8s.cluster import Cluster
from mk8s.distros.k3s.engine import BIN_DIRS, K3S
from mk8s.distros.rancher import model
from mk8s.distros.rancher.model import NO, UNPACKING, YES, Answer, World, hash_matches, record
from mk8s.modelled import not_what_was_sent
from transports.base import Command, Outcome
from transports.simulated import SimulatedFile, SimulatedHost, SimulatedNetwork

__all__ = ["OWN", "teach"]


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the driver's commands and run its services as K3s does."""
    model.teach(K3S, OWN, host, network, cluster)
    if cluster.artifacts_mode == "preinstalled":
        host.disk.make_folder(BIN_DIRS[0])
        host.disk.write(BIN_DIRS[0] / "k3s", f"k3s {cluster.version}".encode(), mode=0o755)


async def _install(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    staged, program = map(PurePosixPath, command.args[:2])
    if not await hash_matches(host, staged, command.args[2]):
        return not_what_was_sent(staged)
    await anyio.sleep(UNPACKING)
    file = host.files[staged]
    host.disk.make_folder(program.parent)
    host.files[program] = SimulatedFile(file.sha256, file.size, 0o755, "root", file.content)
    return YES


async def _has_program(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    program, digest = command.args
    return YES if await hash_matches(host, PurePosixPath(program), digest) else NO


async def _link(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    folder, *names = command.args
    for name in names:
        host.disk.write(PurePosixPath(folder) / name, b"k3s", mode=0o755)
    return YES


async def _has_links(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    folder, *names = command.args
    return YES if all(PurePosixPath(folder) / name in host.files for name in names) else NO


async def _reload(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    host.daemon_reload()
    host.service(command.args[0])
    return YES


async def _is_loaded(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    return YES if command.args[0] in host.services else NO


async def _install_script(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    _script, _role, _folder, noted, count, *rest = command.args
    verified, installed = rest[: 2 * int(count)], [PurePosixPath(word) for word in rest[2 * int(count) :]]
    for word, digest in zip(verified[::2], verified[1::2], strict=True):
        if not await hash_matches(host, PurePosixPath(word), digest):
            return not_what_was_sent(PurePosixPath(word))
    await anyio.sleep(UNPACKING)
    for path in installed[1:]:
        host.disk.make_folder(path.parent)
        host.disk.write(path, f"{path.name} by install.sh".encode(), mode=0o755)
    host.daemon_reload()
    record(host, PurePosixPath(noted), installed)
    return YES


async def _is_converted(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    db = PurePosixPath(command.args[0])
    return YES if db / "state.db" not in host.files or host.disk.is_folder(db / "etcd") else NO


async def _convert(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    unit, config = command.args
    host.disk.write(PurePosixPath(config), command.stdin or b"", mode=0o600)
    service = host.service(unit)
    if service is None:
        return Outcome(status=5, stderr=f"Failed to restart {unit}: Unit not found.".encode())
    unit_models.note_start(host, service)
    service.stop()
    service.start()
    return YES


OWN: Mapping[str, Answer] = {
    "install": _install,
    "has-program": _has_program,
    "link": _link,
    "has-links": _has_links,
    "reload": _reload,
    "is-loaded": _is_loaded,
    "install-script": _install_script,
    "is-converted": _is_converted,
    "convert": _convert,
}
"""Every operation of `commands`, by its name without ``k3s.``"""
