"""Bastions: chains of real servers, what they share, how they fail, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest

from tests.transports import sshd
from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import sh, until
from tests.transports.sshd import HOST, Server
from transports.base import Bytes, TransportError
from transports.ssh import Bastion, ConnectionStarts, HostKeys, SSHTransport
from transports.ssh.driver import Driver
from transports.ssh.sockets import Wire
from transports.ssh.tunnels import Tunnels

pytestmark = pytest.mark.anyio

ACCEPTED = "Accepted publickey for"


def bastion_to(server: Server, **rest: Any) -> Bastion:
    via, starts, limit = rest.pop("via", None), rest.pop("starts", None), rest.pop("limit", 10)
    return Bastion(server.options(**rest), via=via, starts=starts, limit=limit)


@asynccontextmanager
async def behind(server: Server, *bastions: Bastion, count: int = 1, **changes: Any) -> AsyncIterator[Any]:
    """Transports to a server through the last bastion; one alone, or a list."""
    nodes = [
        SSHTransport(f"node-{number + 1}", server.options(**changes), via=bastions[-1])
        for number in range(count)
    ]
    try:
        yield nodes[0] if count == 1 else nodes
    finally:
        with anyio.CancelScope(shield=True):
            for node in nodes:
                await node.close()


async def refused(node: SSHTransport) -> TransportError:
    with anyio.fail_after(60), pytest.raises(TransportError) as caught:
        await node.run(sh("true"))
    assert not caught.value.ambiguous
    return caught.value


def logins(server: Server) -> int:
    return server.said().count(ACCEPTED)


# ---- the way


async def test_a_node_behind_a_bastion_is_reached_through_it(make_server: MakeServer) -> None:
    """The node sees the bastion's connection; commands, files and their ends are as without one."""
    gate, node = make_server(), make_server()
    async with behind(node, bastion_to(gate)) as transport:
        outcome = await transport.run(sh("cat; echo said >&2; exit 3", stdin=b"given"))

    assert (outcome.status, outcome.stdout, outcome.stderr) == (3, b"given", b"said\n")
    assert (logins(gate), logins(node)) == (1, 1)


async def test_a_chain_of_bastions_leads_to_a_node(make_server: MakeServer, tmp_path: Path) -> None:
    """Each is reached through the one before; a file of megabytes goes and comes whole."""
    outer, inner, node = make_server(), make_server(), make_server()
    content = os.urandom(3_000_000)
    first = bastion_to(outer)
    async with behind(node, first, bastion_to(inner, via=first)) as transport:
        await transport.put(Bytes(content), PurePosixPath(tmp_path / "file"))
        assert await transport.get(PurePosixPath(tmp_path / "file")) == content

    assert (logins(outer), logins(inner), logins(node)) == (1, 1, 2)


async def test_all_nodes_behind_a_bastion_share_one_connection_to_it(make_server: MakeServer) -> None:
    """Twelve nodes at once, one login at the bastion; even where that allows no session at all."""
    gate, node = make_server(extra="MaxSessions 0\nMaxStartups 1"), make_server()
    async with behind(node, bastion_to(gate), count=12) as nodes, anyio.create_task_group() as tasks:
        for transport in nodes:
            tasks.start_soon(transport.run, sh("true"))

    assert (logins(gate), logins(node)) == (1, 12)


async def test_connection_starts_are_limited_behind_each_bastion(make_server: MakeServer) -> None:
    """A node that drops what exceeds a few unauthenticated connections loses none. It takes some more than
    the limit, for it learns of a login a little after we do."""
    gate, node = make_server(), make_server(extra="MaxStartups 5:100:5")
    async with behind(node, bastion_to(gate, limit=2), count=10) as nodes, anyio.create_task_group() as tasks:
        for transport in nodes:
            tasks.start_soon(transport.run, sh("true"))

    assert logins(node) == 10


async def test_nodes_that_wait_for_a_bastion_do_not_hold_up_others(make_server: MakeServer) -> None:
    """A single turn for all: the bastion takes it while its nodes wait, and no one waits for ever."""
    gate, node, turn = make_server(), make_server(), ConnectionStarts(1)
    way = bastion_to(gate, starts=turn, limit=1)
    async with behind(node, way, count=3) as nodes:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for transport in nodes:
                    tasks.start_soon(transport.run, sh("true"))


async def test_a_host_that_is_down_does_not_keep_others_from_being_reached(make_server: MakeServer) -> None:
    """Its opening hangs for minutes in the bastion: another connection opens the others meanwhile."""
    gate, node = make_server(), make_server()
    lines: list[Tunnels] = []

    def noted(driver: Driver) -> Tunnels:
        lines.append(Tunnels(driver))
        return lines[-1]

    way = Bastion(gate.options(), tunnels=noted)
    with mute_listener() as address:
        dead = SSHTransport(
            "dead", node.options(host=address[0], port=address[1], connect_timeout=3.0), via=way
        )
        async with behind(node, way) as transport, anyio.create_task_group() as tasks:
            problems: list[TransportError] = []

            async def try_dead() -> None:
                problems.append(await refused(dead))

            tasks.start_soon(try_dead)
            await until(lambda: [line.carries for line in lines] == [1])  # the dead one's turn
            with anyio.fail_after(60):
                await transport.run(sh("true"))
        await dead.close()

    assert problems[0].lineage[0] == "connection.timeout"
    assert logins(gate) == 2


class Stingy(Tunnels):
    """A connection that carries so many tunnels, as some servers have it, and then says so."""

    room = 2

    def open(self, host: str, port: int) -> tuple[Wire, Callable[[], bool]]:
        if self.carries < self.room:
            return super().open(host, port)
        ours, theirs = socket.socketpair()
        theirs.send(b"Channel open failure (resource shortage)")
        theirs.close()
        ours.setblocking(False)
        return Wire(fileno=ours.detach()), lambda: True


async def test_a_bastion_that_gives_no_more_gets_another_connection(make_server: MakeServer) -> None:
    """Two tunnels each: three connections for five nodes."""
    gate, node = make_server(), make_server()
    way = Bastion(gate.options(), tunnels=Stingy)
    async with behind(node, way, count=5) as nodes:
        for transport in nodes:
            assert (await transport.run(sh("echo in"))).text == "in"

    assert logins(gate) == 3


async def test_a_bastion_that_never_gives_anything_is_told(make_server: MakeServer) -> None:
    """Not asked for ever."""

    class Empty(Stingy):
        room = 0

    gate, node = make_server(), make_server()
    async with behind(node, Bastion(gate.options(), tunnels=Empty)) as transport:
        error = await refused(transport)

    assert "resource shortage" in error.message or "no more connections" in error.message
    assert logins(gate) <= 9


# ---- failures


async def test_a_bastion_that_dies_is_a_lost_connection_for_all_behind_it(make_server: MakeServer) -> None:
    """Ambiguous where a command ran; the next command connects again through it."""
    gate, node = make_server(), make_server()
    async with behind(node, bastion_to(gate), count=3) as nodes:
        lost: list[TransportError] = []
        running: list[bytes] = []

        async def sleep(transport: SSHTransport) -> None:
            with pytest.raises(TransportError) as caught:
                await transport.run(sh("echo; sleep 60"), on_output=lambda _, data: running.append(data))
            lost.append(caught.value)

        async with anyio.create_task_group() as tasks:
            for transport in nodes:
                tasks.start_soon(sleep, transport)
            await until(lambda: b"".join(running) == b"\n" * 3)
            gate.stop()
        gate.start()
        for transport in nodes:
            assert (await transport.run(sh("echo again"))).text == "again"

    assert {error.lineage for error in lost} == {("connection.lost", "connection")}
    assert all(
        error.ambiguous and f"the bastion {gate.user}@{HOST}:{gate.port}" in error.message for error in lost
    )


async def test_a_bastion_that_is_not_there_is_named_once_for_all(make_server: MakeServer) -> None:
    """Whose name, which hop and why; who waited for the same attempt is told the same."""
    node = make_server()
    gone = bastion_to(node, port=sshd.free_port())
    async with behind(node, gone, count=3) as nodes:
        errors = [await refused(transport) for transport in nodes]

    for number, error in enumerate(errors):
        assert error.lineage[0] == "connection.refused"
        assert error.message.startswith(f"node-{number + 1}")
        assert f"on the way there: cannot connect to the bastion {gone.name}" in error.message


async def test_the_second_hop_is_named_where_it_fails(make_server: MakeServer) -> None:
    """The chain so far is in the message."""
    outer, node = make_server(), make_server()
    first = bastion_to(outer)
    second = bastion_to(node, via=first, port=sshd.free_port())
    async with behind(node, second) as transport:
        error = await refused(transport)

    assert error.lineage[0] == "connection.unreachable"
    assert f"the bastion {second.name}: the bastion {first.name} does not reach" in error.message


async def test_a_node_that_a_bastion_cannot_reach_is_told_from_the_bastion(make_server: MakeServer) -> None:
    """The address counts as the bastion sees it."""
    gate, node = make_server(), make_server()
    port = sshd.free_port()
    async with behind(node, bastion_to(gate), port=port) as transport:
        error = await refused(transport)

    assert error.lineage[0] == "connection.unreachable"
    assert f"does not reach {HOST}:{port}" in error.message
    assert "connect failed" in error.message


async def test_a_bastion_that_forbids_forwarding_is_a_final_refusal(make_server: MakeServer) -> None:
    """With what must stand in its configuration."""
    gate, node = make_server(extra="AllowTcpForwarding no"), make_server()
    async with behind(node, bastion_to(gate)) as transport:
        error = await refused(transport)

    assert error.final
    assert "does not let" in error.message
    assert "AllowTcpForwarding" in error.remedy


async def test_the_host_key_of_a_bastion_is_verified(make_server: MakeServer, tmp_path: Path) -> None:
    """Before anything is said to it; and it is not asked again for each node."""
    gate, node = make_server(), make_server()
    way = bastion_to(gate, host_keys=HostKeys([tmp_path / "empty"]))
    async with behind(node, way, count=2) as nodes:
        errors = [await refused(transport) for transport in nodes]

    assert {error.lineage[0] for error in errors} == {"hostkey.unknown"}
    assert all(error.final and "on the way there" in error.message for error in errors)
    assert gate.said().count("Connection closed by") <= 1


async def test_a_login_that_a_bastion_refuses_is_tried_once(make_server: MakeServer, tmp_path: Path) -> None:
    """Twenty nodes behind must not lock anybody out."""
    gate, node = make_server(), make_server()
    way = bastion_to(gate, key_files=(sshd.make_key(tmp_path / "stranger"),))
    async with behind(node, way, count=5) as nodes:
        errors = [await refused(transport) for transport in nodes]

    assert {error.lineage[0] for error in errors} == {"auth.rejected"}
    assert (
        gate.said().count("Failed publickey") + gate.said().count("Connection closed by authenticating") <= 2
    )


# ---- what is left behind


async def test_nothing_is_left_open(make_server: MakeServer) -> None:
    """No file of ours, and no session at the bastion, once all transports through it are closed."""
    outer, inner, node = make_server(), make_server(), make_server()

    async def use() -> None:
        first = bastion_to(outer)
        async with (
            behind(node, bastion_to(inner, via=first), count=4) as nodes,
            anyio.create_task_group() as tasks,
        ):
            for transport in nodes:
                tasks.start_soon(transport.run, sh("true"))

    await use()
    before = open_files()
    for _ in range(3):
        await use()
    await until(lambda: not outer.sessions() and not inner.sessions())

    assert open_files() <= before  # less: what an earlier test left to be collected may be gone meanwhile


async def test_a_connection_that_is_given_up_leaves_nothing(make_server: MakeServer) -> None:
    """Cancelled while it was made: the tunnel ends, and the bastion serves on."""
    gate, node = make_server(), make_server()
    way = bastion_to(gate)
    async with behind(node, way) as transport:
        await transport.run(sh("true"))
        before = open_files()
        for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.04):
            other = SSHTransport("other", node.options(), via=way)
            with anyio.move_on_after(delay):
                await other.run(sh("true"))
            await other.close()
        assert (await transport.run(sh("echo usable"))).text == "usable"
        await until(lambda: open_files() <= before)

    assert logins(gate) == 1


async def test_a_bastion_that_nobody_passes_through_costs_nothing(make_server: MakeServer) -> None:
    """It may ask whether we are alive, in vain: nobody spins, and the way leads on afterwards."""
    gate, node = make_server(extra="ClientAliveInterval 1\nClientAliveCountMax 1"), make_server()
    async with behind(node, bastion_to(gate)) as transport:
        await transport.run(sh("true"))
        node.signal_sessions(signal.SIGKILL)
        await anyio.sleep(0.3)
        began = time.process_time()
        await anyio.sleep(2.5)
        spent = time.process_time() - began
        assert (await transport.run(sh("echo again"))).text == "again"

    assert spent < 0.5


async def test_a_reader_that_takes_its_time_costs_nothing(make_server: MakeServer) -> None:
    """What it does not take stays where it is."""
    gate, node = make_server(), make_server()
    async with behind(node, bastion_to(gate)) as transport:
        await transport.run(sh("true"))
        began, spent = time.process_time(), 0.0

        def listen(_stream: str, _data: bytes) -> None:
            nonlocal spent
            if not spent:
                spent = time.process_time() - began
                time.sleep(1.0)  # the event loop stands still, and the pairs are full
                spent = time.process_time() - began - spent

        await transport.run(sh("head -c 8000000 /dev/zero"), on_output=listen)

    assert spent < 0.5


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number


class mute_listener:  # noqa: N801 - used as a with statement
    """An address where a connection is never answered: the queue of those who wait is full."""

    def __enter__(self) -> tuple[str, int]:
        self.sockets = [socket.socket()]
        self.sockets[0].bind((HOST, 0))
        self.sockets[0].listen(0)
        address: tuple[str, int] = self.sockets[0].getsockname()
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(address)
            self.sockets.append(sock)
        return address

    def __exit__(self, *_: object) -> None:
        for sock in self.sockets:
            sock.close()
