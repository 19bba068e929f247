"""The model of preflight's question, for simulation alone: no real node ever meets it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from mk8s.modelled import MACHINES
from mk8s.preflight.gathering import OPERATION
from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost

__all__ = ["GATHER_HANDLERS"]


async def _model(host: SimulatedHost, command: Command) -> Outcome:
    """A modelled host: nothing listens, no swap, every module and program is there, its clock is at 0."""
    lines = [
        f"hostname={host.hostname}",
        f"machine={MACHINES[host.arch]}",
        f"systemd={'yes' if host.profile.systemd else 'no'}",
        f"machine_id={host.machine_id}",
        "cpus=4",
        f"memory_kib={host.profile.memory // 1024}",
        f"free_kib={host.free // 1024}",
        "cgroup=cgroup2fs",
        "mount=/ rw,relatime",
        "nameserver=10.0.0.53",
        "route=eth0",
        *(f"address={address}" for address in _addresses(host)),
        f"mac=02:00:00:{host.machine_id[0:2]}:{host.machine_id[2:4]}:{host.machine_id[4:6]}",
        *_leftovers(host, command),
        "clock=0.0",
    ]
    return Outcome(status=0, stdout=("\n".join(lines) + "\n").encode())


def _addresses(host: SimulatedHost) -> tuple[str, ...]:
    """A host that is reached by a name does not say what its address is."""
    return ("127.0.0.1", host.address) if host.address[-1].isdigit() else ()


def _leftovers(host: SimulatedHost, command: Command) -> list[str]:
    asked = [word.partition(":")[2] for word in command.args if word.startswith("leftover:")]
    return [
        f"leftover={path}"
        for path in asked
        if any(file == PurePosixPath(path) or file.is_relative_to(path) for file in host.files)
    ]


GATHER_HANDLERS: Mapping[str, Handler] = {OPERATION: _model}
"""The model of the question, for `SimulatedHost.use`."""
