"""The race: 200 MB to each of N hosts, checked by sha256, then 20 commands in order on each.

Against asyncssh, OpenSSH's scp and pyinfra, each written as its documentation suggests, N real sshds on
loopback, files in memory. mk8s sends as a run does: by verified pieces. Each contender is one process tree,
from its start to its end: imports and hashing included.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import anyio
import trio

from benchmarks.contenders import (
    asyncssh_options,
    door_of,
    hashed,
    refuse_other,
    send_by_pieces,
    transport,
)
from benchmarks.measuring import NotMeasuredError, Usage, command, measure, medians
from benchmarks.servers import Door, doors, payload
from benchmarks.tables import Table, mebibytes, ratio, seconds
from mk8s.cutting import cut_file
from mk8s.steps import Upload
from transports.base import Command, digest_of_file
from transports.ssh import ConnectionStarts, SSHTransport, UploadThreads

__all__ = ["race_asyncssh", "race_mk8s", "run"]

COMMANDS = 20
AT_ONCE = 8  # uploads at once: what the shipped node table allows
STARTS = 10  # logins at once: what mk8s allows itself
BASE = "mk8s"
ARRIVED = "file"  # in a folder of each host's
Entry: TypeAlias = Callable[[Sequence[Door], Path, Path], Usage]


def run(quick: bool) -> Iterator[Table]:
    """A table for each number of hosts."""
    sizes = ((1, 3), (8, 1)) if quick else ((1, 5), (8, 3), (32, 3))
    amount = 50_000_000 if quick else 200_000_000
    with doors(max(hosts for hosts, _ in sizes)) as (folder, every):
        source = payload(folder / "payload", amount)
        for hosts, rounds in sizes:
            figures = _in_turns(rounds, every[:hosts], source, folder / "arrived")
            yield _table(
                f"race: {amount // 10**6} MB to {hosts} hosts, then {COMMANDS} commands on each", figures
            )


def _in_turns(rounds: int, to: Sequence[Door], source: Path, folder: Path) -> dict[str, list[float]]:
    entries: dict[str, Entry] = {BASE: _mk8s, "asyncssh": _asyncssh, "scp": _scp, "pyinfra": _pyinfra}
    figures: dict[str, list[list[float]]] = {name: [] for name in entries}
    for _ in range(rounds):
        for name, entry in entries.items():
            for door in to:
                (folder / door.host).mkdir(parents=True)
            try:
                usage = entry(to, source, folder)
                _refuse_missing(name, to, source, folder)
            finally:
                shutil.rmtree(folder)
            figures[name].append([usage.wall, usage.cpu, float(usage.memory)])
    return {name: medians(rows) for name, rows in figures.items()}


def _refuse_missing(name: str, to: Sequence[Door], source: Path, folder: Path) -> None:
    size = source.stat().st_size
    arrived = [
        path for door in to if (path := folder / door.host / ARRIVED).exists() and path.stat().st_size == size
    ]
    if len(arrived) != len(to):
        raise NotMeasuredError(f"{name}: {len(arrived)} of {len(to)} files arrived")


def _table(title: str, figures: dict[str, list[float]]) -> Table:
    columns = ["who", "wall", "client CPU", "peak memory", "wall: times mk8s", "CPU: times mk8s"]
    table = Table(title, columns)
    wall, cpu, _ = figures[BASE]
    for name, (its_wall, its_cpu, memory) in figures.items():
        table.add(
            name,
            seconds(its_wall),
            seconds(its_cpu),
            mebibytes(memory),
            ratio(its_wall, wall),
            ratio(its_cpu, cpu),
        )
    return table


def _hosts(to: Sequence[Door]) -> list[str]:
    return [json.dumps(asdict(door)) for door in to]


# -- mk8s' own transports


def _mk8s(to: Sequence[Door], source: Path, folder: Path) -> Usage:
    return measure(command(race_mk8s, _hosts(to), str(source), str(folder)), watch=True)


def race_mk8s(hosts: list[str], source: str, folder: str) -> str:
    """In a process of its own: what the executor does with these transports, without its other questions."""

    async def main() -> None:
        file = hashed(Path(source))
        cuts = await cut_file(file)
        starts, uploads = ConnectionStarts(STARTS), UploadThreads(max(2, min(8, (os.cpu_count() or 2) * 2)))
        turn = anyio.CapacityLimiter(AT_ONCE)

        async def serve(door: Door) -> None:
            road = transport(door, uploads, starts)
            target = PurePosixPath(folder) / door.host / ARRIVED
            async with turn:
                await send_by_pieces(road, cuts, Upload("send", file, target))
            for number in range(COMMANDS):
                await _ask(road, f"echo {number}; test -f {target}", str(number))
            await road.close()

        async with anyio.create_task_group() as tasks:
            for door in map(door_of, hosts):
                tasks.start_soon(serve, door)

    trio.run(main)
    return "done"


async def _ask(road: SSHTransport, script: str, expected: str) -> None:
    outcome = await road.run(Command(operation="bench", description=script, script=script))
    if not outcome.ok or outcome.text != expected:
        raise NotMeasuredError(f"{script}: {outcome}")


# -- asyncssh


def _asyncssh(to: Sequence[Door], source: Path, folder: Path) -> Usage:
    return measure(command(race_asyncssh, _hosts(to), str(source), str(folder)), watch=True)


def race_asyncssh(hosts: list[str], source: str, folder: str) -> str:
    """In a process of its own."""
    import asyncssh

    digest = digest_of_file(Path(source))

    async def serve(door: Door) -> None:
        target = f"{folder}/{door.host}/{ARRIVED}"
        async with asyncssh.connect(**asyncssh_options(door)) as connection:
            async with connection.start_sftp_client() as sftp:
                await sftp.put(source, target)
            refuse_other(digest, str((await connection.run(f"sha256sum {target}", check=True)).stdout))
            for number in range(COMMANDS):
                done = await connection.run(f"echo {number}; test -f {target}", check=True)
                refuse_other(str(number), str(done.stdout))

    async def main() -> None:
        await asyncio.gather(*(serve(door_of(text)) for text in hosts))

    asyncio.run(main())
    return "done"


# -- OpenSSH

SCP = """\
set -u
source=$1 digest=$2 folder=$3 home=$4 commands=$5
shift 5

serve() {  # user host port key known_hosts
    options="-F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o IdentityAgent=none"
    options="$options -o UserKnownHostsFile=$5 -i $4"
    scp -q $options -P "$3" "$source" "$1@$2:$folder/$2/file" || return 1
    ssh $options -p "$3" -M -N -S "$home/$2" "$1@$2" &  # its CPU counts: it is waited for
    while [ ! -S "$home/$2" ]; do sleep 0.01; done
    ask="ssh $options -p $3 -S $home/$2 $1@$2"
    $ask "echo '$digest  $folder/$2/file' | sha256sum -c" || return 1
    number=0
    while [ "$number" -lt "$commands" ]; do
        [ "$($ask "echo $number; test -f $folder/$2/file")" = "$number" ] || return 1
        number=$((number + 1))
    done
    kill "$!"
    wait "$!" || :
}

jobs=
while [ "$#" -gt 0 ]; do
    serve "$1" "$2" "$3" "$4" "$5" & jobs="$jobs $!"
    shift 5
done
for job in $jobs; do wait "$job" || exit 1; done
"""


def _scp(to: Sequence[Door], source: Path, folder: Path) -> Usage:
    """Both programs, for all hosts at the same time; the commands over one connection to each."""
    home = folder.parent / "scp"
    home.mkdir(exist_ok=True)
    words = [
        "sh",
        "-c",
        SCP,
        "scp",
        str(source),
        digest_of_file(source),
        str(folder),
        str(home),
        str(COMMANDS),
    ]
    for door in to:
        words += [door.user, door.host, str(door.port), door.key, door.known_hosts]
    return measure(words, watch=True)


# -- pyinfra

INVENTORY = "hosts = {hosts!r}\n"
DEPLOY = """\
from pyinfra import host
from pyinfra.operations import files, server

target = {folder!r} + "/" + host.name + "/file"
files.put(name="upload", src={source!r}, dest=target)
server.shell(name="check", commands=[f"echo '{digest}  {{target}}' | sha256sum -c"])
for number in range({commands}):
    server.shell(name=f"command {{number}}", commands=[f"echo {{number}}; test -f {{target}}"])
"""


def _pyinfra(to: Sequence[Door], source: Path, folder: Path) -> Usage:
    """The program itself, with an inventory and a deploy; it looks for changes first, as it always does."""
    home = folder.parent / "pyinfra"
    home.mkdir(exist_ok=True)
    digest = digest_of_file(source)
    (home / "inventory.py").write_text(INVENTORY.format(hosts=[_pyinfra_host(door) for door in to]))
    (home / "deploy.py").write_text(
        DEPLOY.format(folder=str(folder), source=str(source), digest=digest, commands=COMMANDS)
    )
    words = [sys.executable, "-m", "pyinfra", "-y", "--parallel", str(len(to)), "inventory.py", "deploy.py"]
    env = {**os.environ, "HOME": str(home), "SSH_AUTH_SOCK": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    return measure(words, env=env, watch=True, cwd=home)


def _pyinfra_host(door: Door) -> tuple[str, dict[str, object]]:
    return door.host, {
        "ssh_port": door.port,
        "ssh_user": door.user,
        "ssh_key": door.key,
        "ssh_known_hosts_file": door.known_hosts,
    }
