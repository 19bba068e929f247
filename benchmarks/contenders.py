"""Three clients behind one interface, so that each measurement is written once.

mk8s' own transport, asyncssh, and OpenSSH's `ssh` (one process a command over a master connection).
All use the same key and check the same host key. asyncssh is given the cipher that mk8s prefers, so that both
encrypt alike; `ssh` chooses its own, and has a second row with that one.

Begin reading at `Client`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import trio

from benchmarks.measuring import NotMeasuredError
from benchmarks.servers import Door
from mk8s.cutting import cut_file
from mk8s.delivery import part_of
from mk8s.parts import finish_part
from mk8s.steps import Upload
from transports.base import Command, File, Transport, digest_of_file
from transports.openssh import OpenSSHOptions, OpenSSHTransport
from transports.ssh import ConnectionStarts, HostKeys, SSHOptions, SSHTransport, UploadThreads

__all__ = [
    "AT_ONCE",
    "CLIENTS",
    "GCM",
    "PATIENCE",
    "Client",
    "asyncssh_options",
    "hashed",
    "openssh_options",
    "roads",
    "transport",
]

GCM = "aes128-gcm@openssh.com"
PATIENCE = 120.0  # seconds to log in while a hundred others do
AT_ONCE = 8  # uploads at once: what the shipped node table allows
STARTS = 10  # logins at once: what mk8s allows itself


class Client(Protocol):
    """One session on one server."""

    async def open(self) -> None:
        """Connect, check the host key, log in."""
        ...

    async def run(self, script: str) -> str:
        """Run a command, and return what it printed. Raises when its exit status is not 0."""
        ...

    async def put(self, source: Path, target: str) -> None:
        """Upload a file; the content is hashed here and there, and compared."""
        ...

    async def close(self) -> None:
        """End the session."""
        ...


def transport(
    door: Door, uploads: UploadThreads | None = None, starts: ConnectionStarts | None = None
) -> SSHTransport:
    """mk8s' own road to a server."""
    options = SSHOptions(
        host=door.host,
        port=door.port,
        user=door.user,
        key_files=(Path(door.key),),
        use_agent=False,
        host_keys=HostKeys([Path(door.known_hosts)]),
        connect_timeout=PATIENCE,
    )
    return SSHTransport(door.host, options, uploads=uploads, starts=starts)


def roads(hosts: Sequence[str]) -> dict[str, SSHTransport]:
    """mk8s' own roads to doors that crossed a process boundary, with what a run lets them share."""
    starts, uploads = ConnectionStarts(STARTS), UploadThreads(max(2, min(8, (os.cpu_count() or 2) * 2)))
    return {door.host: transport(door, uploads, starts) for door in map(door_of, hosts)}


def hashed(path: Path) -> File:
    """A file to upload, with its hash."""
    return File(path, path.stat().st_size, digest_of_file(path))


class Ours:
    """mk8s. Its first command opens the connection."""

    run_in = staticmethod(trio.run)

    _transport: Transport

    def __init__(self, door: Door) -> None:
        self._transport = transport(door)

    async def open(self) -> None:
        """With the first command."""
        await self.run("true")

    async def run(self, script: str) -> str:
        outcome = await self._transport.run(Command(operation="bench", description=script, script=script))
        if not outcome.ok:
            raise NotMeasuredError(f"{script}: {outcome.complaint}")
        return outcome.text

    async def put(self, source: Path, target: str) -> None:
        await self._transport.put(hashed(source), PurePosixPath(target))

    async def close(self) -> None:
        await self._transport.close()


class OursByTheirSSH(Ours):
    """mk8s over the user's own ssh."""

    def __init__(self, door: Door) -> None:
        options = OpenSSHOptions(
            host=door.host,
            port=door.port,
            user=door.user,
            key_files=(Path(door.key),),
            use_agent=False,
            config="none",
            known_hosts=(Path(door.known_hosts),),
            connect_timeout=PATIENCE,
        )
        self._transport = OpenSSHTransport(door.host, options)


class OursByPieces(Ours):
    """mk8s as a run sends a large file: cut here, growing there by verified pieces, verified whole, moved."""

    async def put(self, source: Path, target: str) -> None:
        step = Upload("send", hashed(source), PurePosixPath(target))
        cuts = await cut_file(step.source)
        for piece in await cuts.rest(0):
            await self._transport.append(piece, part_of(step))
        outcome = await self._transport.run(finish_part(step))
        if not outcome.ok:
            raise NotMeasuredError(f"{target}: {outcome.complaint}")


def asyncssh_options(door: Door) -> dict[str, Any]:
    """Arguments of `asyncssh.connect` that say the same as our own options."""
    return {
        "host": door.host,
        "port": door.port,
        "username": door.user,
        "client_keys": [door.key],
        "known_hosts": door.known_hosts,
        "config": None,
        "agent_path": None,
        "encryption_algs": [GCM],
        "login_timeout": PATIENCE,
    }


class AsyncSSH:
    """asyncssh, as its documentation uses it: SFTP for files, `sha256sum` for hashes."""

    run_in = staticmethod(lambda function: asyncio.run(function()))

    def __init__(self, door: Door) -> None:
        self._door = door
        self._connection: Any = None

    async def open(self) -> None:
        import asyncssh

        self._connection = await asyncssh.connect(**asyncssh_options(self._door))

    async def run(self, script: str) -> str:
        return str((await self._connection.run(script, check=True)).stdout).strip()

    async def put(self, source: Path, target: str) -> None:
        here = digest_of_file(source)
        async with self._connection.start_sftp_client() as sftp:
            await sftp.put(str(source), target)
        refuse_other(here, await self.run(f"sha256sum {target}"))

    async def close(self) -> None:
        self._connection.close()
        await self._connection.wait_closed()


def openssh_options(door: Door) -> list[str]:
    """Arguments of OpenSSH's programs that say the same, whichever of them it is."""
    said = {
        "BatchMode": "yes",
        "UserKnownHostsFile": door.known_hosts,
        "StrictHostKeyChecking": "yes",
        "IdentityAgent": "none",
        "Port": str(door.port),
        "ConnectTimeout": f"{PATIENCE:.0f}",
    }
    return ["-F", "none", "-i", door.key, *(w for name in said for w in ("-o", f"{name}={said[name]}"))]


class OpenSSH:
    """The `ssh` program. A live session is a master connection, which is a child of ours for its CPU."""

    run_in = staticmethod(lambda function: asyncio.run(function()))
    options: tuple[str, ...] = ()

    def __init__(self, door: Door) -> None:
        self._socket = f"{door.key}.master"
        self._words = ["ssh", *openssh_options(door), *self.options, f"{door.user}@{door.host}"]

    async def open(self) -> None:
        """Each command connects by itself."""

    async def run(self, script: str) -> str:
        done = subprocess.run([*self._words, script], stdout=subprocess.PIPE, check=True, text=True)
        return done.stdout.strip()

    async def put(self, source: Path, target: str) -> None:
        here = digest_of_file(source)
        with source.open("rb") as stream:
            words = [*self._words, f"cat >{target} && sha256sum {target}"]
            done = subprocess.run(words, stdin=stream, stdout=subprocess.PIPE, check=True, text=True)
        refuse_other(here, done.stdout)

    async def close(self) -> None:
        """Nothing is held."""


class OpenSSHGcm(OpenSSH):
    """The same with the cipher that the others use."""

    options = ("-c", GCM)


class OpenSSHMaster(OpenSSH):
    """One connection for all commands."""

    async def open(self) -> None:
        words = [*self._words[:-1], "-M", "-N", "-o", f"ControlPath={self._socket}", self._words[-1]]
        self._master = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        while not Path(self._socket).exists():
            await asyncio.sleep(0.01)
        self._words[1:1] = ["-o", f"ControlPath={self._socket}"]

    async def close(self) -> None:
        self._master.terminate()
        self._master.wait()


def refuse_other(expected: str, found: str) -> None:
    """Raises NotMeasuredError when a hash is not the one that was sent."""
    if found.split()[0] != expected:
        raise NotMeasuredError(f"what arrived is not what was sent: {found}")


Make = Callable[[Door], Client]
CLIENTS: dict[str, Any] = {
    "mk8s": Ours,
    "asyncssh": AsyncSSH,
    "ssh": OpenSSH,
    "ssh, aes-gcm": OpenSSHGcm,
    "mk8s, by pieces": OursByPieces,
    "mk8s, own ssh": OursByTheirSSH,
    "ssh, master connection": OpenSSHMaster,
}


def run_in_loop(name: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run a coroutine function, given the client's class, in the event loop that this client needs."""
    made = CLIENTS[name]

    async def main() -> Any:
        return await work(made)

    return made.run_in(main)


def door_of(text: str) -> Door:
    """A door that crossed a process boundary."""
    return Door(**json.loads(text))
