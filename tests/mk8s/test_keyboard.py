"""Secrets that a person types: once for all nodes, hidden from all that is shown."""

from __future__ import annotations

import pytest

from mk8s.cluster import Login
from mk8s.connect import passwords_of, refuse_missing_secrets
from mk8s.errors import UsageError
from mk8s.keyboard import Keyboard
from tests.mk8s.test_connect import with_sudo_password
from transports.ssh import Question


class Typist:
    """Answers prompts in order."""

    def __init__(self, *words: str) -> None:
        self.prompts: list[str] = []
        self._words = list(words)

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self._words.pop(0)


def test_both_passwords_are_asked_for_once() -> None:
    """Before anything begins; the login's first."""
    typist = Typist("one", "two")
    keyboard = Keyboard(typist, lambda: True)
    keyboard.ask(login=True, sudo=True)

    assert (keyboard.password, keyboard.sudo_password, keyboard.asks) == ("one", "two", True)
    assert len(typist.prompts) == 2


def test_an_empty_sudo_password_is_the_logins() -> None:
    """It mostly is; the prompt says so."""
    typist = Typist("one", "")
    keyboard = Keyboard(typist, lambda: True)
    keyboard.ask(login=True, sudo=True)

    assert keyboard.sudo_password == "one"
    assert "empty: the same" in typist.prompts[1]


def test_an_empty_login_password_is_none() -> None:
    """Where keys serve and servers ask for codes alone."""
    keyboard = Keyboard(Typist(""), lambda: True)
    keyboard.ask(login=True, sudo=False)

    assert (keyboard.password, keyboard.asks, keyboard.secrets) == (None, True, [])


@pytest.mark.parametrize(("login", "option"), [(True, "--ask-password"), (False, "--ask-sudo-password")])
def test_without_a_terminal_nobody_is_asked(login: bool, option: str) -> None:
    """A plain refusal that names the option and the other way."""
    with pytest.raises(UsageError, match=option) as refused:
        Keyboard(Typist(), lambda: False).ask(login=login, sudo=not login)

    assert "sudo_password_env" in refused.value.remedy


def test_nothing_is_asked_that_was_not_asked_for() -> None:
    """Not even whether there is a terminal."""
    Keyboard(Typist(), lambda: False).ask(login=False, sudo=False)


def test_a_servers_questions_are_asked_in_its_words_with_its_name() -> None:
    """Control characters of a server do not reach the terminal."""
    typist = Typist("", "123456")
    keyboard = Keyboard(typist, lambda: True)
    keyboard.ask(login=True, sudo=False)

    assert keyboard.answer(Question("ops@node:22", "Duo\x1b[2J", ("Code: ",))) == ["123456"]
    assert typist.prompts[1].startswith("ops@node:22: Duo")
    assert "\x1b" not in typist.prompts[1]


def test_no_line_of_a_server_looks_like_a_question_of_ours() -> None:
    """Who asks stands on each line; a server may not put its words where ours begin."""
    typist = Typist("", "word")
    keyboard = Keyboard(typist, lambda: True)
    keyboard.ask(login=True, sudo=False)
    keyboard.answer(Question("ops@node:22", "one\ntwo", ("Code\nsudo password for all nodes: ",)))

    assert all(line.startswith("ops@node:22: ") for line in typist.prompts[1].splitlines())


def test_a_servers_questions_are_not_answered_without_asking() -> None:
    """No --ask-password, no person."""
    assert Keyboard(Typist(), lambda: True).answer(Question("ops@node:22", "", ("Code: ",))) is None


def test_a_prompt_is_shown_once() -> None:
    """The password of a bastion with many nodes behind it."""
    typist = Typist("word")
    keyboard = Keyboard(typist, lambda: True)

    assert [keyboard.hidden("Password of gw: ") for _ in range(3)] == ["word"] * 3


def test_what_was_typed_is_hidden_everywhere() -> None:
    """As what the environment holds."""
    keyboard = Keyboard(Typist("one", "two", "three"), lambda: True)
    keyboard.ask(login=True, sudo=True)
    keyboard.hidden("Password of gw: ")

    assert set(passwords_of(Login("me"), {}, keyboard)) == {"one", "two", "three"}


def test_a_typed_sudo_password_replaces_a_missing_variable() -> None:
    """The manifest names one that is not set here."""
    keyboard = Keyboard(Typist("word"), lambda: True)
    keyboard.ask(login=False, sudo=True)
    refuse_missing_secrets(with_sudo_password("SUDO_WORDS"), {}, keyboard)
