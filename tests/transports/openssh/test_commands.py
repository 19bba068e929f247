"""The user's own ssh as a process that carries commands: lost, capped, left behind. More: `either_ssh`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from tests.processes import is_alive
from tests.transports.conftest import MakeServer
from tests.transports.openssh.calling import options_for
from tests.transports.openssh.conftest import connected, masters
from tests.transports.ssh.conftest import sh
from tests.transports.sshd import Server, wait_until
from tests.transports.watching import stopped_by_its_timeout, struck_in_a_command
from transports.base import TransportError
from transports.openssh import OpenSSHTransport
from transports.ssh import ConnectionStarts

pytestmark = pytest.mark.anyio


# ---- variables


async def test_variables_of_the_node_reach_every_command(server: Server) -> None:
    """A command's own value wins."""
    async with connected(server, environment={"A": "node", "B": "node"}) as transport:
        outcome = await transport.run(sh("echo $A $B", env={"B": "command"}))

    assert outcome.text == "node command"


# ---- sessions


async def test_a_server_that_gives_no_session_at_all_is_named(make_server: MakeServer) -> None:
    """Such a server lets users forward and nothing else."""
    server = make_server(extra="MaxSessions 0")
    async with connected(server) as transport:
        with anyio.fail_after(60), pytest.raises(TransportError, match="run no command") as caught:
            await transport.run(sh("true"))

    assert caught.value.final
    assert "MaxSessions" in caught.value.remedy


LINGERING = """\
setsid sh -c "$SSH_ORIGINAL_COMMAND" & wait $!; r=$?; [ $r != 143 ] || exec >&- 2>&-; \
while [ $r = 143 ] && [ -e FLAG ]; do sleep 0.1; done; exit $r"""


@pytest.mark.parametrize("anyio_backend", ["trio"])  # it waits for two seconds
async def test_a_session_whose_command_does_not_die_costs_the_connection_and_no_more(
    make_server: MakeServer, tmp_path: Path
) -> None:
    """What was given up and hangs in a disk counts as a session on its connection, and on no other."""
    flag = tmp_path / "lingers"
    flag.touch()
    server = make_server(extra=f"MaxSessions 1\nForceCommand {LINGERING.replace('FLAG', str(flag))}")
    async with connected(server) as transport:
        await stopped_by_its_timeout(transport, "sleep 60 & echo $$ $!; wait")

        assert (await transport.run(sh("echo on"))).text == "on"
    flag.unlink()


# ---- masters that go


async def test_a_master_killed_between_commands_is_replaced(server: Server) -> None:
    """Nothing was begun, so nothing is ambiguous and nobody is told."""
    async with connected(server) as transport:
        await transport.run(sh("true"))
        (old,) = masters()
        os.kill(old, signal.SIGKILL)

        assert (await transport.run(sh("echo back"))).text == "back"
        assert masters() != [old]
        assert len(masters()) == 1


async def test_a_master_killed_in_the_middle_of_a_command_is_ambiguous(server: Server) -> None:
    """The command may do its work; the next one finds a new connection."""
    async with connected(server) as transport:
        lost, pid = await struck_in_a_command(transport, lambda: os.kill(masters()[0], signal.SIGKILL))

        assert lost.lineage == ("connection.lost", "connection")
        assert lost.ambiguous
        assert not lost.final
        assert (await transport.run(sh("echo back"))).text == "back"
        with suppress(ProcessLookupError):  # it slept its time out meanwhile
            os.kill(pid, signal.SIGKILL)


# ---- nothing is left behind


def resources(base: Path) -> tuple[int, int, list[str]]:
    """Open files of this process, its ssh processes, and private folders of connections."""
    folders = sorted(path.name for path in base.iterdir())
    return len(list(Path("/proc/self/fd").iterdir())), len(masters()), folders


async def test_nothing_leaks_over_many_connections(server: Server, short_path: Path) -> None:
    """Connections, commands, cancels and failures: no file, no process, no zombie, no folder."""

    async def cycle(number: int) -> None:
        async with connected(server, base=short_path) as transport:
            with anyio.move_on_after(0.02 * number):
                await transport.run(sh("echo; sleep 0.01"))
            if number % 5 == 4:
                with pytest.raises(TransportError):
                    await transport.run(sh("kill -9 $$"))

    await cycle(9)
    before = resources(short_path)
    for number in range(12):
        await cycle(number)

    files, *left = resources(short_path)
    assert files <= before[0]  # what an earlier test left to be collected may be gone meanwhile
    assert [left, list(before[1:])] == [[0, []]] * 2


async def test_many_commands_on_one_connection_leave_nothing(server: Server) -> None:
    """Two hundred, and no ssh process but the one."""
    async with connected(server) as transport:
        await transport.run(sh("true"))
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(200):
            await transport.run(sh("true"))

        assert len(list(Path("/proc/self/fd").iterdir())) <= before
        assert len(masters()) == 1


async def test_connections_that_are_being_opened_are_capped(server: Server) -> None:
    """All nodes share the cap with those that are reached without this program."""
    starts = ConnectionStarts(1)
    highest = 0

    async def one(number: int) -> None:
        transport = OpenSSHTransport(f"node-{number}", options_for(server), starts=starts)
        await transport.run(sh("true"))
        await transport.close()

    async def watch() -> None:
        nonlocal highest
        while True:
            highest = max(highest, int(starts.limiter.borrowed_tokens))
            await anyio.sleep(0.005)

    async with anyio.create_task_group() as watching:
        watching.start_soon(watch)
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(one, number)
        watching.cancel_scope.cancel()

    assert highest == 1
    assert starts.limiter.borrowed_tokens == 0


ORPHAN = """
import os, signal, sys
import anyio
from pathlib import Path
from tests.transports.ssh.conftest import sh
from transports.openssh import OpenSSHOptions, OpenSSHTransport

async def main(port, user, key, known):
    options = OpenSSHOptions(host="127.0.0.1", port=int(port), user=user, key_files=(Path(key),),
                             use_agent=False, config="none", known_hosts=(Path(known),))
    transport = OpenSSHTransport("node-1", options)
    await transport.run(sh("true"))
    print(transport._master.pid, transport._master.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

anyio.run(main, *sys.argv[1:])
"""


def test_no_ssh_outlives_us_even_where_we_are_killed(server: Server) -> None:
    """A run that was cut off leaves no connection and no folder behind."""
    words = [str(server.port), server.user, str(server.key), str(server.known_hosts)]
    ended = subprocess.run(
        [sys.executable, "-c", ORPHAN, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    pid, folder = ended.stdout.split()

    wait_until(lambda: not is_alive(int(pid)), "the ssh process lives on")
    wait_until(lambda: not Path(folder).exists(), "its folder stays")
