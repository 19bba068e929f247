"""mk8s' SSH transport against asyncssh and the OpenSSH client, on one real sshd on loopback.

Every figure is the client's: the server's own time is in all the walls alike, and on a machine with few
cores it is most of them; CPU seconds are the contest. Each measurement is a process of its own, in turns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from benchmarks.contenders import door_of, run_in_loop
from benchmarks.measuring import Stopwatch, call, in_turns
from benchmarks.servers import doors, payload
from benchmarks.tables import Table, ratio, seconds

__all__ = ["command", "connect", "many", "run", "upload"]

BASE = "mk8s"
MASTER = "ssh, master connection"
OWN = "mk8s, own ssh"  # its transport over the user's ssh
COLUMNS = ["client", "wall", "client CPU", "wall: times mk8s", "CPU: times mk8s"]


def run(quick: bool) -> Iterator[Table]:
    """Each kind of work, by all clients in turns."""
    rounds, sessions, size = (3, 20, 64) if quick else (5, 100, 256)
    with doors(1) as (folder, (door,)):
        at = json.dumps(asdict(door))
        all_three = ("mk8s", OWN, "asyncssh", "ssh")
        yield _table("connect, log in, first command, close", rounds, all_three, connect, at, 10)
        live = ("mk8s", OWN, "asyncssh", MASTER)
        yield _table("a command on a live session", rounds, live, command, at, 100)
        title = f"{5 * sessions} commands over {sessions} live sessions, all at once"
        yield _table(title, rounds, ("mk8s", "asyncssh"), many, at, sessions, 5)
        source = payload(folder / "payload", size << 20)
        files = ("mk8s", "mk8s, by pieces", OWN, "asyncssh", "ssh", "ssh, aes-gcm")
        title = f"upload of {size} MiB, hashed on both sides"
        yield _table(title, rounds, files, upload, at, str(source), str(folder / "arrived"))


def _table(title: str, rounds: int, clients: tuple[str, ...], work: Any, *args: Any) -> Table:
    figures = in_turns(rounds, {name: partial(call, work, name, *args) for name in clients})
    table = Table(f"ssh: {title}", COLUMNS)
    wall, cpu = figures[BASE]
    for name, (its_wall, its_cpu) in figures.items():
        table.add(name, seconds(its_wall), seconds(its_cpu), ratio(its_wall, wall), ratio(its_cpu, cpu))
    table.notes.append(f"Medians of {rounds} rounds in turns.")
    if MASTER in clients or (OWN in clients and work is upload):
        table.notes.append("The CPU of an ssh that stays connected is not in its row.")
    return table


def connect(client: str, at: str, times: int) -> list[float]:
    """Wall and CPU seconds from nothing to the answer of the first command, and the close."""
    door = door_of(at)

    async def work(make: Any) -> list[float]:
        await _once(make(door))  # imports, caches
        with Stopwatch() as watch:
            for _ in range(times):
                await _once(make(door))
        return watch.each(times)

    return _figures(run_in_loop(client, work))


async def _once(session: Any) -> None:
    await session.open()
    await session.run("true")
    await session.close()


def command(client: str, at: str, times: int) -> list[float]:
    """Wall and CPU seconds of one command on a session that is open."""
    door = door_of(at)

    async def work(make: Any) -> list[float]:
        session = make(door)
        await session.open()
        await session.run("true")
        try:
            with Stopwatch() as watch:
                for _ in range(times):
                    await session.run("true")
        finally:
            await session.close()
        return watch.each(times)

    return _figures(run_in_loop(client, work))


def many(client: str, at: str, sessions: int, each: int) -> list[float]:
    """Wall and CPU seconds of commands over many open sessions, all started at the same time."""
    door = door_of(at)

    async def work(make: Any) -> list[float]:
        made = [make(door) for _ in range(sessions)]
        for session in made:
            await session.open()
        with Stopwatch() as watch:
            async with anyio.create_task_group() as tasks:
                for session in made * each:
                    tasks.start_soon(session.run, "true")
        for session in made:
            await session.close()
        return [watch.wall, watch.cpu]

    return _figures(run_in_loop(client, work))


def upload(client: str, at: str, source: str, target: str) -> list[float]:
    """Wall and CPU seconds of one upload, both hashes included, the login not."""
    door = door_of(at)

    async def work(make: Any) -> list[float]:
        session = make(door)
        await session.open()
        with Stopwatch() as watch:
            await session.put(Path(source), target)
        await session.close()
        return [watch.wall, watch.cpu]

    try:
        return _figures(run_in_loop(client, work))
    finally:
        Path(target).unlink(missing_ok=True)


def _figures(answer: Any) -> list[float]:
    return [float(figure) for figure in answer]
