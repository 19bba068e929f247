"""What a host is called: IPv6, ports, aliases, and names against addresses in known_hosts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, sh
from tests.transports.ssh.test_bastions import bastion_to, behind
from tests.transports.sshd import HOST, Server, public
from transports.base import TransportError
from transports.ssh import HostKeys

pytestmark = pytest.mark.anyio


@pytest.fixture
def six(make_server: MakeServer) -> Server:
    """A server at ::1; skip where there is no IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("there is no IPv6 here")
    return make_server(host="::1")


async def lead_in(server: Server, **changes: object) -> None:
    async with connected(server, **changes) as transport:
        assert (await transport.run(sh("echo in"))).text == "in"


async def test_an_ipv6_address_is_reached_and_known_with_its_port(six: Server) -> None:
    """`[::1]:port` in known_hosts."""
    assert f"[::1]:{six.port} " in six.known_hosts.read_text()
    await lead_in(six)


async def test_an_ipv6_address_is_reached_through_a_bastion(make_server: MakeServer, six: Server) -> None:
    """From IPv4 to IPv6, and a bastion at IPv6."""
    async with behind(six, bastion_to(make_server())) as transport:
        assert (await transport.run(sh("echo in"))).text == "in"
    async with behind(make_server(), bastion_to(six)) as transport:
        assert (await transport.run(sh("echo in"))).text == "in"


async def test_an_ipv6_address_stands_in_brackets_in_messages(six: Server, tmp_path: Path) -> None:
    """So that the port is not taken for a part of it."""
    async with connected(six, host_keys=HostKeys([tmp_path / "none"])) as transport:
        with pytest.raises(TransportError) as refused:
            await transport.run(sh("true"))
    assert f"[::1]:{six.port} shows a host key" in refused.value.message


async def test_a_host_is_known_by_its_alias_alone(server: Server, tmp_path: Path) -> None:
    """HostKeyAlias: without a port, whatever the address is; the address's own line does not count."""
    known = tmp_path / "known"
    known.write_text(f"web-1 {public(server.folder / 'host_ed25519')}\n")

    await lead_in(server, host_keys=HostKeys([known]), known_as="Web-1")
    with pytest.raises(TransportError, match="not known"):
        await lead_in(server, host_keys=HostKeys([server.known_hosts]), known_as="other")


async def test_a_name_and_its_address_are_two_hosts(server: Server, tmp_path: Path) -> None:
    """A stale line of the address does not make the name's key a changed one, nor the other way round."""
    known = tmp_path / "known"
    stale = public(server.key)
    right = public(server.folder / "host_ed25519")
    known.write_text(f"[{HOST}]:{server.port} {stale}\n[localhost]:{server.port} {right}\n")

    await lead_in(server, host="localhost", host_keys=HostKeys([known]))
    with pytest.raises(TransportError, match="has changed"):
        await lead_in(server, host_keys=HostKeys([known]))
