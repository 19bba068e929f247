"""Logging in by the user's own ssh against a real server: proofs, secrets, host keys, roads, refusals."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.openssh.conftest import children, connected, enters, masters, refused
from tests.transports.ssh.conftest import sh, until
from tests.transports.sshd import HOST, Server, agent, free_port, is_alive, make_key, wait_until
from tests.transports.users import TemporaryUser, sudo_rule
from transports.base import TransportError

pytestmark = pytest.mark.anyio


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A key that no server knows."""
    return make_key(tmp_path / "stranger")


@pytest.fixture
def locked(server: Server, tmp_path: Path) -> Path:
    """A key that the server knows, behind a passphrase."""
    path = make_key(tmp_path / "locked", passphrase="sesame")
    server.authorize(path)
    return path


# ---- keys


async def test_a_key_with_a_passphrase_gets_in(server: Server, locked: Path) -> None:
    """The passphrase is asked for with the key's path, by ssh itself."""
    assert await enters(server, key_files=(locked,), passphrase={locked: "sesame"}.get)


async def test_a_wrong_passphrase_is_said_to_be_wrong(server: Server, locked: Path) -> None:
    """ssh would try on, and say only that nothing was accepted."""
    error = await refused(server, key_files=(locked,), passphrase=lambda _: "swordfish")

    assert error.lineage == ("auth.passphrase", "auth")
    assert str(locked) in error.message
    assert "swordfish" not in str(vars(error))


async def test_a_passphrase_that_is_not_there_is_said_to_be_missing(server: Server, locked: Path) -> None:
    """Such as a variable that is not set."""
    error = await refused(server, key_files=(locked,), passphrase=lambda _: None)

    assert error.lineage == ("auth.passphrase", "auth")
    assert "none was given" in error.message or "no passphrase was given" in error.message


async def test_the_agent_signs(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key file: as for a hardware key."""
    key = make_key(tmp_path / "held")
    server.authorize(key)
    with agent(tmp_path, key) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        assert await enters(server, key_files=(), use_agent=True)


async def test_too_many_keys_are_named_and_one_alone_gets_in(
    make_server: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sshd counts every key that is offered."""
    server = make_server(extra="MaxAuthTries 2")
    strangers = [make_key(tmp_path / f"stranger{number}") for number in range(4)]
    with agent(tmp_path, *strangers) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        error = await refused(server, use_agent=True)
        assert await enters(server, use_agent=True, identities_only=True)

    assert error.lineage == ("auth.rejected", "auth")
    assert "identities_only" in error.remedy


async def test_a_key_that_is_not_accepted_is_refused(server: Server, stranger: Path) -> None:
    """With the methods that the server would take."""
    error = await refused(server, key_files=(stranger,))

    assert error.lineage == ("auth.rejected", "auth")
    assert error.final
    assert "publickey" in error.message


async def test_a_key_file_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    """ssh would skip it without a word."""
    error = await refused(server, key_files=(tmp_path / "absent",))

    assert error.lineage == ("auth.key-file", "auth")
    assert str(tmp_path / "absent") in error.message


async def test_a_key_file_that_others_can_read_is_named(server: Server, tmp_path: Path) -> None:
    """ssh does not use it."""
    key = make_key(tmp_path / "open")
    server.authorize(key)
    key.chmod(0o644)

    error = await refused(server, key_files=(key,))

    assert error.lineage == ("auth.key-file", "auth")
    assert "chmod 600" in error.remedy


# ---- passwords


async def test_a_password_gets_in_and_is_asked_for_once(
    server: Server, temporary_user: TemporaryUser
) -> None:
    """One question to the person for many commands."""
    asked: list[str] = []

    def answer() -> str:
        asked.append("")
        return temporary_user.password

    async with connected(server, user=temporary_user.name, key_files=(), password=answer) as transport:
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(transport.run, sh("true"))
        assert (await transport.run(sh("id -un"))).text == temporary_user.name

    assert asked == [""]


async def test_a_wrong_password_is_said_to_be_wrong(server: Server, temporary_user: TemporaryUser) -> None:
    """It is told to the server once, and in no message."""
    before = server.said().count("Failed password for " + temporary_user.name)
    error = await refused(server, user=temporary_user.name, key_files=(), password=lambda: "swordfish")

    assert error.lineage == ("auth.rejected", "auth")
    assert "password was not accepted" in error.message
    assert "swordfish" not in str(vars(error))
    assert server.said().count("Failed password for " + temporary_user.name) - before == 1


async def test_a_password_of_two_lines_is_refused(server: Server, temporary_user: TemporaryUser) -> None:
    """ssh would drop the rest without a word."""
    error = await refused(server, user=temporary_user.name, key_files=(), password=lambda: "a\nb")

    assert "not one line" in error.message


async def test_no_secret_is_in_arguments_variables_or_files(
    server: Server, temporary_user: TemporaryUser, monkeypatch: pytest.MonkeyPatch, short_path: Path
) -> None:
    """While ssh asks, and while a command runs: nothing of ours, of ssh, or of its helper shows it."""
    monkeypatch.setenv("NODE_PASSWORD", temporary_user.password)
    seen: list[bytes] = []

    def look() -> str:
        seen.extend(shown_by(below(os.getpid())))
        return os.environ["NODE_PASSWORD"]

    options = {"user": temporary_user.name, "key_files": (), "base": short_path}
    withheld = frozenset({"NODE_PASSWORD"})
    async with connected(server, **options, password=look, withheld=withheld) as transport:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.run, sh("read x; echo $x", stdin=b"hidden word\n"))
            await until(lambda: bool(seen))
        await transport.run(sh("true"))
        seen += shown_by(below(os.getpid()))
        seen += [path.read_bytes() for path in short_path.rglob("*") if path.is_file()]

    assert len(seen) > 6
    assert not [text for text in seen if temporary_user.password.encode() in text or b"hidden word" in text]
    assert list(short_path.iterdir()) == []


def below(pid: int) -> list[int]:
    """The processes below one that ssh is, or has started."""
    found = [child for name in ("ssh", "sh", "cat", "python", "python3") for child in children(pid, name)]
    return [*found, *(more for child in found for more in below(child))]


def shown_by(pids: list[int]) -> list[bytes]:
    texts = []
    for pid in pids:
        for name in ("cmdline", "environ"):
            try:
                texts.append(Path(f"/proc/{pid}/{name}").read_bytes())
            except FileNotFoundError:
                continue
    return texts


async def test_a_users_shell_that_runs_nothing_is_named(
    server: Server, temporary_user: TemporaryUser
) -> None:
    """The login works and no command does."""
    subprocess.run(["usermod", "-s", "/usr/sbin/nologin", temporary_user.name], check=True)

    error = await refused(
        server, user=temporary_user.name, key_files=(), password=lambda: temporary_user.password
    )

    assert "can log in but not run commands" in error.message


# ---- host keys


async def test_an_unknown_host_key_is_refused_before_any_secret(server: Server, tmp_path: Path) -> None:
    """The remedy names the verb that pins it."""

    def never() -> str:
        raise AssertionError("asked")

    error = await refused(server, known_hosts=(tmp_path / "empty",), key_files=(), password=never)

    assert error.lineage == ("hostkey.unknown", "hostkey")
    assert error.final
    assert "mk8s trust" in error.remedy


async def test_a_new_host_key_is_accepted_once_and_kept(server: Server, tmp_path: Path) -> None:
    """In the first file, where the built-in transport finds it, too."""
    kept = tmp_path / "kept"

    assert await enters(server, known_hosts=(kept, tmp_path / "other"), accept_new=True)
    assert await enters(server, known_hosts=(kept,))


async def test_a_changed_host_key_is_never_accepted(
    server: Server, make_server: MakeServer, tmp_path: Path
) -> None:
    """Not even where new ones are."""
    other = make_server()
    wrong = tmp_path / "wrong"
    wrong.write_text(f"[{HOST}]:{server.port} " + other.known_line("ed25519").split(" ", 1)[1] + "\n")

    error = await refused(server, known_hosts=(wrong,), accept_new=True)

    assert error.lineage == ("hostkey.changed", "hostkey")
    assert f"{wrong} line 1" in error.message
    assert "SHA256:" in error.message


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
        relays = [pid for pid in below(masters()[0]) if b"relay" in shown_by([pid])[0]]
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
            with anyio.fail_after(20), pytest.raises(TransportError) as caught:
                await transport.run(sh("id -u", sudo=True))

    assert caught.value.lineage == ("sudo.password", "sudo")


async def test_a_configuration_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    """ssh would leave it out without a word."""
    error = await refused(server, config=tmp_path / "absent")

    assert str(tmp_path / "absent") in error.message
    assert error.final


async def test_an_error_of_who_is_asked_comes_out_as_it_is(server: Server, locked: Path) -> None:
    """It is the caller's own."""

    def fail(_: Path) -> str:
        raise RuntimeError("the keyring is closed")

    async with connected(server, key_files=(locked,), passphrase=fail) as transport:
        with pytest.raises(RuntimeError, match="keyring"):
            await transport.run(sh("true"))
    assert masters() == []


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
