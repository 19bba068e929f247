"""How commands end over either ssh: by themselves, killed, lost, cancelled; and what comes after a loss."""

from __future__ import annotations

import os
import signal
import time

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.either_ssh.conftest import Kind
from tests.transports.openssh.conftest import masters
from tests.transports.ssh.conftest import sh, until
from tests.transports.sshd import Server
from tests.transports.watching import (
    GROUP,
    STUBBORN,
    Pids,
    end_soon,
    halting,
    stopped_by_its_timeout,
    struck_in_a_command,
)
from transports.base import ArgumentError, Stream, TransportError

pytestmark = pytest.mark.anyio


# ---- statuses


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "HUP"])
async def test_a_killed_shell_is_no_answer(kind: Kind, server: Server, name: str) -> None:
    """libssh2 reports 0 for it, and ssh 255, which a command may mean: here no status is no status."""
    async with kind.connected(server) as transport:
        with pytest.raises(TransportError, match="killed from outside") as caught:
            await transport.run(sh(f"kill -{name} $$"))

        assert caught.value.lineage == ("connection.lost", "connection")
        assert caught.value.ambiguous
        assert (await transport.run(sh("exit 255"))).status == 255


KILLED_IN_A_SHELL = "sh -c 'kill -{} $$'; exit $?"  # as sudo is: the shell says "Killed" or the like


@pytest.mark.parametrize(
    "end",
    [
        *("kill -KILL $$", "kill -TERM $$", "exit 137"),
        *map(KILLED_IN_A_SHELL.format, ("KILL", "TERM", "HUP")),
    ],
)
async def test_a_shell_that_was_killed_before_the_command_is_no_refusal(
    kind: Kind, make_server: MakeServer, end: str
) -> None:
    """A machine that goes down ends shells and sudo as they begin: what they would have said is not known."""
    async with kind.connected(make_server(extra=f"ForceCommand {end}")) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))

    assert caught.value.lineage == ("connection.lost", "connection")
    assert not caught.value.final


@pytest.mark.parametrize(
    "says", ["sh: 1: Cannot fork", "sudo: unable to fork: Resource temporarily unavailable"]
)
async def test_a_machine_that_is_out_of_processes_is_no_refusal(
    kind: Kind, make_server: MakeServer, says: str
) -> None:
    """What it could not start a moment ago, it may start a moment later."""
    async with kind.connected(make_server(extra=f"ForceCommand echo '{says}' >&2; exit 2")) as transport:
        with pytest.raises(TransportError, match=says) as caught:
            await transport.run(sh("true"))

    assert caught.value.lineage == ("connection.lost", "connection")
    assert not caught.value.final


async def test_a_forced_command_that_ends_well_is_told_as_what_may_run_instead(
    kind: Kind, make_server: MakeServer
) -> None:
    """ssh tells its status, which is a refusal; libssh2 tells no 0 from nothing, so both causes are named."""
    async with kind.connected(make_server(extra="ForceCommand echo hello")) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))

    kinds = {"ssh": ("connection.lost", "ForceCommand"), "openssh": ("auth.rejected", "POSIX shell")}
    told, remedy = kinds[kind.name]
    assert told in caught.value.lineage
    assert remedy in caught.value.remedy


async def test_a_status_that_comes_after_the_output_is_waited_for(kind: Kind, server: Server) -> None:
    """A command may close its output long before it ends."""
    async with kind.connected(server) as transport:
        outcome = await transport.run(sh("exec >&- 2>&-; sleep 0.2; exit 9"))

    assert outcome.status == 9


async def test_a_command_line_that_is_too_long_is_refused(kind: Kind, server: Server) -> None:
    """Before anything is sent, with advice."""
    async with kind.connected(server) as transport:
        with pytest.raises(ArgumentError, match="stdin or a file"):
            await transport.run(sh("true", "x" * kind.too_long))
        assert (await transport.run(sh("printf %s $1 | wc -c", "x" * kind.fits))).text == str(kind.fits)


async def test_a_listener_that_fails_ends_the_command(kind: Kind, server: Server) -> None:
    """Its error comes out as it is."""

    def fail(stream: Stream, data: bytes) -> None:
        raise RuntimeError("disk full here")

    async with kind.connected(server) as transport:
        with pytest.raises(RuntimeError, match="disk full here"):
            await transport.run(sh("echo; sleep 20"), on_output=fail)
        assert (await transport.run(sh("echo usable"))).text == "usable"


# ---- cancelling


@pytest.mark.parametrize("script", [GROUP, STUBBORN], ids=["willing", "stubborn"])
async def test_cancelling_ends_the_whole_process_group(kind: Kind, server: Server, script: str) -> None:
    """Closing a session ends nothing: the group is told, and after half a second made, to end."""
    async with kind.connected(server) as transport:
        pids = Pids()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: transport.run(sh(script), on_output=pids))
            await until(lambda: bool(pids.all(2)))
            tasks.cancel_scope.cancel()

        await end_soon(pids.all(2))
        assert (await transport.run(sh("echo usable"))).text == "usable"


async def test_a_timeout_ends_the_whole_process_group(kind: Kind, server: Server) -> None:
    """Nobody comes back later to look for what still runs."""
    async with kind.connected(server) as transport:
        await end_soon(await stopped_by_its_timeout(transport, GROUP))


async def test_cancelling_works_where_the_server_gives_one_session(
    kind: Kind, make_server: MakeServer
) -> None:
    """The kill then comes by a connection of its own, which is ended again."""
    server = make_server(extra="MaxSessions 1")
    async with kind.connected(server) as transport:
        await end_soon(await stopped_by_its_timeout(transport, GROUP))
        assert len(masters()) == kind.programs


async def test_few_sessions_are_shared(kind: Kind, make_server: MakeServer) -> None:
    """sshd refuses sessions beyond its MaxSessions; then commands wait for each other."""
    server = make_server(extra="MaxSessions 2")
    async with kind.connected(server) as transport:
        done: list[str] = []

        async def ask() -> None:
            done.append((await transport.run(sh("sleep 0.02; echo done"))).text)

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(ask)

    assert done == ["done"] * 12


async def test_a_session_that_has_just_ended_is_not_in_the_way(kind: Kind, make_server: MakeServer) -> None:
    """A busy server reads the end of one and the request for the next in one go, and refuses that one."""
    server = make_server(extra="MaxSessions 1")
    async with kind.connected(server) as transport:
        await transport.run(sh("true"))
        with halting(server):
            for _ in range(30):
                await transport.run(sh("true"))


# ---- servers that go, come back, or freeze


async def test_a_lost_connection_is_no_success(kind: Kind, make_server: MakeServer) -> None:
    """The command may have done its work, so the error is ambiguous."""
    server = make_server()
    async with kind.connected(server) as transport:
        lost, _ = await struck_in_a_command(transport, lambda: server.signal_sessions(signal.SIGKILL))

    assert lost.lineage == ("connection.lost", "connection")
    assert lost.ambiguous
    assert not lost.final


async def test_the_next_call_after_a_restart_reconnects(kind: Kind, make_server: MakeServer) -> None:
    """A host that rebooted is simply there again."""
    server = make_server()
    async with kind.connected(server) as transport:
        await transport.run(sh("true"))
        server.stop()
        server.start()

        assert (await transport.run(sh("echo back"))).text == "back"


async def test_a_host_that_is_gone_is_refused_and_not_ambiguous(kind: Kind, make_server: MakeServer) -> None:
    """The connection was found dead before anything was begun."""
    server = make_server()
    async with kind.connected(server) as transport:
        await transport.run(sh("true"))
        server.stop()
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))

    assert caught.value.lineage == ("connection.refused", "connection")
    assert not caught.value.ambiguous
    assert not caught.value.final


async def test_a_frozen_server_costs_the_timeout_and_no_more(kind: Kind, make_server: MakeServer) -> None:
    """Nobody can be asked to stop the command; that is said."""
    server = make_server()
    async with kind.connected(server) as transport:
        begun: list[bytes] = []

        def freeze(_stream: Stream, data: bytes) -> None:
            begun.append(data)
            server.signal_sessions(signal.SIGSTOP)
            os.kill(server.pid, signal.SIGSTOP)

        await transport.run(sh("true"))  # a login is not in a command's time
        for timeout in (1.5, 15.0):  # on a busy machine a short time is over before the command begins
            started = time.monotonic()
            with pytest.raises(TransportError) as caught:
                await transport.run(sh("echo begun; sleep 60", timeout=timeout), on_output=freeze)
            if begun:
                break

        assert caught.value.lineage == ("timeout.command", "timeout")
        assert "may still run" in caught.value.message
        assert time.monotonic() - started < 50
        os.kill(server.pid, signal.SIGCONT)
        server.signal_sessions(signal.SIGCONT)


async def test_a_frozen_session_is_replaced(kind: Kind, make_server: MakeServer) -> None:
    """The listener still answers: the next command gets a new connection after the connect timeout."""
    server = make_server()
    async with kind.connected(server, connect_timeout=4.0) as transport:
        await transport.run(sh("true"))
        server.signal_sessions(signal.SIGSTOP)

        assert (await transport.run(sh("echo through"))).text == "through"
