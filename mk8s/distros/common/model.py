"""This room's commands for simulated hosts. A modelled host's packages are RPM's where its system is of
that family; which are installed is remembered on its disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from mk8s.distros.common.commands import NO_MANAGER, UNFIT
from mk8s.model_answers import NO, YES, says
from mk8s.modelled import hash_is, not_what_was_sent
from mk8s.paces import GLANCE, LOOK
from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost, Span, path_of

__all__ = ["DURATIONS", "HANDLED", "INSTALLED", "teach"]

INSTALLED = PurePosixPath("/var/lib/mk8s/modelled-packages")  # file names, one a line
EACH = "packages:one"  # how long the package manager works on each
MANAGERS = {
    "debian": "dpkg", "ubuntu": "dpkg",
    "almalinux": "rpm", "amzn": "rpm", "centos": "rpm", "fedora": "rpm", "ol": "rpm", "opensuse-leap": "rpm",
    "rhel": "rpm", "rocky": "rpm", "sles": "rpm",
}  # fmt: skip


def teach(host: SimulatedHost) -> None:
    """Let this host understand the commands of this room."""
    host.use(HANDLED)
    host.pace.declare(DURATIONS)


def _manager_of(host: SimulatedHost) -> str:
    return MANAGERS.get(host.profile.os_id, NO_MANAGER)


def _installed(host: SimulatedHost) -> set[str]:
    return set(host.disk.read(INSTALLED).decode().splitlines()) if INSTALLED in host.files else set()


def _has_all(host: SimulatedHost, files: Sequence[str]) -> bool:
    return {path_of(file).name for file in files} <= _installed(host)


def _manager(host: SimulatedHost, _command: Command) -> Outcome:
    return says(_manager_of(host))


def _has(host: SimulatedHost, command: Command) -> Outcome:
    kind, *files = command.args
    return YES if kind != _manager_of(host) or _has_all(host, files) else NO


async def _install(host: SimulatedHost, command: Command) -> Outcome:
    kind, _count, *pairs = command.args
    if kind != _manager_of(host):
        words = f"mk8s: the packages of this host are not {kind}'s\n"
        return Outcome(status=UNFIT, stderr=words.encode())
    files = pairs[::2]
    for path, digest in zip(map(path_of, files), pairs[1::2], strict=True):
        if not await hash_is(host, path, digest):
            return not_what_was_sent(path)
    for _ in files:
        await host.spend(EACH)
    names = _installed(host) | {path_of(file).name for file in files}
    host.disk.make_folder(INSTALLED.parent)
    host.disk.write(INSTALLED, "".join(f"{name}\n" for name in sorted(names)).encode())
    return YES


HANDLED: Mapping[str, Handler] = {
    "packages.manager": _manager,
    "packages.has": _has,
    "packages.install": _install,
}
"""Every operation of `commands`, by name."""

DURATIONS: Mapping[str, Span] = {
    "packages.manager": GLANCE,
    "packages.has": LOOK,
    "packages.install": Span(0.5, 2.0),  # the database is locked, read and written; order of magnitude
    EACH: Span(1.0, 6.0),  # unpacked, its scripts run; order of magnitude
}
"""How long each takes; installing also takes its time for every package."""
