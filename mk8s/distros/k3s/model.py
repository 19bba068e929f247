"""K3s for simulated hosts: its own commands beside the common engine's, and how long everything takes.

Begin reading at `teach`.
"""

from __future__ import annotations

from collections.abc import Mapping

from mk8s import unit_models
from mk8s.cluster import Cluster
from mk8s.distros.k3s.engine import BIN_DIRS, K3S
from mk8s.distros.rancher import model
from mk8s.distros.rancher.model import Answer, World, hash_matches, record
from mk8s.model_answers import NO, YES
from mk8s.modelled import not_what_was_sent
from mk8s.paces import CHANGE, GLANCE, LOOK
from transports.base import Command, Outcome
from transports.simulated import SimulatedFile, SimulatedHost, SimulatedNetwork, Span, path_of

__all__ = ["DURATIONS", "OWN", "PHASES", "teach"]


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the driver's commands and run its services as K3s does."""
    model.teach(K3S, OWN, DURATIONS, host, network, cluster)
    if cluster.artifacts_mode == "preinstalled":
        host.disk.make_folder(BIN_DIRS[0])
        host.disk.write(BIN_DIRS[0] / "k3s", f"k3s {cluster.version}".encode(), mode=0o755)


async def _install(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    staged, program = map(path_of, command.args[:2])
    if not await hash_matches(host, staged, command.args[2]):
        return not_what_was_sent(staged)
    file = host.files[staged]
    host.disk.make_folder(program.parent)
    host.files[program] = SimulatedFile(file.sha256, file.size, 0o755, "root", file.content)
    return YES


async def _has_program(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    program, digest = command.args
    return YES if await hash_matches(host, path_of(program), digest) else NO


async def _link(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    folder, *names = command.args
    for name in names:
        host.disk.write(path_of(folder) / name, b"k3s", mode=0o755)
    return YES


async def _has_links(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    folder, *names = command.args
    return YES if all(path_of(folder) / name in host.files for name in names) else NO


async def _reload(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    host.daemon_reload()
    host.service(command.args[0])
    return YES


async def _is_loaded(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    return YES if command.args[0] in host.services else NO


async def _install_script(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    _script, _role, _folder, noted, count, *rest = command.args
    verified, installed = rest[: 2 * int(count)], [path_of(word) for word in rest[2 * int(count) :]]
    for word, digest in zip(verified[::2], verified[1::2], strict=True):
        if not await hash_matches(host, path_of(word), digest):
            return not_what_was_sent(path_of(word))
    for path in installed[1:]:
        host.disk.make_folder(path.parent)
        host.disk.write(path, f"{path.name} by install.sh".encode(), mode=0o755)
    host.daemon_reload()
    record(host, path_of(noted), installed)
    return YES


async def _is_converted(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    db = path_of(command.args[0])
    return YES if db / "state.db" not in host.files or host.disk.is_folder(db / "etcd") else NO


async def _convert(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    unit, config = command.args
    host.disk.write(path_of(config), command.stdin or b"", mode=0o600)
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

DURATIONS: Mapping[str, Span] = model.durations(
    K3S,
    {
        "install": Span(0.1, 0.5),  # a copy of 60 to 75 MB
        "has-program": GLANCE,
        "link": CHANGE,
        "has-links": GLANCE,
        "reload": Span(0.1, 0.5),  # systemd reads all units anew
        "is-loaded": LOOK,
        "install-script": Span(1, 4),  # a shell script of many steps; order of magnitude
        "is-converted": GLANCE,
        "convert": Span(0.5, 5),  # a restart: until the processes have ended
    },
    {
        # "First start typically 20 to 90 s", says practice; there is no number of the project's.
        "primary-first-start": Span(20, 90),
        "server-first-start": Span(20, 90),
        "server-restart": Span(5, 20),  # order of magnitude
        "agent-first-start": Span(10, 40),  # the same images, and no control plane: order of magnitude
        "agent-restart": Span(3, 10),
    },
)
"""How long everything takes beside the bytes that it works on."""

PHASES = model.phases(K3S)
