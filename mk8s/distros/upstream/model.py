"""Upstream's commands for simulated hosts: a model of each, and containerd as a service.

What a command changes is on the host's own disk, the running kernel's values included, so nothing is
remembered here. A test compares the operations of the command modules with HANDLED.

Begin reading at `teach`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeAlias

from mk8s.cluster import Cluster
from mk8s.distros.common import model as common
from mk8s.distros.upstream import model_host
from mk8s.endpoints import model as endpoints
from mk8s.model_answers import NO, YES, handler, refuse
from mk8s.modelled import hash_is, not_what_was_sent
from mk8s.paces import CHANGE, GLANCE, IMPORTING, LOOK, UNPACKING, work
from transports.base import Command, Outcome
from transports.simulated import (
    Handler,
    ServiceModel,
    SimulatedFile,
    SimulatedHost,
    SimulatedNetwork,
    SimulatedService,
    Span,
    path_of,
)

__all__ = ["DURATIONS", "HANDLED", "routes_of", "teach"]

Answer: TypeAlias = Callable[[SimulatedHost, Command], Outcome | Awaitable[Outcome]]

RESTART_AFTER = 5.0  # seconds, RestartSec in the unit
STORE, STORED = PurePosixPath("/var/lib/containerd"), 2  # times an archive: its content, and unpacked
CONTAINERD, ROUTES = "containerd.service", "mk8s-routes.service"
KERNEL_ROUTES = PurePosixPath("/run/mk8s/kernel-routes")  # in memory: a reboot forgets them
ROUTES_FILE = PurePosixPath("/etc/mk8s/routes")
MEMBERS: Mapping[str, Sequence[str]] = {
    "containerd-": ("bin/containerd", "bin/ctr", "bin/containerd-shim-runc-v2"),
    "crictl-": ("crictl",),
    "cni-plugins-": ("bridge", "host-local", "loopback", "portmap"),
}
NO_SOCKET = 'ctr: failed to dial "/run/containerd/containerd.sock": context deadline exceeded'


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the commands here, and run containerd and the routes' unit."""
    del cluster
    network.pace.declare(DURATIONS)
    host.use(HANDLED)
    common.teach(host)
    endpoints.teach(host)
    host.service_models.update(SERVICES)


def routes_of(host: SimulatedHost) -> set[str]:
    """The routes to other nodes' pods that the kernel has now, such as ``10.244.1.0/24 via 10.0.0.12``."""
    if KERNEL_ROUTES not in host.files:
        return set()
    return set(host.disk.read(KERNEL_ROUTES).decode().splitlines())


def _containerd_life(host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    yield host.seconds("upstream:containerd-start")
    service.ready()


def _routes_life(host: SimulatedHost, _service: SimulatedService) -> Iterator[float]:
    yield host.seconds("upstream:routes-set")
    host.disk.make_folder(KERNEL_ROUTES.parent)
    host.disk.write(KERNEL_ROUTES, host.disk.read(ROUTES_FILE))


SERVICES = {
    CONTAINERD: ServiceModel(_containerd_life, RESTART_AFTER),
    ROUTES: ServiceModel(_routes_life),
}


# Programs


async def _install_program(host: SimulatedHost, command: Command) -> Outcome:
    staged, target, link = (path_of(command.args[index]) for index in (0, 2, 3))
    if not await hash_is(host, staged, command.args[1]):
        return not_what_was_sent(target.with_name(f"{target.name}.mk8s"))
    file = host.files[staged]
    host.disk.make_folder(target.parent)
    host.disk.place(target, SimulatedFile(file.sha256, file.size, 0o755, "root", file.content))
    _link(host, target, link)
    return YES


async def _has_program(host: SimulatedHost, command: Command) -> Outcome:
    digest, target, link = command.args
    met = _is_linked_to(host, target, link) and await hash_is(host, path_of(target), digest)
    return YES if met else NO


def _link_program(host: SimulatedHost, command: Command) -> Outcome:
    _link(host, *map(path_of, command.args))
    return YES


def _is_linked(host: SimulatedHost, command: Command) -> Outcome:
    return YES if _is_linked_to(host, *command.args) else NO


def _link(host: SimulatedHost, target: PurePosixPath, link: PurePosixPath) -> None:
    """The disk has no links: a small file with the other's name in it stands for one."""
    host.disk.make_folder(link.parent)
    host.disk.write(link, str(target).encode(), mode=0o755)


def _is_linked_to(host: SimulatedHost, target: str, link: str) -> bool:
    there = host.files.get(path_of(link))
    return path_of(target) in host.files and there is not None and there.content == target.encode()


async def _unpack(host: SimulatedHost, command: Command) -> Outcome:
    archive, into, record = (path_of(command.args[index]) for index in (0, 1, 3))
    if not await hash_is(host, archive, command.args[2]):
        return not_what_was_sent(archive)
    await work(host, UNPACKING, host.files[archive].size)
    members = next((found for start, found in MEMBERS.items() if archive.name.startswith(start)), None)
    if members is None:
        raise AssertionError(f"{host.name}: nobody said what is in {archive.name}; see MEMBERS")
    for name in members:
        path = into / name
        host.disk.make_folder(path.parent)
        host.disk.write(path, f"{name} of {command.args[2]}".encode(), mode=0o755)
    host.disk.make_folder(record.parent)
    host.disk.write(
        record, "".join(f"{host.files[into / name].sha256}  {name}\n" for name in members).encode()
    )
    return YES


async def _is_unpacked(host: SimulatedHost, command: Command) -> Outcome:
    into, record = map(path_of, command.args)
    if record not in host.files:
        return NO
    lines = (line.split("  ", 1) for line in host.disk.read(record).decode().splitlines())
    return YES if all([await hash_is(host, into / name, digest) for digest, name in lines]) else NO


# containerd


def _choose_config(host: SimulatedHost, command: Command) -> Outcome:
    """A modelled containerd is of the 1.x kind."""
    containerd, config, _other, target, before = map(path_of, command.args)
    if containerd not in host.files:
        return refuse(f"sh: {containerd}: not found", 127)
    host.disk.make_folder(target.parent)
    host.disk.make_folder(before)
    host.disk.write(target, host.disk.read(config), mode=host.files[config].mode)
    return YES


def _is_config_chosen(host: SimulatedHost, command: Command) -> Outcome:
    _containerd, config, _other, target = map(path_of, command.args)
    if config not in host.files or target not in host.files:
        return NO
    return YES if host.disk.read(config) == host.disk.read(target) else NO


def _state_of(host: SimulatedHost, files: Sequence[str]) -> bytes:
    return "".join(f"{host.files[path_of(path)].sha256}\n" for path in files).encode()


async def _restart_containerd(host: SimulatedHost, command: Command) -> Outcome:
    service = host.service(CONTAINERD)
    if service is None:
        return refuse(f"Failed to restart {CONTAINERD}: Unit {CONTAINERD} not found.")
    note = path_of(command.args[0])
    state = _state_of(host, command.args[1:])
    service.stop()
    if not await _starts(host, service):
        return refuse("\n".join(service.journal[-10:]))
    host.disk.make_folder(note.parent)
    host.disk.write(note, state)
    return YES


async def _starts(host: SimulatedHost, service: SimulatedService) -> bool:
    """What `systemctl restart` waits for: up, or not."""
    service.start()
    while service.state == "activating" and service.sub == "start":
        await host.spend("upstream:looks-again")
        host.timeline.catch_up()
    return service.state == "active"


def _is_containerd_current(host: SimulatedHost, command: Command) -> Outcome:
    note = host.files.get(path_of(command.args[0]))
    known = all(path_of(path) in host.files for path in command.args[1:])
    met = _runs(host) and known and note is not None and note.content == _state_of(host, command.args[1:])
    return YES if met else NO


def _runs(host: SimulatedHost) -> bool:
    service = host.service(CONTAINERD)
    return service is not None and service.state == "active"


def _ask_containerd(host: SimulatedHost, _command: Command) -> Outcome:
    if _runs(host):
        return YES
    service = host.service(CONTAINERD)
    if service is None:
        return Outcome(status=1, stdout=b"ActiveState=inactive\nSubState=dead\nNRestarts=0\n")
    state = f"ActiveState={service.state}\nSubState={service.sub}\nNRestarts={service.restarts}"
    return Outcome(status=1, stdout="\n".join([state, *service.journal[-10:], ""]).encode())


async def _import_images(host: SimulatedHost, command: Command) -> Outcome:
    _ctr, archive, digest, record = command.args
    if not await hash_is(host, path_of(archive), digest):
        return not_what_was_sent(path_of(archive))
    if not _runs(host):
        return refuse(NO_SOCKET)
    size = host.files[path_of(archive)].size
    await work(host, IMPORTING, size)
    host.disk.make_folder(STORE)
    host.disk.place(STORE / digest, SimulatedFile(digest, STORED * size, 0o600, "root", None))
    host.disk.make_folder(path_of(record).parent)
    host.disk.write(path_of(record), f"images of {digest}\n".encode())
    return YES


def _has_images(host: SimulatedHost, command: Command) -> Outcome:
    return YES if _runs(host) and path_of(command.args[1]) in host.files else NO


# Routes


async def _restart_routes(host: SimulatedHost, _command: Command) -> Outcome:
    service = host.service(ROUTES)
    if service is None:
        return refuse(f"Failed to enable unit: Unit file {ROUTES} does not exist.")
    service.enabled = True
    service.stop()
    return YES if await _starts(host, service) else refuse("\n".join(service.journal[-5:]))


def _ask_routes(host: SimulatedHost, _command: Command) -> Outcome:
    service = host.service(ROUTES)
    if service is None or not service.enabled:
        return Outcome(status=1, stdout=f"{ROUTES} is not enabled\n".encode())
    if service.state != "active":
        return Outcome(status=1, stdout=f"{ROUTES} has not run\n".encode())
    wanted, there = set(host.disk.read(ROUTES_FILE).decode().splitlines()), routes_of(host)
    differences = [f"no route {line}" for line in sorted(wanted - there)]
    differences += [f"a route of a node that is gone: {line}" for line in sorted(there - wanted)]
    return Outcome(status=1, stdout=f"{differences[0]}\n".encode()) if differences else YES


ANSWERS: Mapping[str, Answer] = {
    "upstream.install-program": _install_program,
    "upstream.has-program": _has_program,
    "upstream.link-program": _link_program,
    "upstream.is-linked": _is_linked,
    "upstream.unpack": _unpack,
    "upstream.is-unpacked": _is_unpacked,
    "upstream.choose-config": _choose_config,
    "upstream.is-config-chosen": _is_config_chosen,
    "upstream.restart-containerd": _restart_containerd,
    "upstream.is-containerd-current": _is_containerd_current,
    "upstream.ask-containerd": _ask_containerd,
    "upstream.import-images": _import_images,
    "upstream.has-images": _has_images,
    "upstream.restart-routes": _restart_routes,
    "upstream.ask-routes": _ask_routes,
    **model_host.ANSWERS,
}

HANDLED: Mapping[str, Handler] = {name: handler(answer) for name, answer in ANSWERS.items()}
"""Every operation of the command modules, by name."""

DURATIONS: Mapping[str, Span] = {
    "upstream.install-program": CHANGE,
    "upstream.has-program": GLANCE,
    "upstream.link-program": CHANGE,
    "upstream.is-linked": GLANCE,
    "upstream.unpack": CHANGE,
    "upstream.is-unpacked": Span(0.1, 0.4),  # it hashes what was unpacked, 100 MB and more
    "upstream.choose-config": Span(0.05, 0.2),  # asks containerd for its version
    "upstream.is-config-chosen": Span(0.05, 0.2),
    "upstream.restart-containerd": Span(0.1, 0.5),  # beside the start itself; order of magnitude
    "upstream.is-containerd-current": LOOK,
    "upstream.ask-containerd": LOOK,
    "upstream.import-images": Span(0.2, 0.6),
    "upstream.has-images": Span(0.05, 0.2),  # asks ctr
    "upstream.restart-routes": Span(0.1, 0.5),
    "upstream.ask-routes": LOOK,
    "upstream:containerd-start": Span(0.5, 1.2),  # order of magnitude
    "upstream:routes-set": Span(0.05, 0.2),  # a few calls of `ip`
    "upstream:looks-again": Span(0.2, 0.2),  # the model's own: `systemctl restart` waits without looking
    **model_host.DURATIONS,
}
"""How long each takes beside the bytes that it works on; and the parts of lives."""
