"""How commands end over the user's own ssh: by themselves, killed, lost, cancelled; and what comes after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.openssh.calling import options_for
from tests.transports.openssh.conftest import connected, masters
from tests.transports.ssh.conftest import sh, until
from tests.transports.ssh.test_commands import GROUP, STUBBORN, Pids
from tests.transports.sshd import Server, is_alive, wait_until
from transports.base import ArgumentError, Stream, TransportError
from transports.openssh import OpenSSHTransport
from transports.ssh import ConnectionStarts

pytestmark = pytest.mark.anyio


# ---- statuses


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "HUP"])
async def test_a_killed_shell_is_no_answer(server: Server, name: str) -> None:
    """ssh itself would exit with 255, which a command may mean: here no status is no status."""
    async with connected(server) as transport:
        with pytest.raises(TransportError, match="killed from outside") as caught:
            await transport.run(sh(f"kill -{name} $$"))

        assert caught.value.lineage == ("connection.lost", "connection")
        assert caught.value.ambiguous
        assert (await transport.run(sh("exit 255"))).status == 255


async def test_a_status_that_comes_after_the_output_is_waited_for(server: Server) -> None:
    """A command may close its output long before it ends."""
    async with connected(server) as transport:
        outcome = await transport.run(sh("exec >&- 2>&-; sleep 0.2; exit 9"))

    assert outcome.status == 9


async def test_a_command_line_that_is_too_long_is_refused(server: Server) -> None:
    """Before anything is sent, with advice."""
    async with connected(server) as transport:
        with pytest.raises(ArgumentError, match="stdin or a file"):
            await transport.run(sh("true", "x" * 120_000))
        assert (await transport.run(sh("printf %s $1 | wc -c", "x" * 90_000))).text == "90000"


async def test_a_listener_that_fails_ends_the_command(server: Server) -> None:
    """Its error comes out as it is."""

    def fail(stream: Stream, data: bytes) -> None:
        raise RuntimeError("disk full here")

    async with connected(server) as transport:
        with pytest.raises(RuntimeError, match="disk full here"):
            await transport.run(sh("echo; sleep 20"), on_output=fail)
        assert (await transport.run(sh("echo usable"))).text == "usable"


async def test_variables_of_the_node_reach_every_command(server: Server) -> None:
    """A command's own value wins."""
    async with connected(server, environment={"A": "node", "B": "node"}) as transport:
        outcome = await transport.run(sh("echo $A $B", env={"B": "command"}))

    assert outcome.text == "node command"


# ---- cancelling


@pytest.mark.parametrize("script", [GROUP, STUBBORN], ids=["willing", "stubborn"])
async def test_cancelling_ends_the_whole_process_group(server: Server, script: str) -> None:
    """Closing a session ends nothing: the group is told, and after half a second made, to end."""
    async with connected(server) as transport:
        pids = Pids()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: transport.run(sh(script), on_output=pids))
            await until(lambda: bool(pids.all(2)))
            tasks.cancel_scope.cancel()

        assert [is_alive(pid) for pid in pids.all(2)] == [False, False]
        assert (await transport.run(sh("echo usable"))).text == "usable"


async def test_a_timeout_ends_the_whole_process_group(server: Server) -> None:
    """Nobody comes back later to look for what still runs."""
    async with connected(server) as transport:
        pids = Pids()
        with pytest.raises(TransportError, match="it was stopped"):
            await transport.run(sh(GROUP, timeout=0.3), on_output=pids)

    assert [is_alive(pid) for pid in pids.all(2)] == [False, False]


async def test_cancelling_works_where_the_server_gives_one_session(make_server: MakeServer) -> None:
    """The kill then comes by a connection of its own, which is ended again."""
    server = make_server(extra="MaxSessions 1")
    async with connected(server) as transport:
        pids = Pids()
        with pytest.raises(TransportError, match="it was stopped"):
            await transport.run(sh(GROUP, timeout=0.3), on_output=pids)

        assert [is_alive(pid) for pid in pids.all(2)] == [False, False]
        assert len(masters()) == 1


async def test_few_sessions_are_shared(make_server: MakeServer) -> None:
    """sshd refuses sessions beyond its MaxSessions; then commands wait for each other."""
    server = make_server(extra="MaxSessions 2")
    async with connected(server) as transport:
        done: list[str] = []

        async def ask() -> None:
            done.append((await transport.run(sh("sleep 0.02; echo done"))).text)

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(ask)

    assert done == ["done"] * 12


async def test_a_server_that_gives_no_session_at_all_is_named(make_server: MakeServer) -> None:
    """Such a server lets users forward and nothing else."""
    server = make_server(extra="MaxSessions 0")
    async with connected(server) as transport:
        with anyio.fail_after(20), pytest.raises(TransportError, match="run no command") as caught:
            await transport.run(sh("true"))

    assert caught.value.final
    assert "MaxSessions" in caught.value.remedy


# ---- masters and servers that go, come back, or freeze


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
        pids = Pids()

        async def break_it() -> None:
            await until(lambda: bool(pids.all(1)))
            os.kill(masters()[0], signal.SIGKILL)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(break_it)
            with anyio.fail_after(20), pytest.raises(TransportError) as caught:
                await transport.run(sh("echo $$; sleep 20"), on_output=pids)

        assert caught.value.lineage == ("connection.lost", "connection")
        assert caught.value.ambiguous
        assert not caught.value.final
        assert (await transport.run(sh("echo back"))).text == "back"
        os.kill(pids.all(1)[0], signal.SIGKILL)


async def test_a_lost_connection_is_no_success(make_server: MakeServer) -> None:
    """The command may have done its work, so the error is ambiguous."""
    server = make_server()
    async with connected(server) as transport:
        pids = Pids()

        async def break_it() -> None:
            await until(lambda: bool(pids.all(1)))
            server.signal_sessions(signal.SIGKILL)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(break_it)
            with anyio.fail_after(20), pytest.raises(TransportError) as caught:
                await transport.run(sh("echo $$; sleep 20"), on_output=pids)

    assert caught.value.lineage == ("connection.lost", "connection")
    assert caught.value.ambiguous


async def test_the_next_call_after_a_restart_reconnects(make_server: MakeServer) -> None:
    """A host that rebooted is simply there again."""
    server = make_server()
    async with connected(server) as transport:
        await transport.run(sh("true"))
        server.stop()
        server.start()

        assert (await transport.run(sh("echo back"))).text == "back"


async def test_a_host_that_is_gone_is_refused_and_not_ambiguous(make_server: MakeServer) -> None:
    """The connection was found dead before anything was begun."""
    server = make_server()
    async with connected(server) as transport:
        await transport.run(sh("true"))
        server.stop()
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))

    assert caught.value.lineage == ("connection.refused", "connection")
    assert not caught.value.ambiguous
    assert not caught.value.final


async def test_a_frozen_server_costs_the_timeout_and_no_more(make_server: MakeServer) -> None:
    """Nobody can be asked to stop the command; that is said."""
    server = make_server()
    async with connected(server, connect_timeout=1.0) as transport:
        pids = Pids()

        async def freeze() -> None:
            await until(lambda: bool(pids.all(1)))
            server.signal_sessions(signal.SIGSTOP)
            os.kill(server.pid, signal.SIGSTOP)

        started = time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(freeze)
            with pytest.raises(TransportError) as caught:
                await transport.run(sh("echo $$; sleep 20", timeout=0.5), on_output=pids)

        assert caught.value.lineage == ("timeout",)
        assert "may still run" in caught.value.message
        assert time.monotonic() - started < 18
        os.kill(server.pid, signal.SIGCONT)
        server.signal_sessions(signal.SIGCONT)


async def test_a_frozen_session_is_replaced(make_server: MakeServer) -> None:
    """The listener still answers: the next command gets a new connection after the connect timeout."""
    server = make_server()
    async with connected(server, connect_timeout=0.5) as transport:
        await transport.run(sh("true"))
        server.signal_sessions(signal.SIGSTOP)

        assert (await transport.run(sh("echo through"))).text == "through"


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

    assert resources(short_path) == before
    assert before[1:] == (0, [])


async def test_many_commands_on_one_connection_leave_nothing(server: Server) -> None:
    """Two hundred, and no ssh process but the one."""
    async with connected(server) as transport:
        await transport.run(sh("true"))
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(200):
            await transport.run(sh("true"))

        assert len(list(Path("/proc/self/fd").iterdir())) == before
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
