"""How commands end: by themselves, killed, lost, cancelled; and what comes after a loss."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, driven, run_on, sh, until
from tests.transports.sshd import Server, is_alive
from transports.base import ArgumentError, Stream, TransportError

pytestmark = pytest.mark.anyio


class Pids:
    """Collects process numbers that a command prints."""

    def __init__(self) -> None:
        self.text = b""

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.text += data if stream == "stdout" else b""

    def all(self, count: int) -> list[int]:
        words = self.text.split()
        return [int(word) for word in words] if len(words) == count else []


# ---- statuses


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "HUP"])
async def test_a_killed_shell_is_no_success(server: Server, name: str) -> None:
    """libssh2 reports status 0 for it: 0 on the wire therefore means that no status came."""
    async with connected(server) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh(f"kill -{name} $$"))

    assert caught.value.lineage == ("connection.lost", "connection")
    assert caught.value.ambiguous


async def test_a_killed_program_is_an_answer(server: Server) -> None:
    """The shell around it lives and tells: 128 and the signal's number."""
    async with connected(server) as transport:
        outcome = await transport.run(sh("sh -c 'kill -KILL $$'"))

    assert outcome.status == 128 + signal.SIGKILL


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
            with pytest.raises(TransportError) as caught:
                await transport.run(sh("echo $$; sleep 20"), on_output=pids)

    assert caught.value.lineage == ("connection.lost", "connection")
    assert caught.value.ambiguous
    assert not caught.value.final


async def test_a_status_that_comes_after_the_output_is_waited_for(server: Server) -> None:
    """A command may close its output long before it ends."""
    async with connected(server) as transport:
        outcome = await transport.run(sh("exec >&- 2>&-; sleep 0.2; exit 9"))

    assert outcome.status == 9


async def test_a_command_line_that_no_packet_holds_is_refused(server: Server) -> None:
    """Before anything is sent, with advice."""
    async with connected(server) as transport:
        with pytest.raises(ArgumentError, match="stdin or a file"):
            await transport.run(sh("true", "x" * 40_000))
        assert (await transport.run(sh("printf %s $1 | wc -c", "x" * 25_000))).text == "25000"


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
                sh('echo ready; while [ ! -e "$1" ]; do sleep 0.01; done', str(flag), timeout=10),
                on_output=lambda stream, data: heard.set(),
            )

    assert outcome.ok
    flag.unlink()


async def test_a_listener_that_fails_ends_the_command(server: Server) -> None:
    """Its error comes out as it is."""

    def fail(stream: Stream, data: bytes) -> None:
        raise RuntimeError("disk full here")

    async with connected(server) as transport:
        with pytest.raises(RuntimeError, match="disk full here"):
            await transport.run(sh("echo; sleep 20"), on_output=fail)
        assert (await transport.run(sh("echo usable"))).text == "usable"


# ---- cancelling

GROUP = "sleep 1001 & echo $! $$; sleep 1002"
STUBBORN = (
    "trap '' TERM; (trap '' TERM; while :; do sleep 0.1; done) & echo $! $$; while :; do sleep 0.1; done"
)


@pytest.mark.parametrize("script", [GROUP, STUBBORN], ids=["willing", "stubborn"])
async def test_cancelling_ends_the_whole_process_group(server: Server, script: str) -> None:
    """Closing a channel ends nothing: the group is told, and after half a second made, to end."""
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


async def test_cancelling_works_where_the_server_gives_one_channel(make_server: MakeServer) -> None:
    """The kill then comes by a connection of its own."""
    server = make_server(extra="MaxSessions 1")
    async with connected(server) as transport:
        pids = Pids()
        with pytest.raises(TransportError, match="it was stopped"):
            await transport.run(sh(GROUP, timeout=0.3), on_output=pids)

        assert [is_alive(pid) for pid in pids.all(2)] == [False, False]


async def test_few_channels_are_shared(make_server: MakeServer) -> None:
    """sshd refuses channels beyond its MaxSessions; then commands wait for each other."""
    server = make_server(extra="MaxSessions 2")
    async with connected(server) as transport:
        done: list[str] = []

        async def ask() -> None:
            done.append((await transport.run(sh("sleep 0.02; echo done"))).text)

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(ask)

    assert done == ["done"] * 12


# ---- servers that go, come back, or freeze


async def test_the_next_call_after_a_restart_reconnects(make_server: MakeServer) -> None:
    """A host that rebooted is simply there again; nothing was begun, so nothing is ambiguous."""
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
    assert resources()[1] <= before[1] + 1


async def test_many_commands_on_one_connection_leave_nothing(server: Server) -> None:
    """Two hundred, on the same session."""
    async with driven(server) as driver:
        await run_on(driver, "true")
        before = resources()
        for _ in range(200):
            await run_on(driver, "true")

        assert resources() == before
