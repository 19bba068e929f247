"""keyboard-interactive: the questions that a server asks in rounds, and who answers them.

A password that is known answers the first question that asks for one; everything else (a one-time code,
a new password) is asked of a person, in the server's words. Between the questions libssh2 is driven without
blocking, in a worker thread: this call of ssh2-python keeps the interpreter's lock while it runs, and a
server may take seconds to refuse.

This module knows no keys and no nodes. Begin reading at `Interview.run`.
"""

from __future__ import annotations

import re
import select
import time
from collections.abc import Sequence
from typing import Any

from transports.ssh.driver import EAGAIN, OUTBOUND
from transports.ssh.options import Answers, Question
from transports.ssh.sockets import Wire

__all__ = ["Interview"]

PASSWORD = re.compile(r"pass(word|wort|phrase)|mot de passe|contraseña", re.IGNORECASE)
ROUNDS = 20  # of questions, after which nobody answers any more
PATIENCE = 10  # times what one answer of the server may take: all of them together, people's time aside


class Interview:
    """One login by questions. What was asked and not answered is kept for the message."""

    def __init__(self, host: str, user: str, password: str | None, answers: Answers | None) -> None:
        self.person_answered = False
        self.unanswered = ""  # a question that nobody answered
        self.used_password = False
        self._host = host
        self._user = user
        self._password = password
        self._answers = answers
        self._rounds = 0
        self._people = 0.0  # seconds that people took

    def run(self, session: Any, wire: Wire, patience: float) -> None:
        """Answer until the server is content. Raises SSH2Error where not, TimeoutError in silence.

        Blocks, and waits for people: for `Driver.call_aside`. `patience`: seconds for each of its answers;
        all together, ten times that: a server that only keeps sending holds nobody for ever.
        """
        poll, begun = select.poll(), time.monotonic()
        while session.userauth_keyboardinteractive_callback(self._user, self._answer) == EAGAIN:
            poll.register(wire, select.POLLOUT if session.block_directions() & OUTBOUND else select.POLLIN)
            left = begun + self._people + PATIENCE * patience - time.monotonic()
            if left <= 0 or not poll.poll(min(patience, left) * 1000):
                raise TimeoutError

    def _answer(
        self, _name: object, instruction: object, prompts: Sequence[object], *_: object
    ) -> list[bytes]:
        """What libssh2 calls. It must not raise: nobody would hear of it."""
        asked = [text(prompt) for prompt in prompts]
        if not asked:
            return []
        self._rounds += 1
        given: Sequence[str] | None = None
        if not self.unanswered and self._rounds <= ROUNDS:
            given = self._known(asked) or self._ask(text(instruction), asked)
        if given is None or len(given) != len(asked):
            self.unanswered = self.unanswered or " ".join(asked).strip()
            return [b""] * len(asked)
        return [word.encode() for word in given]

    def _known(self, asked: list[str]) -> list[str] | None:
        """The password, where that alone is asked for, once: who asks again did not like it."""
        if self._password is None or self.used_password or len(asked) != 1 or not PASSWORD.search(asked[0]):
            return None
        self.used_password = True
        return [self._password]

    def _ask(self, instruction: str, asked: list[str]) -> Sequence[str] | None:
        if self._answers is None:
            return None
        begun = time.monotonic()
        try:
            given = self._answers(Question(self._host, instruction.strip(), tuple(asked)))
        except Exception:  # whatever befell the person's terminal: no answer came
            return None
        finally:
            self._people += time.monotonic() - begun
        self.person_answered = given is not None
        return given


def text(said: object) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
