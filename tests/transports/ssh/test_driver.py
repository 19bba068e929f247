"""The four laws of the driver, and how a session ends: each test is a hang or a crash that was seen."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from functools import partial
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, driven, run_on, sh, until
from tests.transports.sshd import Server
from transports.ssh import SSHTransport
from transports.ssh.connection import handshake
from transports.ssh.driver import OUTBOUND, Driver, Lost
from transports.ssh.sockets import Wire, connect

pytestmark = pytest.mark.anyio


# ---- law A


async def half_sent(driver: Driver, server: Server, tasks: TaskGroup) -> Any:
    """Freeze the server and write to a channel until a packet has left only in part."""
    driver.socket().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    channel = await driver.call_held(driver.session.open_session)
    await driver.call_held(channel.execute, "wc -c")
    server.signal_sessions(signal.SIGSTOP)
    tasks.start_soon(driver.write, channel, bytes(2_000_000))
    await until(lambda: bool(driver.session.block_directions() & OUTBOUND))
    return channel


async def test_a_half_sent_packet_is_finished_before_anyone_else_sends(make_server: MakeServer) -> None:
    """Another call in between makes libssh2 answer "again" for ever."""
    server = make_server()
    async with driven(server) as driver:
        answers: list[str] = []

        async def ask() -> None:
            answers.append((await run_on(driver, "echo between")).text)

        async with anyio.create_task_group() as tasks:
            channel = await half_sent(driver, server, tasks)
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            server.signal_sessions(signal.SIGCONT)

        await driver.call_held(channel.send_eof)
        _, counted = await driver.call(lambda: channel.read(100), ready=lambda: channel.poll_channel_read(0))

    assert answers == ["between"]
    assert counted == b"2000000\n"


async def test_the_end_of_the_input_is_not_begun_before_the_socket_takes_it_whole(
    make_server: MakeServer,
) -> None:
    """libssh2 makes that packet on its stack: its rest could never be sent from another depth."""
    server = make_server()
    async with driven(server) as driver:
        channel = await driver.call_held(driver.session.open_session)
        await driver.call_held(channel.execute, "wc -c")
        room, wire = socket.socketpair()
        wire.setblocking(False)
        while wire_takes(wire):
            pass
        ours = driver.sock
        begun: list[bool] = []
        driver.sock = Wire(fileno=wire.detach())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(driver.call_whole, lambda: begun.append(True))
            await anyio.wait_all_tasks_blocked()
            before = list(begun)
            while len(room.recv(1 << 20)) == 1 << 20:
                pass
        driver.sock.close()
        driver.sock = ours
        room.close()

    assert (before, begun) == ([], [True])


def wire_takes(wire: socket.socket) -> bool:
    try:
        wire.send(bytes(1 << 12))
    except BlockingIOError:
        return False
    return True


async def test_a_packet_given_up_half_way_costs_the_session(make_server: MakeServer) -> None:
    """Its rest could be sent by the same call only, and that call is gone."""
    server = make_server()
    async with driven(server) as driver:
        async with anyio.create_task_group() as tasks:
            await half_sent(driver, server, tasks)
            tasks.cancel_scope.cancel()

        assert driver.broken


# ---- law B


async def test_commands_started_at_once_all_start(server: Server) -> None:
    """Two starts in flight on one session failed eight times of thirty without the lock."""
    async with driven(server) as driver:
        answers: list[int] = []

        async def ask(status: int) -> None:
            for _ in range(6):
                answers.append((await run_on(driver, f"exit {status}")).status)

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(ask, number)

    assert sorted(answers) == sorted(list(range(8)) * 6)


# ---- law C


async def test_a_flood_of_one_stream_does_not_starve_the_other(server: Server) -> None:
    """Reading one stream drains the other's data into libssh2's queue, where no socket tells of it."""
    async with driven(server) as driver:
        script = "head -c 6000000 /dev/zero >&2; head -c 6000000 /dev/zero; echo end >&2"
        outcome = await run_on(driver, script)

    assert len(outcome.stdout) == 6_000_000
    assert outcome.stderr[-4:] == b"end\n"


async def test_many_channels_flooding_both_ways_all_end(server: Server) -> None:
    """Every channel's input may be drained by any other's call."""
    async with driven(server) as driver:
        whole: list[bool] = []

        async def ask(number: int) -> None:
            content = bytes([number]) * 700_000
            outcome = await run_on(driver, "tee /dev/stderr", stdin=content)
            whole.append(outcome.stdout == content == outcome.stderr)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for number in range(8):
                    tasks.start_soon(ask, number)

    assert whole == [True] * 8


async def test_a_command_is_heard_while_another_waits(server: Server) -> None:
    """Whoever watches the socket wakes those whose input came."""
    async with driven(server) as driver, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(run_on, driver, "sleep 60", timeout=100.0))
        with anyio.fail_after(50):
            for _ in range(20):
                assert (await run_on(driver, "echo quick")).text == "quick"
        tasks.cancel_scope.cancel()


async def test_somebody_watches_the_socket_whenever_anybody_waits(server: Server) -> None:
    """A watcher who leaves is followed, even where the first one who was to follow had its answer already.

    Without that, the last of eight short commands now and then waited for ever.
    """
    async with driven(server) as driver:
        for _ in range(15):
            with anyio.fail_after(60):
                async with anyio.create_task_group() as tasks:
                    for _ in range(8):
                        tasks.start_soon(run_on, driver, "true")


# ---- law D


async def test_a_call_given_up_on_a_frozen_server_costs_the_session(make_server: MakeServer) -> None:
    """What libssh2 left half done cannot be undone: nobody may use the session again."""
    server = make_server()
    async with driven(server) as driver:
        server.signal_sessions(signal.SIGSTOP)
        with anyio.move_on_after(0.05):
            await driver.call_held(driver.session.open_session)

        assert driver.broken
        with pytest.raises(Lost):
            await run_on(driver, "true")


async def test_cancels_at_odd_moments_cost_nothing(server: Server) -> None:
    """A cancelled call ends properly in its grace: the session lives, and no channel is left open."""
    said: list[str] = []
    transport = SSHTransport("node-1", server.options(), log=said.append)
    await transport.run(sh("true"))
    driver, _ = await transport._control.get()
    driver.grace = 60.0  # seconds: what counts is that it suffices, not how quick this machine is
    for number in range(40):
        with anyio.move_on_after(0.0003 * (number % 10)):
            await transport.run(sh("echo hi"))
    async with anyio.create_task_group() as tasks:
        for _ in range(8):  # all the channels that there are
            tasks.start_soon(transport.run, sh("true"))
    await transport.close()

    assert said == [f"node-1: logged in to {server.options().address} as {server.user}"]


async def test_a_flood_can_be_cancelled(server: Server) -> None:
    """A call that never blocks never yields, unless there is a checkpoint for every read."""
    async with connected(server) as transport:
        await transport.run(sh("true"))
        started = time.monotonic()
        with anyio.move_on_after(0.2):
            await transport.run(sh("cat /dev/zero"), on_output=lambda stream, data: None)

        assert time.monotonic() - started < 20
        assert (await transport.run(sh("echo usable"))).text == "usable"


# ---- the end of a session


async def test_the_socket_outlives_every_channel(make_server: MakeServer) -> None:
    """libssh2 keeps the bare number: freeing a channel later wrote into a stranger's socket."""
    server = make_server()
    async with driven(server) as driver:
        channel = await driver.call_held(driver.session.open_session)
        await driver.call_held(channel.execute, "sleep 1")
        number = driver.socket().fileno()
        driver.abort()

        strangers = [end for _ in range(3) for end in socket.socketpair()]
        assert number not in [stranger.fileno() for stranger in strangers]
        del channel
        gc.collect()
        heard = [has_input(stranger) for stranger in strangers]
        freed = not is_open(number)
        for stranger in strangers:
            stranger.close()

    assert heard == [False] * 6
    assert freed


async def test_letting_go_of_a_frozen_server_takes_no_time(make_server: MakeServer) -> None:
    """A blocking session's end held the interpreter for its timeout, or for ever."""
    server = make_server()
    async with driven(server) as driver:
        channel = await driver.call_held(driver.session.open_session)
        await driver.call_held(channel.execute, "sleep 100")
        server.signal_sessions(signal.SIGSTOP)
        started = time.monotonic()
        driver.abort()
        del channel
        gc.collect()

        assert time.monotonic() - started < 10
    server.signal_sessions(signal.SIGCONT)


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def has_input(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        return False
    return True


# ---- acknowledging


class WatchedWire(Wire):
    """Counts the acknowledgements that are asked for."""

    acknowledged = 0

    def setsockopt(self, *args: Any) -> None:
        if args[:2] == (socket.IPPROTO_TCP, socket.TCP_QUICKACK):
            self.acknowledged += 1
        super().setsockopt(*args)


async def test_acknowledgements_are_sent_before_waiting(server: Server) -> None:
    """sshd sits on its reply until the packet before is acknowledged, which our kernel delays by 40 ms."""
    options = server.options()
    wire = WatchedWire(fileno=(await connect(options.host, options.port)).detach())
    wire.setblocking(False)
    driver = Driver(wire)
    await handshake(driver, options)

    assert wire.acknowledged > 0
    driver.abort()
