"""The models of preflight's two questions, for simulation alone: no real node ever meets them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from mk8s.modelled import MACHINES
from mk8s.preflight.gathering import OPERATION
from mk8s.preflight.reaching import REACHING
from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost, Span

__all__ = ["GATHER_DURATIONS", "GATHER_HANDLERS"]


async def _model(host: SimulatedHost, command: Command) -> Outcome:
    """A modelled host: only what it runs listens, no swap, all modules and programs, its clock is at 0."""
    lines = [
        f"hostname={host.hostname}",
        "system=Linux",
        f"kernel={host.profile.kernel}",
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
        "address=127.0.0.1/8 lo",
        *(f"address={address}/24 eth0" for address in _addresses(host)),
        f"mac=02:00:00:{host.machine_id[0:2]}:{host.machine_id[2:4]}:{host.machine_id[4:6]}",
        *(f"listen=00000000:{port:04X}" for port in sorted(host.listening)),
        *_leftovers(host, command),
        "clock=0.0",
    ]
    return Outcome(status=0, stdout=("\n".join(lines) + "\n").encode())


def _addresses(host: SimulatedHost) -> tuple[str, ...]:
    """A host that is reached by a name does not say what its address is."""
    return (host.address,) if host.address[-1].isdigit() else ()


def _leftovers(host: SimulatedHost, command: Command) -> list[str]:
    asked = [word.partition(":")[2] for word in command.args if word.startswith("leftover:")]
    return [
        f"leftover={path}"
        for path in asked
        if any(file == PurePosixPath(path) or file.is_relative_to(path) for file in host.files)
    ]


async def _model_of_ways(_host: SimulatedHost, command: Command) -> Outcome:
    """Every way is open, every name is known, and the disk is quick."""
    lines = ["tool=bash"]
    for word in command.args:
        kind, _, rest = word.partition("/")
        host, _, port = rest.rpartition("/")
        if kind in ("tcp", "udp"):
            lines.append(f"{kind}={host} {port} 1 Connection refused")
        elif kind == "name":
            lines.append(f"name={rest} 10.0.0.250")
    lines += ["write=409600 bytes (410 kB, 400 KiB) copied, 0.05 s, 8.2 MB/s", "end=yes"]
    return Outcome(status=0, stdout=("\n".join(lines) + "\n").encode())


GATHER_HANDLERS: Mapping[str, Handler] = {OPERATION: _model, REACHING: _model_of_ways}
"""The models of both questions, for `SimulatedHost.use`."""

GATHER_DURATIONS: Mapping[str, Span] = {
    OPERATION: Span(0.1, 0.5),  # some dozens of small programs; order of magnitude
    REACHING: Span(0.5, 3.0),  # it tries every way, and writes to the disk; order of magnitude
}
"""How long each takes, for `pace.declare`."""
