"""The race: 200 MB to each of N hosts, checked by sha256, then 20 commands in order on each.

mk8s' transports against asyncssh and pyinfra, see `benchmarks.contest`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import trio

from benchmarks.contenders import AT_ONCE, hashed, roads
from benchmarks.contest import BASE, Entry, Trial, by_asyncssh, by_pyinfra, contest, in_process, target_of
from benchmarks.measuring import NotMeasuredError
from benchmarks.servers import doors, payload
from benchmarks.tables import Table
from transports.base import Command
from transports.ssh import SSHTransport

__all__ = ["race_mk8s", "run"]

COMMANDS = 20


def run(quick: bool) -> Iterator[Table]:
    """A table for each number of hosts."""
    sizes = ((1, 3), (8, 1)) if quick else ((1, 5), (8, 3), (32, 3))
    amount = 50_000_000 if quick else 200_000_000
    entries: dict[str, Entry] = {
        BASE: in_process(race_mk8s),
        "asyncssh": by_asyncssh,
        "pyinfra": by_pyinfra,
    }
    with doors(max(hosts for hosts, _ in sizes)) as (folder, every):
        source = payload(folder / "payload", amount)
        for hosts, rounds in sizes:
            title = f"race: {amount // 10**6} MB to {hosts} hosts, then {COMMANDS} commands on each"
            trial = Trial(every[:hosts], source, folder / "arrived", COMMANDS)
            yield contest(title, trial, rounds, entries)


def race_mk8s(hosts: list[str], source: str, folder: str, commands: int) -> str:
    """In a process of its own: what the executor does with these transports, without its other questions."""

    async def main() -> None:
        file = hashed(Path(source))
        turn = anyio.CapacityLimiter(AT_ONCE)

        async def serve(name: str, road: SSHTransport) -> None:
            target = target_of(folder, name)
            async with turn:
                await road.put(file, target)
            for number in range(commands):
                await _ask(road, f"echo {number}; test -f {target}", str(number))
            await road.close()

        async with anyio.create_task_group() as tasks:
            for name, road in roads(hosts).items():
                tasks.start_soon(serve, name, road)

    trio.run(main)
    return "done"


async def _ask(road: SSHTransport, script: str, expected: str) -> None:
    outcome = await road.run(Command(operation="bench", description=script, script=script))
    if not outcome.ok or outcome.text != expected:
        raise NotMeasuredError(f"{script}: {outcome}")
