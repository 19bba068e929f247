"""The contract suite's commands on a modelled host, as each docstring in `contract_commands` says."""

from __future__ import annotations

from pathlib import PurePosixPath

import anyio

from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost, SimulatedNetwork, SimulatedTransport

__all__ = ["modelled_node"]


def modelled_node(name: str, folder: PurePosixPath) -> SimulatedTransport:
    """A transport to a modelled host with that folder, empty."""
    network = SimulatedNetwork()
    host = network.add(SimulatedHost(name, "192.0.2.1"))
    host.disk.make_folder(folder)
    host.use(CONTRACT)
    return SimulatedTransport(name, host, network)


async def echo(_host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=0, stdout="".join(f"{word}\n" for word in command.args).encode())


async def fail(_host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=int(command.args[0]))


async def complain(_host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=3, stdout=b"out\n", stderr=f"{command.args[0]}\n".encode())


async def repeat(_host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=0, stdout=command.stdin or b"")


async def environment(_host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=0, stdout=command.env[command.args[0]].encode())


async def flood(_host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=0, stdout=bytes(int(command.args[0])))


async def asleep(_host: SimulatedHost, command: Command) -> Outcome:
    await anyio.sleep(float(command.args[0]))
    return Outcome(status=0)


async def whoami(_host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=0, stdout=b"0\n" if command.sudo else b"1000\n")


CONTRACT: dict[str, Handler] = {
    "contract.echo": echo,
    "contract.fail": fail,
    "contract.complain": complain,
    "contract.cat": repeat,
    "contract.env": environment,
    "contract.flood": flood,
    "contract.sleep": asleep,
    "contract.whoami": whoami,
}
