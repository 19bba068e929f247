"""haproxy and keepalived for simulated hosts: both are there, and run with what they were given."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from mk8s.model_answers import NO, YES
from mk8s.paces import GLANCE
from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost, Span, path_of

__all__ = ["DURATIONS", "HANDLED", "teach"]

INTERFACE = (b"@INTERFACE@", b"eth0")


def teach(host: SimulatedHost) -> None:
    """Let this host understand the commands of this room."""
    host.use(HANDLED)
    host.pace.declare(DURATIONS)


def _rendered(host: SimulatedHost, command: Command) -> bytes:
    return host.disk.read(path_of(command.args[1])).replace(*INTERFACE)


def _apply(host: SimulatedHost, command: Command) -> Outcome:
    target, started = path_of(command.args[2]), path_of(command.args[4])
    content = _rendered(host, command)
    for path, written in ((target, content), (started, _sum(content))):
        host.disk.make_folder(path.parent)
        host.disk.write(path, written)
    return YES


def _is_applied(host: SimulatedHost, command: Command) -> Outcome:
    target, started = path_of(command.args[2]), path_of(command.args[4])
    if target not in host.files or started not in host.files:
        return NO
    content = _rendered(host, command)
    met = host.disk.read(target) == content and host.disk.read(started) == _sum(content)
    return YES if met else NO


def _sum(content: bytes) -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}\n".encode()


HANDLED: Mapping[str, Handler] = {"endpoints.apply": _apply, "endpoints.is-applied": _is_applied}
"""Every operation of `commands`, by name."""

DURATIONS: Mapping[str, Span] = {
    "endpoints.apply": Span(0.3, 1.5),  # checks its configuration, and begins anew; order of magnitude
    "endpoints.is-applied": GLANCE,
}
"""How long each takes."""
