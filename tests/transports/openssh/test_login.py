"""Proving who we are by the user's own ssh, against a real server: keys, passwords, host keys."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.openssh.conftest import below, connected, enters, masters, refused, shown_by
from tests.transports.ssh.conftest import sh, until
from tests.transports.sshd import HOST, Server, agent, make_key
from tests.transports.users import TemporaryUser

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
    with agent(key) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        assert await enters(server, key_files=(), use_agent=True)


async def test_too_many_keys_are_named_and_one_alone_gets_in(
    make_server: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sshd counts every key that is offered."""
    server = make_server(extra="MaxAuthTries 2")
    strangers = [make_key(tmp_path / f"stranger{number}") for number in range(4)]
    with agent(*strangers) as sock:
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
    said = "Failed password for " + temporary_user.name
    await until(lambda: server.said().count(said) > before)  # sshd answers first and writes it down then
    assert server.said().count(said) - before == 1


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
    kept = tmp_path / "not yet there" / "kept"

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


async def test_an_error_of_who_is_asked_comes_out_as_it_is(server: Server, locked: Path) -> None:
    """It is the caller's own."""

    def fail(_: Path) -> str:
        raise RuntimeError("the keyring is closed")

    async with connected(server, key_files=(locked,), passphrase=fail) as transport:
        with pytest.raises(RuntimeError, match="keyring"):
            await transport.run(sh("true"))
    assert masters() == []
