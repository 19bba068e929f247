"""Commands over the built-in ssh: their answers, and that nothing is left behind. More: `either_ssh`."""

from __future__ import annotations

import signal
from pathlib import Path

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, driven, run_on, sh
from tests.transports.sshd import SSHD, Server
from tests.transports.users import TemporaryUser
from transports.base import TransportError

pytestmark = pytest.mark.anyio


# ---- statuses


async def test_a_killed_program_is_an_answer(server: Server) -> None:
    """The shell around it lives and tells: 128 and the signal's number."""
    async with connected(server) as transport:
        outcome = await transport.run(sh("sh -c 'kill -KILL $$'"))

    assert outcome.status == 128 + signal.SIGKILL


async def test_output_comes_while_the_command_runs(server: Server) -> None:
    """It is not gathered first: the command waits for a file that appears when its word was heard."""
    async with connected(server) as transport:
        heard = anyio.Event()
        flag = server.folder / "flag"

        async def answer() -> None:
            await heard.wait()
            flag.touch()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            outcome = await transport.run(
                sh('echo ready; while [ ! -e "$1" ]; do sleep 0.01; done', str(flag), timeout=60),
                on_output=lambda stream, data: heard.set(),
            )

    assert outcome.ok
    flag.unlink()


# ---- nothing is left behind


def resources() -> tuple[int, int]:
    """Open files and threads of this process."""
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


async def test_nothing_leaks_over_many_connections(server: Server) -> None:
    """Connections, commands, cancels and failures: no file and no thread more than after the first few."""

    async def cycle(number: int) -> None:
        async with connected(server) as transport:
            with anyio.move_on_after(0.003 * (number % 20)):
                await transport.run(sh("echo; sleep 0.01"))
            if number % 5 == 0:
                with pytest.raises(TransportError):
                    await transport.run(sh("kill -9 $$"))

    for number in range(5):
        await cycle(number)
    before = resources()
    for number in range(30):
        await cycle(number)

    assert resources()[0] <= before[0]
    # Pools grow while a thread that a cancelled caller left is not yet idle: by a few, a leak by thirty.
    assert resources()[1] <= before[1] + 10


async def test_many_commands_on_one_connection_leave_nothing(server: Server) -> None:
    """Two hundred, on the same session."""
    async with driven(server) as driver:
        await run_on(driver, "true")
        before = resources()
        for _ in range(200):
            await run_on(driver, "true")

        files, threads = resources()
        assert files <= before[0]
        assert threads <= before[1]  # one of an earlier test may have ended meanwhile


# ---- a server that cannot start anything


async def test_a_server_that_cannot_fork_has_begun_nothing_and_refused_nothing(
    make_server: MakeServer, temporary_user: TemporaryUser, tmp_path: Path
) -> None:
    """sshd gives a session and then says that the command could not be started: a little later it may."""
    program = tmp_path / "sshd"
    program.write_text(
        f'#!/bin/bash\nulimit -u 1\nexec {SSHD} "$@"\n'
    )  # of the user's processes one is sshd's
    program.chmod(0o755)
    server = make_server(program=str(program))
    login = {"user": temporary_user.name, "key_files": (), "password": lambda: temporary_user.password}
    async with connected(server, **login) as transport:
        with pytest.raises(TransportError, match="could not start") as caught:
            await transport.run(sh("true"))

    assert caught.value.lineage == ("connection.lost", "connection")
    assert not caught.value.final
    assert not caught.value.ambiguous
