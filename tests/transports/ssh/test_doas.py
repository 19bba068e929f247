"""Becoming root with a real doas, and what every command of a node finds in its environment."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, sh
from tests.transports.sshd import Server
from tests.transports.users import TemporaryUser
from transports.base import ArgumentError, TransportError
from transports.local import LocalTransport
from transports.shell import Conversation, wrap
from transports.sudo import refusal

RULES = Path("/etc/doas.conf")


@pytest.fixture
def rules() -> Iterator[Path]:
    """doas's rules; skip, saying why, where doas is not there or has rules already. One test at a time has
    them: a machine has one such file."""
    if not shutil.which("doas"):
        pytest.skip("doas is not installed (Debian: apt install opendoas)")
    turn = os.open(RULES.parent, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if RULES.exists():
            pytest.skip("there is a doas.conf already")
        yield RULES
        RULES.unlink(missing_ok=True)
    finally:
        os.close(turn)


def allow(rules: Path, line: str) -> None:
    rules.write_text(line + "\n")
    rules.chmod(0o600)


async def by_doas(server: Server, user: TemporaryUser, **changes: object) -> TransportError:
    login = {"user": user.name, "key_files": (), "password": lambda: user.password, "escalate": "doas"}
    async with connected(server, **{**login, **changes}) as transport:
        with anyio.fail_after(60), pytest.raises(TransportError) as caught:
            await transport.run(sh("id -u", sudo=True))
        assert (await transport.run(sh("echo usable"))).text == "usable"
    assert caught.value.final
    return caught.value


@pytest.mark.anyio
async def test_doas_makes_root_where_it_asks_for_no_password(
    make_server: MakeServer, temporary_user: TemporaryUser, rules: Path
) -> None:
    """Input, both outputs and the exit status are the command's own."""
    allow(rules, f"permit nopass {temporary_user.name} as root")
    login = {"user": temporary_user.name, "key_files": (), "password": lambda: temporary_user.password}
    async with connected(make_server(), **login, escalate="doas") as transport:
        outcome = await transport.run(sh("id -u; cat; echo said >&2; exit 4", sudo=True, stdin=b"mine"))

    assert (outcome.status, outcome.stdout, outcome.stderr) == (4, b"0\nmine", b"said\n")


@pytest.mark.anyio
async def test_doas_that_wants_a_password_is_refused_with_the_rule_that_helps(
    make_server: MakeServer, temporary_user: TemporaryUser, rules: Path
) -> None:
    """It reads one from a terminal alone, and there is none."""
    allow(rules, f"permit {temporary_user.name} as root")
    error = await by_doas(make_server(), temporary_user)

    assert error.lineage == ("sudo.password", "sudo")
    assert f"permit nopass {temporary_user.name} as root" in error.remedy


@pytest.mark.anyio
async def test_doas_without_a_rule_is_refused(
    make_server: MakeServer, temporary_user: TemporaryUser, rules: Path
) -> None:
    """In its own words."""
    allow(rules, "permit nopass somebody-else as root")
    error = await by_doas(make_server(), temporary_user)

    assert error.lineage == ("sudo.refused", "sudo")
    assert "doas" in error.message


@pytest.mark.anyio
async def test_a_password_for_doas_is_refused_before_anything_is_sent(
    make_server: MakeServer, temporary_user: TemporaryUser
) -> None:
    """Nobody is asked for it, either."""

    def never() -> str:
        raise AssertionError("asked")

    error = await by_doas(make_server(), temporary_user, sudo_password=never)
    assert error.lineage == ("sudo.password", "sudo")


@pytest.mark.parametrize(
    ("said", "lineage"),
    [
        ("doas: Authentication required", "sudo.password"),
        ("doas: a tty is required", "sudo.password"),
        ("doas: Operation not permitted", "sudo.refused"),
        ("sh: 1: doas: not found", "sudo.refused"),
    ],
)
def test_the_words_of_doas_are_understood(said: str, lineage: str) -> None:
    """OpenBSD's and Linux's."""
    talk = Conversation("mark")
    talk.hear(said.encode() + b"\n")

    assert refusal("node-1", "me", talk, had_password=False, escalate="doas").lineage[0] == lineage


def test_doas_is_never_given_a_password() -> None:
    """Not even where one is known."""
    wrapper = wrap(sh("true", sudo=True), "mark", sudo=True, password=True, stdin=False, escalate="doas")[2]

    assert "doas -n -- sh -c" in wrapper
    assert "ask" not in wrapper


# ---- environment


@pytest.mark.anyio
async def test_a_nodes_environment_is_that_of_every_command(server: Server) -> None:
    """Quoted; a command's own variables win."""
    words = {"MK8S_TEST": 'it\'s "$HOME" `id`\nand more', "MK8S_OTHER": "node's"}
    async with connected(server, environment=words) as transport:
        outcome = await transport.run(sh('echo "$MK8S_TEST|$MK8S_OTHER"', env={"MK8S_OTHER": "its own"}))

    assert outcome.stdout.decode() == f"{words['MK8S_TEST']}|its own\n"


@pytest.mark.anyio
async def test_this_machine_has_an_environment_of_its_own_too() -> None:
    """The same by the local transport."""
    node = LocalTransport("here", environment={"MK8S_TEST": "here"})
    assert (await node.run(sh('echo "$MK8S_TEST"'))).text == "here"


@pytest.mark.anyio
async def test_a_name_that_is_none_is_refused(server: Server) -> None:
    """It would be shell text."""
    async with connected(server, environment={"A;id": "1"}) as transport:
        with pytest.raises(ArgumentError, match="not the name of a shell variable"):
            await transport.run(sh("true"))
