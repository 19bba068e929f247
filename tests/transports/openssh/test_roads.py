"""Ways to a node that the user's own ssh knows: none, bastions, ProxyCommand, ssh_config; and to root."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.processes import is_alive
from tests.transports.conftest import MakeServer
from tests.transports.openssh.conftest import below, connected, enters, masters, refused, shown_by
from tests.transports.ssh.conftest import sh
from tests.transports.sshd import HOST, Server, free_port, wait_until
from tests.transports.users import TemporaryUser, sudo_rule
from transports.base import TransportError

pytestmark = pytest.mark.anyio


# ---- roads


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


async def test_a_port_where_nobody_listens_is_refused(server: Server) -> None:
    """That may be better in a minute."""
    error = await refused(server, port=free_port())

    assert error.lineage == ("connection.refused", "connection")
    assert not error.final


async def test_a_name_that_nobody_has_is_unreachable(server: Server) -> None:
    """`.invalid` is reserved for that (RFC 2606)."""
    error = await refused(server, host="nowhere.invalid")

    assert error.lineage == ("connection.unreachable", "connection")


async def test_a_mute_server_is_a_timeout(server: Server, mute: int) -> None:
    """It takes the connection and never speaks SSH."""
    error = await refused(server, port=mute, connect_timeout=1.0)

    assert error.lineage == ("connection.timeout", "connection")


async def test_a_program_that_is_not_there_is_named(server: Server) -> None:
    """With the package, and the other transport."""
    error = await refused(server, program="ssh-that-nobody-has")

    assert error.final
    assert "ssh-that-nobody-has" in error.message
    assert "openssh-client" in error.remedy


@pytest.mark.parametrize("length", [60, 200])
async def test_a_long_path_for_sockets_is_not_used(server: Server, tmp_path: Path, length: int) -> None:
    """A socket's name has about a hundred bytes: then the folder is made in /tmp."""
    base = tmp_path / ("x" * length)
    base.mkdir()

    assert await enters(server, base=base)
    assert list(base.iterdir()) == []


async def test_the_servers_greeting_is_no_complaint(make_server: MakeServer, tmp_path: Path) -> None:
    """Whatever a banner says, it is not why a connection was lost later."""
    banner = tmp_path / "banner"
    banner.write_text("Connection refused to all but staff\n")
    server = make_server(extra=f"Banner {banner}")
    async with connected(server) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("kill -9 $$"))

    assert "staff" not in caught.value.message


# ---- what only the user's own ssh can do


async def test_a_proxy_command_of_the_ssh_config_is_used(server: Server, tmp_path: Path) -> None:
    """The name is known to nobody but it; its process ends with the connection."""
    proxy = f'{sys.executable} -I -c "{RELAY}" {HOST} {server.port}'
    config = tmp_path / "ssh_config"
    config.write_text(
        "Host behind\n  HostName node.invalid\n"
        f"  HostKeyAlias [{HOST}]:{server.port}\n  ProxyCommand {proxy}\n"
    )

    async with connected(server, host="behind", config=config, port=None, user=None) as transport:
        assert (await transport.run(sh("echo through"))).text == "through"
        relays = [pid for pid in below(masters()[0]) if any(b"relay" in text for text in shown_by([pid]))]
        assert relays
    wait_until(lambda: not any(map(is_alive, relays)), "the ProxyCommand lives on")


RELAY = (
    "import socket,sys,threading,os; relay=socket.create_connection((sys.argv[1],int(sys.argv[2]))); "
    "threading.Thread(target=lambda: [relay.sendall(d) for d in iter(lambda: os.read(0,65536), b'')] "
    "and os._exit(0), daemon=True).start(); "
    "[os.write(1,d) for d in iter(lambda: relay.recv(65536), b'')]"
)


async def test_bastions_are_gone_through(server: Server, make_server: MakeServer, tmp_path: Path) -> None:
    """In their order, with the same rules for host keys: `-o` words would not reach their ssh."""
    bastions = (make_server(), make_server())
    known = tmp_path / "known"
    known.write_text("".join(each.known_hosts.read_text() for each in (server, *bastions)))
    for bastion in bastions:
        bastion.authorize(server.key)
    jumps = tuple(f"{bastion.user}@{HOST}:{bastion.port}" for bastion in bastions)

    assert await enters(server, jumps=jumps, known_hosts=(known,))
    assert [bastion.said().count("Accepted publickey") for bastion in bastions] == [1, 1]


async def test_an_unknown_bastion_is_refused(server: Server, make_server: MakeServer) -> None:
    """Its host key counts as the node's does."""
    bastion = make_server()
    error = await refused(server, jumps=(f"{HOST}:{bastion.port}",))

    assert error.lineage == ("hostkey.unknown", "hostkey")
    assert str(bastion.port) in error.message


async def test_a_bastion_never_hears_the_nodes_password(
    server: Server, make_server: MakeServer, temporary_user: TemporaryUser, tmp_path: Path
) -> None:
    """It is another machine, and perhaps another's."""
    bastion = make_server(extra="PubkeyAuthentication no")
    known = tmp_path / "known"
    known.write_text(server.known_hosts.read_text() + bastion.known_hosts.read_text())

    error = await refused(
        server,
        user=temporary_user.name,
        key_files=(),
        password=lambda: temporary_user.password,
        known_hosts=(known,),
        jumps=(f"{temporary_user.name}@{HOST}:{bastion.port}",),
    )

    assert error.lineage == ("auth.rejected", "auth")
    assert "a bastion asks" in error.message
    assert "Accepted password" not in bastion.said()


async def test_the_ssh_config_says_who_and_where(server: Server, tmp_path: Path) -> None:
    """Name, port and key come from it where the manifest has none."""
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host node\n  HostName {HOST}\n  Port {server.port}\n"
        f"  User {server.user}\n  IdentityFile {server.key}\n"
    )

    async with connected(server, host="node", port=None, user=None, key_files=(), config=config) as transport:
        assert (await transport.run(sh("id -u", sudo=os.geteuid() == 0))).text == str(os.geteuid())


async def test_a_restriction_of_ciphers_is_obeyed(make_server: MakeServer, tmp_path: Path) -> None:
    """As on a system in FIPS mode: a server that has no other is not talked to."""
    config = tmp_path / "ssh_config"
    config.write_text("Ciphers aes256-gcm@openssh.com\n")
    server, other = (
        make_server(extra="Ciphers aes256-gcm@openssh.com"),
        make_server(extra="Ciphers aes128-ctr"),
    )

    assert await enters(server, config=config)
    error = await refused(other, config=config)

    assert error.lineage == ("connection.closed", "connection")
    assert error.final
    assert "cipher" in error.message
    assert "aes128-ctr" in error.message


async def test_a_configuration_that_ssh_does_not_understand_is_named(server: Server, tmp_path: Path) -> None:
    """With its file and line."""
    config = tmp_path / "ssh_config"
    config.write_text("Frobnicate yes\n")

    error = await refused(server, config=config)

    assert f"{config}: line 1" in error.message
    assert error.final


async def test_commands_and_forwardings_of_the_ssh_config_stay_out(server: Server, tmp_path: Path) -> None:
    """They are for people: a RemoteCommand, a LocalCommand, a forwarding whose port is taken, a terminal."""
    config = tmp_path / "ssh_config"
    config.write_text(
        f"RemoteCommand tmux\nLocalForward {server.port} 127.0.0.1:1\nExitOnForwardFailure yes\n"
        f"PermitLocalCommand yes\nLocalCommand touch {tmp_path}/ran\nRequestTTY force\n"
        f"ControlMaster auto\nControlPath {tmp_path}/c\nControlPersist yes\nForwardAgent yes\n"
    )

    assert await enters(server, config=config)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "c").exists()


# ---- sudo


async def test_sudo_asks_over_stdin(server: Server, temporary_user: TemporaryUser) -> None:
    """The password, then the command's own input; a wrong one is said to be wrong."""
    if not shutil.which("sudo"):
        pytest.skip("sudo is not installed")
    login = {"user": temporary_user.name, "key_files": (), "password": lambda: temporary_user.password}
    with sudo_rule(temporary_user, "ALL=(ALL) ALL"):
        async with connected(server, **login, sudo_password=lambda: temporary_user.password) as transport:
            outcome = await transport.run(sh("id -u; cat; echo said >&2", sudo=True, stdin=b"mine"))
            assert (outcome.stdout, outcome.stderr) == (b"0\nmine", b"said\n")
        async with connected(server, **login, sudo_password=lambda: "swordfish") as transport:
            with anyio.fail_after(60), pytest.raises(TransportError) as caught:
                await transport.run(sh("id -u", sudo=True))

    assert caught.value.lineage == ("sudo.password", "sudo")


async def test_a_configuration_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    """ssh would leave it out without a word."""
    error = await refused(server, config=tmp_path / "absent")

    assert str(tmp_path / "absent") in error.message
    assert error.final


async def test_doas_is_never_given_a_password(server: Server, temporary_user: TemporaryUser) -> None:
    """It reads one from a terminal alone: that is said instead of waiting."""
    login = {"user": temporary_user.name, "key_files": (), "password": lambda: temporary_user.password}
    async with connected(server, **login, escalate="doas", sudo_password=lambda: "x") as transport:
        with pytest.raises(TransportError, match="terminal") as caught:
            await transport.run(sh("id -u", sudo=True))

    assert caught.value.lineage == ("sudo.password", "sudo")
    assert caught.value.final


async def test_a_doas_that_refuses_is_named(server: Server, temporary_user: TemporaryUser) -> None:
    """Or one that is not there."""
    login = {"user": temporary_user.name, "key_files": (), "password": lambda: temporary_user.password}
    async with connected(server, **login, escalate="doas") as transport:
        with pytest.raises(TransportError, match="doas") as caught:
            await transport.run(sh("id -u", sudo=True))

    assert caught.value.lineage[-1] == "sudo"
