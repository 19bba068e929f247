"""Secrets that a person types: asked for on the terminal, hidden, once for all nodes; never stored.

They live as long as the process. Nothing here is an argument or an environment variable of anybody, and
children do not inherit it. Questions of servers (one-time codes) are asked one at a time, whoever waits.
"""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Callable

from machines.words import one_line, printable
from mk8s.errors import UsageError
from transports.ssh import Question

__all__ = ["KEYBOARD", "Keyboard"]

TERMINAL = "/dev/tty"


def has_terminal() -> bool:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


class Keyboard:
    """What was typed, and whoever types. `read` shows a prompt and returns a line without showing it."""

    def __init__(
        self, read: Callable[[str], str] = getpass.getpass, is_there: Callable[[], bool] = has_terminal
    ) -> None:
        self.password: str | None = None  # of logins; None: not asked for, or an empty line
        self.sudo_password: str | None = None
        self.asks = False  # whether a person may be asked more: --ask-password was given
        self._read = read
        self._is_there = is_there
        self._turn = threading.Lock()
        self._words: dict[str, str] = {}  # by prompt

    def ask(self, *, login: bool, sudo: bool) -> None:
        """Ask for what the command line wants asked. Raises UsageError where there is no terminal."""
        if not (login or sudo):
            return
        if not self._is_there():
            option = "--ask-password" if login else "--ask-sudo-password"
            raise UsageError(
                f"{option}: there is no terminal to ask on",
                remedy="run it on a terminal, or name an environment variable in the manifest "
                "(`password_env`, `sudo_password_env`)",
            )
        if login:
            self.asks = True
            self.password = self.hidden("Login password for all nodes (empty: none): ") or None
        if sudo:
            same = ", empty: the same" if self.password else ""
            self.sudo_password = self.hidden(f"sudo password for all nodes{same}: ") or self.password or ""

    def hidden(self, prompt: str) -> str:
        """A line that is typed and not shown; each prompt is shown once. Blocks."""
        with self._turn:
            if prompt not in self._words:
                self._words[prompt] = self._read(prompt)
            return self._words[prompt]

    def answer(self, question: Question) -> list[str] | None:
        """A person's answers to a server; None where nobody may be asked. Blocks. See `transports.ssh`.

        Who asks stands before the words on each line, so that a server's own line cannot pass for ours.
        """
        if not self.asks:
            return None
        with self._turn:
            about = f"{question.host}: "
            if question.instruction:
                said = printable(question.instruction).replace("\n", f"\n{about}")
                about = f"{about}{said}\n{about}"
            return [self._read(f"{about}{one_line(prompt)}") for prompt in question.prompts]

    @property
    def secrets(self) -> list[str]:
        """What must not be shown anywhere."""
        return [word for word in (self.password, self.sudo_password, *self._words.values()) if word]


KEYBOARD = Keyboard()
"""This process's. The command line asks; `connect` uses what was typed."""
