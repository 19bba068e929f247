"""keyboard-interactive with PAM: passwords, several rounds of questions, and a second factor after a key."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, sh
from tests.transports.ssh.test_bastions import behind
from tests.transports.ssh.test_login import enters, refused
from tests.transports.sshd import SSHD, Server, public, short_folder
from tests.transports.users import TemporaryUser
from transports.base import Bytes
from transports.ssh import Bastion, Question
from transports.ssh.driver import EAGAIN
from transports.ssh.questions import Interview
from transports.ssh.sockets import Wire

pytestmark = pytest.mark.anyio

STACK = """\
auth required pam_unix.so
account required pam_unix.so
password required pam_unix.so
session required pam_permit.so
"""
ASKING = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no"


@pytest.fixture
def pam_server(make_server: MakeServer, tmp_path: Path, temporary_user: TemporaryUser) -> Iterator[Any]:
    """Makes servers with a PAM stack of our own: sshd's service is called as its program is."""
    program = tmp_path / f"mk8s-test-{secrets.token_hex(4)}"
    program.symlink_to(SSHD)
    stack = Path("/etc/pam.d") / program.name
    stack.write_text(STACK)

    def make(extra: str = ASKING) -> Server:
        return make_server(extra=extra, program=str(program))

    yield make
    stack.unlink()


class Person:
    """Somebody at a terminal: what they were asked, and what they answer."""

    def __init__(self, *answers: str) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    def __call__(self, question: Question) -> list[str]:
        self.asked += [prompt.strip() for prompt in question.prompts]
        return [self._answers.pop(0) for _ in question.prompts]


async def test_a_known_password_answers_the_question_for_it(
    pam_server: Callable[..., Server], temporary_user: TemporaryUser
) -> None:
    """Nobody is asked."""
    person = Person()
    login = {"user": temporary_user.name, "key_files": (), "password": lambda: temporary_user.password}

    assert await enters(pam_server(), **login, answers=person)
    assert person.asked == []


async def test_a_person_answers_what_no_password_is_known_for(
    pam_server: Callable[..., Server], temporary_user: TemporaryUser
) -> None:
    """In the server's words."""
    person = Person(temporary_user.password)

    assert await enters(pam_server(), user=temporary_user.name, key_files=(), answers=person)
    assert person.asked == ["Password:"]


async def test_several_rounds_are_answered(
    pam_server: Callable[..., Server], temporary_user: TemporaryUser
) -> None:
    """An expired password: it is told once more, then a new one, twice."""
    subprocess.run(["chage", "-d", "0", temporary_user.name], check=True)
    new = secrets.token_hex(12)
    person = Person(temporary_user.password, new, new)
    login = {"user": temporary_user.name, "key_files": (), "password": lambda: temporary_user.password}

    assert await enters(pam_server(), **login, answers=person)
    last_lines = [prompt.splitlines()[-1] for prompt in person.asked]
    assert last_lines == ["Current password:", "New password:", "Retype new password:"]


async def test_a_second_factor_follows_a_key(
    pam_server: Callable[..., Server], temporary_user: TemporaryUser
) -> None:
    """The key alone is not enough, and the server names other methods then."""
    person = Person(temporary_user.password)
    with short_folder() as folder:
        folder.chmod(0o755)  # an ordinary user's keys are read as that user
        keys = folder / "authorized_keys"
        methods = "AuthenticationMethods publickey,keyboard-interactive"
        server = pam_server(f"{ASKING}\n{methods}\nAuthorizedKeysFile {keys}")
        keys.write_text(f"{public(server.key)}\n")
        keys.chmod(0o644)

        assert await enters(server, user=temporary_user.name, answers=person)
    assert person.asked == ["Password:"]


async def test_a_person_is_asked_once_for_a_node(
    pam_server: Callable[..., Server], temporary_user: TemporaryUser, tmp_path: Path
) -> None:
    """A one-time code is good for one connection, so commands and files share it."""
    server = pam_server()
    person = Person(temporary_user.password)
    content = os.urandom(1_500_000)
    async with connected(server, user=temporary_user.name, key_files=(), answers=person) as transport:
        home = (await transport.run(sh("pwd"))).text
        beats = 0
        async with anyio.create_task_group() as tasks:

            async def beat() -> None:
                nonlocal beats
                for _ in range(5):
                    await transport.run(sh("true"))
                    beats += 1

            tasks.start_soon(beat)
            await transport.put(Bytes(content), PurePosixPath(home) / "file")
        assert await transport.get(PurePosixPath(home) / "file") == content

    assert (len(person.asked), beats) == (1, 5)


async def test_a_bastion_asks_once_for_all_nodes_behind_it(
    pam_server: Callable[..., Server], make_server: MakeServer, temporary_user: TemporaryUser
) -> None:
    """One connection, one code."""
    person = Person(temporary_user.password)
    gate, node = pam_server(), make_server()
    way = Bastion(gate.options(user=temporary_user.name, key_files=(), answers=person))
    async with behind(node, way, count=4) as nodes, anyio.create_task_group() as tasks:
        for transport in nodes:
            tasks.start_soon(transport.run, sh("true"))

    assert person.asked == ["Password:"]


async def test_a_wrong_password_is_refused_with_the_nodes_name(
    pam_server: Callable[..., Server], temporary_user: TemporaryUser
) -> None:
    """The event loop goes on meanwhile: PAM sits on its refusal for two seconds."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await anyio.sleep(0.01)
            beats += 1

    server = pam_server()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        error = await refused(server, user=temporary_user.name, key_files=(), password=lambda: "swordfish")
        tasks.cancel_scope.cancel()

    assert beats > 15
    assert error.lineage == ("auth.rejected", "auth")
    assert error.message.startswith("node-1")
    assert "a password" in error.message
    assert "swordfish" not in error.message


async def test_a_question_that_nobody_answers_is_in_the_message(
    pam_server: Callable[..., Server], temporary_user: TemporaryUser
) -> None:
    """And where one is asked."""
    error = await refused(pam_server(), user=temporary_user.name, key_files=(), answers=lambda _: None)

    assert "it asked 'Password:', and nobody answered" in error.message
    assert "--ask-password" in error.remedy


def test_a_password_is_told_once() -> None:
    """Who asks again did not like it: then a person is asked."""
    person = Person("by hand")
    interview = Interview("me@node", "me", "known", person)

    assert [interview._answer(b"", b"", ["Password: "]) for _ in range(2)] == [[b"known"], [b"by hand"]]


def test_a_question_that_is_not_for_a_password_does_not_get_it() -> None:
    """A one-time code, two questions at once: a person's."""
    person = Person("123456", "a", "b")
    interview = Interview("me@node", "me", "known", person)

    assert interview._answer(b"", b"Duo", ["Verification code: "]) == [b"123456"]
    assert interview._answer(b"", b"", ["Password: ", "Code: "]) == [b"a", b"b"]


class Chatty:
    """A session whose server always has more to say, and never an end."""

    def userauth_keyboardinteractive_callback(self, *_: object) -> int:
        return int(EAGAIN)

    def block_directions(self) -> int:
        return 0


def test_a_server_that_only_keeps_sending_is_given_up() -> None:
    """Each of its packets is in time; all together are not."""
    ours, theirs = socket.socketpair()
    with Wire(fileno=ours.detach()) as wire, theirs:
        theirs.send(b"x")  # nobody reads it: there is always something
        with pytest.raises(TimeoutError):
            Interview("me@node", "me", None, None).run(Chatty(), wire, patience=0.01)
