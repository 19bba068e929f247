"""Proving who we are: keys, the agent, passwords, and what is said when nothing is accepted."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, sh
from tests.transports.ssh.relay import relay
from tests.transports.sshd import Server, agent, make_key, short_folder
from tests.transports.users import TemporaryUser
from transports.base import TransportError
from transports.ssh import HostKeys
from transports.ssh.agent import identities
from transports.ssh.hostkeys import fingerprint
from transports.ssh.keyfiles import read

pytestmark = pytest.mark.anyio

KINDS = {
    "rsa": ("-t", "rsa", "-b", "2048"),
    "rsa-pem": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    "ecdsa-256": ("-t", "ecdsa", "-b", "256"),
    "ecdsa-521": ("-t", "ecdsa", "-b", "521"),
}


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A key that no server knows."""
    return make_key(tmp_path / "stranger")


async def refused(server: Server, **changes: object) -> TransportError:
    async with connected(server, **changes) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))
    assert caught.value.final
    assert not caught.value.ambiguous
    return caught.value


async def enters(server: Server, **changes: object) -> bool:
    async with connected(server, **changes) as transport:
        return (await transport.run(sh("echo in"))).text == "in"


# ---- key files


@pytest.mark.parametrize("kind", KINDS)
async def test_every_usual_kind_of_key_gets_in(server: Server, tmp_path: Path, kind: str) -> None:
    """OpenSSH's own format and PEM."""
    path = make_key(tmp_path / kind, *KINDS[kind])
    server.authorize(path)

    assert await enters(server, key_files=(path,))


async def test_the_first_key_that_is_accepted_is_taken(server: Server, stranger: Path) -> None:
    """A key that the server does not know costs one try, not the login."""
    assert await enters(server, key_files=(stranger, server.key))


@pytest.mark.parametrize("options", [(), ("-t", "rsa", "-b", "2048", "-m", "PEM")], ids=["openssh", "pem"])
async def test_a_key_with_a_passphrase_gets_in(
    server: Server, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The passphrase is asked for with the key's path."""
    path = make_key(tmp_path / "locked", *options, passphrase="sesame")
    server.authorize(path)

    assert await enters(server, key_files=(path,), passphrase={path: "sesame"}.get)


async def test_a_passphrase_is_not_asked_for_where_the_agent_holds_the_key(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent signs; nobody types."""
    path = make_key(tmp_path / "locked")
    server.authorize(path)

    def never(_: Path) -> str:
        raise AssertionError("asked")

    with agent(path) as sock:
        subprocess.run(
            ["ssh-keygen", "-q", "-p", "-P", "", "-N", "sesame", "-f", str(path)],
            check=True,
            capture_output=True,
        )
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        assert await enters(server, key_files=(path,), use_agent=True, passphrase=never)


async def test_opening_a_key_does_not_stop_the_event_loop(server: Server, tmp_path: Path) -> None:
    """Its derivation takes a third of a second of computing: in a thread."""
    path = make_key(tmp_path / "locked", "-t", "ed25519", "-a", "32", passphrase="sesame")
    server.authorize(path)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await anyio.sleep(0.01)
            beats += 1

    async with (
        anyio.create_task_group() as tasks,
        connected(server, key_files=(path,), passphrase=lambda _: "sesame") as transport,
    ):
        tasks.start_soon(beat)
        await transport.run(sh("true"))
        tasks.cancel_scope.cancel()

    assert beats > 10


async def test_a_wrong_passphrase_is_said_to_be_wrong(server: Server, tmp_path: Path) -> None:
    """It is not the server that refuses."""
    path = make_key(tmp_path / "locked", passphrase="sesame")

    error = await refused(server, key_files=(path,), passphrase=lambda _: "open")

    assert error.lineage == ("auth.passphrase", "auth")
    assert f"ssh-add {path}" in error.remedy


async def test_a_key_that_needs_a_passphrase_says_so_when_there_is_none(
    server: Server, tmp_path: Path
) -> None:
    """With the command that helps."""
    path = make_key(tmp_path / "locked", passphrase="sesame")

    error = await refused(server, key_files=(path,))

    assert error.lineage == ("auth.passphrase", "auth")
    assert "no passphrase was given" in error.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"hello", "is not a private key"),
        (b"ssh-ed25519 AAAA me", "is a public key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "is damaged"),
    ],
    ids=["missing", "text", "public", "damaged"],
)
async def test_a_file_that_is_no_key_is_named(
    server: Server, tmp_path: Path, content: bytes | None, words: str
) -> None:
    """The path and what is wrong with it, before the server is bothered with it."""
    path = tmp_path / "id"
    if content is not None:
        path.write_bytes(content)

    error = await refused(server, key_files=(path,))

    assert error.lineage == ("auth.key-file", "auth")
    assert str(path) in error.message
    assert words in error.message


async def test_an_encryption_that_libssh2_lacks_is_named(server: Server, tmp_path: Path) -> None:
    """With the command that changes it."""
    path = make_key(tmp_path / "id", "-t", "ed25519", "-Z", "chacha20-poly1305@openssh.com", passphrase="x")

    error = await refused(server, key_files=(path,), passphrase=lambda _: "x")

    assert "chacha20-poly1305" in error.message
    assert f"ssh-keygen -p -Z aes256-ctr -f {path}" in error.remedy


async def test_a_refused_login_names_the_user_and_every_key_that_was_offered(
    server: Server, stranger: Path
) -> None:
    """So that one can look for it in authorized_keys."""
    error = await refused(server, key_files=(stranger,))

    assert error.lineage == ("auth.rejected", "auth")
    assert f"the login of {server.user} was refused" in error.message
    assert fingerprint(read(stranger).public) in error.message
    assert str(stranger) in error.message


async def test_a_login_without_any_proof_says_that_there_was_none(server: Server) -> None:
    """No key, no agent, no password: the user forgot to name one."""
    error = await refused(server, key_files=())

    assert "no key file, no agent and no password was given" in error.message


async def test_too_many_keys_are_a_refusal_and_no_loss(make_server: MakeServer, tmp_path: Path) -> None:
    """sshd hangs up after MaxAuthTries; the keys offered are in the message."""
    server = make_server(extra="MaxAuthTries 2")
    keys = tuple(make_key(tmp_path / f"key{number}") for number in range(4))

    error = await refused(server, key_files=keys)

    assert error.lineage == ("auth.rejected", "auth")
    assert "key0" in error.message


async def test_a_server_that_had_enough_of_one_key_is_a_refusal(
    make_server: MakeServer, stranger: Path
) -> None:
    """It says goodbye before it hangs up: trying again would be refused again."""
    error = await refused(make_server(extra="MaxAuthTries 1"), key_files=(stranger,))

    assert error.lineage == ("auth.rejected", "auth")


# ---- a server that goes in the middle of it


def refusals_by(server: Server) -> int:
    return server.said().count("Failed publickey")


async def broken_off(server: Server, refusals: int, **changes: object) -> TransportError:
    """How a login ends whose connection drops, without a word, when so many keys were refused."""
    any_host = HostKeys([server.folder / "known_behind_the_relay"], accept_new=True)
    before = refusals_by(server)
    async with (
        relay(server, lambda: refusals_by(server) - before >= refusals) as port,
        connected(server, port=port, host_keys=any_host, **changes) as transport,
    ):
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))
    assert not caught.value.ambiguous
    return caught.value


@pytest.mark.parametrize("by_agent", [False, True])
@pytest.mark.parametrize("refusals", [1, 2, 4])
async def test_a_connection_that_drops_after_refusals_is_a_loss(
    server: Server, tmp_path: Path, refusals: int, by_agent: bool
) -> None:
    """A node that boots or goes down lets nobody in (pam_nologin) and hangs up; a minute later it does.
    Who says nothing has refused nothing."""
    keys = tuple(make_key(tmp_path / f"key{number}") for number in range(refusals))
    if by_agent:
        with agent(*keys, server.key) as sock:
            by_it = {"key_files": (), "use_agent": True, "agent_socket": str(sock)}
            error = await broken_off(server, refusals, **by_it)
    else:
        error = await broken_off(server, refusals, key_files=(*keys, server.key))

    assert (error.lineage[0], error.final) == ("connection.closed", False)


@pytest.mark.parametrize("password", [None, "wrong"])
async def test_a_connection_that_drops_in_the_login_names_what_may_be_behind_it(
    server: Server, stranger: Path, password: str | None
) -> None:
    """An account that PAM keeps out looks like a machine that boots: only its own log tells."""
    keys = (stranger, server.key) if password is None else (stranger,)

    error = await broken_off(server, 1, key_files=keys, password=lambda: password)

    assert not error.final
    assert "the server closed the connection" in error.message
    assert "journalctl -u ssh" in error.message


async def test_a_connection_that_drops_after_many_refusals_names_the_remedy(
    server: Server, tmp_path: Path
) -> None:
    """Other servers than sshd hang up without a word where they had enough keys."""
    keys = tuple(make_key(tmp_path / f"key{number}") for number in range(5))

    error = await broken_off(server, 5, key_files=(*keys, server.key))

    assert not error.final
    assert "after 6 offers" in error.message
    assert "identities_only: true" in error.message


# ---- the agent


@pytest.fixture
def agent_with_key(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An agent that holds a stranger's key and the right one, as the environment's agent."""
    with agent(make_key(tmp_path / "other"), server.key) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        yield sock


async def test_the_agent_signs(server: Server, agent_with_key: Path) -> None:
    """All its keys are offered, in its order."""
    assert await enters(server, key_files=(), use_agent=True)


async def test_the_agent_is_left_alone_where_it_is_not_wanted(server: Server, agent_with_key: Path) -> None:
    """`use_agent` is off."""
    assert "Offered: nothing" in (await refused(server, key_files=())).message


async def test_only_named_keys_are_offered_where_that_is_asked_for(
    server: Server, agent_with_key: Path, stranger: Path
) -> None:
    """`identities_only`: the agent's other keys stay at home."""
    error = await refused(server, key_files=(stranger,), use_agent=True, identities_only=True)

    assert "(agent)" not in error.message


async def test_no_agent_is_no_error(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A socket that nobody serves, and no socket at all."""
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "absent"))
    assert await enters(server, use_agent=True)
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert await enters(server, use_agent=True)


async def test_an_agent_that_never_answers_is_given_up() -> None:
    """It holds nobody up for long."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "mute"))
        listener.listen()
        with anyio.fail_after(60):
            assert await identities(str(folder / "mute"), patience=0.1) == ()


# ---- passwords


async def test_a_password_gets_in_and_is_asked_for_only_when_needed(
    make_server: MakeServer, temporary_user: TemporaryUser
) -> None:
    """A key that is accepted asks nobody for a password."""
    server = make_server()
    asked: list[str] = []

    def tell() -> str:
        asked.append("")
        return temporary_user.password

    assert await enters(server, password=tell)
    assert asked == []
    assert await enters(server, user=temporary_user.name, key_files=(), password=tell)
    assert asked == [""]


async def test_a_wrong_password_is_refused(make_server: MakeServer, temporary_user: TemporaryUser) -> None:
    """It is said that a password was offered; not which."""
    server = make_server()

    error = await refused(server, user=temporary_user.name, key_files=(), password=lambda: "swordfish")

    assert error.lineage == ("auth.rejected", "auth")
    assert "a password" in error.message
    assert "swordfish" not in error.message


async def test_a_user_without_a_shell_is_named(
    make_server: MakeServer, temporary_user: TemporaryUser
) -> None:
    """The login works and no command does: that is neither a lost connection nor a failed command."""
    subprocess.run(["usermod", "-s", "/usr/sbin/nologin", temporary_user.name], check=True)
    server = make_server()

    error = await refused(
        server, user=temporary_user.name, key_files=(), password=lambda: temporary_user.password
    )

    assert "can log in but not run commands" in error.message
    assert temporary_user.name in error.message
