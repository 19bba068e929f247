"""What ssh's questions are answered with. Words as OpenSSH 8.0 to 9.9 ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transports.base import TransportError
from transports.openssh import OpenSSHOptions
from transports.openssh.askpass import Answers, Question
from transports.ssh.options import Question as Round

pytestmark = pytest.mark.anyio
MASTER = 4711


def answers(log: list[str] | None = None, **changes: Any) -> Answers:
    options = OpenSSHOptions(**{"host": "node", "password": lambda: "secret", **changes})
    return Answers("node-1", options, (log if log is not None else []).append, master=MASTER)


def question(text: str, kind: str = "", asker: int = MASTER) -> Question:
    return Question(asker, kind, text.strip())


@pytest.mark.parametrize("text", ["ops@10.0.0.1's password: ", "(ops@10.0.0.1) Password: ", "Password:"])
async def test_the_password_is_told_to_the_node(text: str) -> None:
    """By the password method, and by keyboard-interactive (PAM)."""
    assert await answers().answer(question(text)) == "secret"


async def test_the_password_is_told_once() -> None:
    """Who asks again did not accept it: the account is not locked by trying."""
    one = answers()
    await one.answer(question("Password:"))

    with pytest.raises(TransportError, match="not accepted"):
        await one.answer(question("ops@10.0.0.1's password: "))


@pytest.mark.parametrize(
    "text", ["New password: ", "Current password: ", "Retype new password:", "Verification code: ", "OTP:"]
)
async def test_what_only_a_person_knows_ends_the_login(text: str) -> None:
    """With the question, so that the person knows what to do by hand."""
    with pytest.raises(TransportError, match="nobody answers") as caught:
        await answers().answer(question(text))

    assert caught.value.lineage == ("auth.rejected", "auth")
    assert text.strip() in caught.value.message
    assert caught.value.final


async def test_a_wish_for_a_yes_is_not_granted() -> None:
    """Such as an agent's confirmation."""
    with pytest.raises(TransportError):
        await answers().answer(question("Allow use of key password?", kind="confirm"))


async def test_a_note_to_touch_the_key_reaches_the_log() -> None:
    """It is no question."""
    log: list[str] = []

    assert await answers(log).answer(question("Confirm user presence for key", kind="none")) is None
    assert log == ["Confirm user presence for key"]


async def test_a_passphrase_is_found_by_the_path_that_ssh_cut_off() -> None:
    """ssh shows a hundred characters."""
    path = Path("/" + "long/" * 40 + "key")
    one = answers(key_files=(Path("/other"), path), passphrase={path: "sesame"}.get)

    assert await one.answer(question(f"Enter passphrase for key '{str(path)[:100]}': ")) == "sesame"


@pytest.mark.parametrize("path", ["/", "/keys/id", "/other", "/keys/id_mine/x"])
async def test_a_passphrase_is_told_for_no_other_path(path: str) -> None:
    """A server may ask in ssh's own words, and for the beginning of a path."""
    one = answers(key_files=(Path("/keys/id_mine"),), passphrase=lambda _: "sesame")

    with pytest.raises(TransportError, match="is not for it"):
        await one.answer(question(f"Enter passphrase for key '{path}': "))


async def test_without_a_named_key_only_a_file_of_this_machine_is_opened(tmp_path: Path) -> None:
    """It is ssh_config's to name one then."""
    mine = tmp_path / "id"
    mine.touch()
    one = answers(passphrase=lambda _: "sesame")

    assert await one.answer(question(f"Enter passphrase for key '{mine}': ")) == "sesame"
    with pytest.raises(TransportError, match="is not for it"):
        await one.answer(question(f"Enter passphrase for key '{mine}-2': "))


async def test_a_bastion_gets_passphrases_used_and_no_password() -> None:
    """A passphrase stays on this machine; a password would be told to another one."""
    one = answers(key_files=(Path("/k"),), passphrase=lambda _: "sesame")

    assert await one.answer(question("Enter passphrase for key '/k': ", asker=1)) == "sesame"
    with pytest.raises(TransportError, match="a bastion asks"):
        await one.answer(question("ops@bastion's password: ", asker=1))


async def test_a_person_answers_what_is_not_known() -> None:
    """A one-time code, a PIN, a bastion's password: in ssh's words. What is known is not asked for."""
    heard: list[str] = []

    def person(question: Round) -> list[str]:
        heard.extend(question.prompts)
        return ["123456"]

    one = answers(answers=person)

    assert await one.answer(question("Verification code: ")) == "123456"
    assert await one.answer(question("ops@bastion's password: ", asker=1)) == "123456"
    assert await one.answer(question("Enter PIN for ED25519-SK key /k: ")) == "123456"
    assert await one.answer(question("Password: ")) == "secret"
    assert heard == ["Verification code:", "ops@bastion's password:", "Enter PIN for ED25519-SK key /k:"]


async def test_a_person_who_gives_no_answer_ends_the_login() -> None:
    """Nobody is asked for ever."""
    with pytest.raises(TransportError, match="nobody answers"):
        await answers(answers=lambda _: None).answer(question("Verification code: "))


@pytest.fixture
def anyio_backend() -> str:
    return "trio"
