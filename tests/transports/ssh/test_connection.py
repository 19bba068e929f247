"""Opening a connection: algorithms, servers that are none, and the cap on starts."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import ssh2.session as libssh2
from anyio.abc import SocketAttribute, SocketStream

import transports.ssh
from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, driven, run_on, sh
from tests.transports.sshd import Server, free_port
from transports.base import TransportError
from transports.ssh import ConnectionStarts, SSHTransport

pytestmark = pytest.mark.anyio


# ---- algorithms


async def test_the_cipher_that_the_processor_helps_with_is_taken(server: Server) -> None:
    """libssh2 would prefer chacha20, which it computes in portable C at three times the cost."""
    async with driven(server) as driver:
        assert driver.session.methods(libssh2.LIBSSH2_METHOD_CRYPT_CS) == "aes128-gcm@openssh.com"
        assert driver.session.methods(libssh2.LIBSSH2_METHOD_CRYPT_SC) == "aes128-gcm@openssh.com"


async def test_the_manifest_may_order_the_ciphers(server: Server) -> None:
    """`ciphers` overrides the order."""
    async with driven(server, ciphers="aes256-ctr") as driver:
        assert driver.session.methods(libssh2.LIBSSH2_METHOD_CRYPT_CS) == "aes256-ctr"
        assert driver.session.methods(libssh2.LIBSSH2_METHOD_MAC_CS) in ("hmac-sha2-256", "hmac-sha2-512")


async def test_a_server_with_other_ciphers_is_still_reached(make_server: MakeServer) -> None:
    """Slow is better than not at all."""
    server = make_server(extra="Ciphers chacha20-poly1305@openssh.com")
    async with driven(server) as driver:
        assert (await run_on(driver, "echo in")).text == "in"


async def test_the_macs_with_known_bugs_are_not_offered(make_server: MakeServer) -> None:
    """A server that takes only those finds nothing in common: GHSA-6c79-444r-wx26 cannot be reached."""
    server = make_server(
        extra="Ciphers aes128-ctr\nMACs hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"
    )
    async with connected(server) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))

    assert caught.value.lineage == ("connection.closed", "connection")


async def test_a_name_that_is_no_cipher_is_refused(server: Server) -> None:
    """With the place where it was written."""
    async with connected(server, ciphers="rot13") as transport:
        with pytest.raises(TransportError, match="rot13") as caught:
            await transport.run(sh("true"))

    assert caught.value.final
    assert "ciphers" in caught.value.remedy


# ---- who is no server


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[int]:
    """A port where every caller hears these bytes and the end; with None, nothing ever."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            if answer is None:
                await anyio.sleep_forever()
            else:
                await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def refused(server: Server, **changes: object) -> TransportError:
    async with connected(server, **changes) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))
    assert not caught.value.ambiguous
    return caught.value


async def test_a_mute_server_is_a_timeout(server: Server) -> None:
    """It takes the connection and says nothing."""
    async with listening(None) as port:
        error = await refused(server, port=port, connect_timeout=1.0)

    assert error.lineage == ("connection.timeout", "connection")
    assert "never spoke SSH" in error.message


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50,
        b"SSH-2.0-x\r\n",
        b"SSH-2.0-x\r\n" + b"\0\0\xff\xff" * 9000,
    ],
    ids=["end", "http", "banner", "junk"],
)
async def test_who_speaks_no_ssh_is_named(server: Server, answer: bytes) -> None:
    """Another service, a broken one, or a hostile one."""
    async with listening(answer) as port:
        error = await refused(server, port=port, connect_timeout=20.0)

    assert error.lineage == ("connection.closed", "connection")
    assert f"127.0.0.1:{port}" in error.message
    assert not error.final


async def test_a_port_that_nobody_listens_on_is_refused(server: Server) -> None:
    """It may be booting: trying again can help."""
    error = await refused(server, port=free_port())

    assert error.lineage == ("connection.refused", "connection")
    assert not error.final


async def test_a_host_that_does_not_answer_is_a_timeout(server: Server) -> None:
    """Its queue of connections is full, so not even TCP answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        error = await refused(server, port=listener.getsockname()[1], connect_timeout=0.3)
        for caller in callers:
            caller.close()

    assert error.lineage == ("connection.timeout", "connection")
    assert "does not answer" in error.message


async def test_a_name_without_an_address_is_unreachable(server: Server) -> None:
    """The name is in the message."""
    error = await refused(server, host="no-such-host.invalid")

    assert error.lineage == ("connection.unreachable", "connection")
    assert "no-such-host.invalid" in error.message


# ---- the cap on starts


async def test_no_more_connections_are_started_at_once_than_allowed(server: Server) -> None:
    """sshd drops logins at random beyond its MaxStartups; the cap is shared by all nodes."""
    now = most = 0

    async def serve(stream: SocketStream) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        async with stream:
            try:
                while await stream.receive():
                    pass
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
            now -= 1  # before our end is closed, for which others get a turn

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        options = server.options(port=port, connect_timeout=0.1)
        starts = ConnectionStarts(2)
        failures: list[str] = []

        async def start(number: int) -> None:
            try:
                await SSHTransport(f"node-{number}", options, starts=starts).run(sh("true"))
            except TransportError as error:
                failures.append(error.lineage[0])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            async with anyio.create_task_group() as nodes:
                for number in range(6):
                    nodes.start_soon(start, number)
            tasks.cancel_scope.cancel()

    assert most == 2
    assert failures == ["connection.timeout"] * 6


async def test_waiting_for_a_turn_is_not_counted_as_time(server: Server) -> None:
    """The sixth of six slow starts has the same patience as the first; none fails for having waited."""
    starts = ConnectionStarts(1)
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            transport = SSHTransport(f"node-{number}", server.options(connect_timeout=10.0), starts=starts)
            tasks.start_soon(once, transport)


async def once(transport: SSHTransport) -> None:
    assert (await transport.run(sh("echo in"))).text == "in"
    await transport.close()


# ---- a peer that vanished


async def test_the_kernel_looks_for_a_peer_that_vanished(server: Server) -> None:
    """TCP's own keepalive: the replies to SSH's stay in libssh2's queue and break its looks into it."""
    async with driven(server) as driver:
        sock = driver.socket()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert 0 < sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 60
        assert 0 < sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000


def test_neither_sftp_nor_the_keepalive_of_ssh_is_used() -> None:
    """A non-blocking SFTP handle can never be closed once it was in the way, and see the test above."""
    text = "".join(path.read_text() for path in Path(transports.ssh.__file__).parent.glob("*.py"))
    assert not re.findall(r"sftp_|keepalive_config|keepalive_send|\.scp_", text)
