"""ssh's questions: a little program that ssh runs to ask, and who answers it.

ssh takes secrets from a terminal or from the output of a program (SSH_ASKPASS). Ours sends the question
over a socket in a private folder and prints what comes back, so a secret is in no argument, variable or file.

Laws: each secret is told once for a connection, for being asked again means that it was wrong; the password
is told to the master itself and not to an ssh that it started for a bastion, which is told apart by the
asker's parent process; a passphrase is told for the key files that were named, and for no other path. A
question that nobody can answer ends the login with words for people.

This module knows no commands. Begin reading at `Answers.answer`.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import SocketStream

from transports.base import TransportError
from transports.openssh.options import OpenSSHOptions
from transports.ssh.options import Question as Round

__all__ = ["Answers", "Question", "askpass_script"]

LONGEST = 1 << 14  # bytes of a question
SHOWN = 100  # characters of a path
PASSPHRASE = re.compile(r"^Enter passphrase for (?:key )?'?(?P<path>.+?)'?: *$")
NEW_PASSWORD = re.compile(r"\b(new|retype|current|change|expired)\b", re.IGNORECASE)

ASKER = """\
import os, socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    kind = os.environ.get("SSH_ASKPASS_PROMPT", "")
    sock.sendall(f"{os.getppid()}\\n{kind}\\n{sys.argv[2]}".encode("utf-8", "replace"))
    sock.shutdown(socket.SHUT_WR)
    answer = sock.makefile("rb").read()
if not answer:
    sys.exit(1)
sys.stdout.buffer.write(answer)
"""


def askpass_script(socket: Path) -> str:
    """The program that ssh runs with its question as the only argument."""
    words = (sys.executable, "-I", "-S", "-c", ASKER, str(socket))
    return f'#!/bin/sh\nexec {" ".join(map(shlex.quote, words))} "$1"\n'


@dataclass(frozen=True, slots=True)
class Question:
    """What an ssh process wants to know."""

    asker: int  # the number of the ssh process
    kind: str  # "": a secret; "confirm": yes or no; "none": said, not asked
    text: str

    @classmethod
    def parse(cls, data: bytes) -> Question:
        """Raises ValueError for what our program did not send."""
        asker, kind, text = data.decode("utf-8", "replace").split("\n", 2)
        return cls(int(asker), kind, text.strip())


@dataclass(slots=True)
class Answers:
    """Answers the questions of one login. `problem` is why it cannot succeed any more."""

    label: str
    options: OpenSSHOptions
    log: Callable[[str], None]
    master: int = 0  # the number of the process that logs in to the node itself
    problem: Exception | None = None
    _told: set[str] = field(default_factory=set)

    async def serve(self, stream: SocketStream) -> None:
        """Answer one question. Whatever goes wrong is told in `problem`."""
        async with stream:
            try:
                answer = await self.answer(Question.parse(await read_all(stream)))
                if answer is not None:
                    await stream.send(answer.encode() + b"\n")
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass  # the asker is gone
            except Exception as problem:  # raised by who waits: here it would be wrapped in a group
                self.problem = self.problem or problem
                await anyio.sleep_forever()  # until ssh has been ended: it would try an empty password

    async def answer(self, question: Question) -> str | None:
        """The answer, or None where nothing is to be said. Raises TransportError ``auth.*``."""
        if question.kind == "none":
            self.log(question.text)  # such as: touch the key
            return None
        found = PASSPHRASE.match(question.text)
        key = self._named(found["path"]) if found else None
        if key is not None and self.options.passphrase is not None:
            return await self._passphrase(key, self.options.passphrase)
        if is_password(question) and self.options.password is not None and question.asker == self.master:
            return await self._password(self.options.password)
        return await self._person(question, Path(found["path"]) if found else None)

    def _named(self, path: str) -> Path | None:
        """The key file that is meant, if it is one of ours: a server may ask in these words, too.

        ssh cuts long paths off. Where no key was named, ssh_config's are meant: a file on this machine.
        """
        for file in self.options.key_files:
            whole = str(file.expanduser())
            if path == whole or (len(path) >= SHOWN and whole.startswith(path)):
                return file
        return None if self.options.key_files or not Path(path).is_file() else Path(path)

    async def _passphrase(self, key: Path, ask: Callable[[Path], str | None]) -> str:
        if f"key {key}" in self._told:
            raise self._bad_passphrase(key, "the passphrase does not open it")
        words = await anyio.to_thread.run_sync(ask, key, abandon_on_cancel=True)
        if words is None:
            raise self._bad_passphrase(key, "it is encrypted, and no passphrase was given")
        self._told.add(f"key {key}")
        return one_line(words)

    async def _password(self, ask: Callable[[], str | None]) -> str:
        if "password" in self._told:
            raise self._rejected("the password was not accepted", "check the password, or give a key")
        words = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
        if words is None:
            raise self._rejected("a password is wanted, and none was given", "give a password, or a key")
        self._told.add("password")
        return one_line(words)

    async def _person(self, question: Question, key: Path | None) -> str:
        """What only a person knows: a code, a PIN, a new password, a bastion's password."""
        ask = self.options.answers
        given = None
        if ask is not None and question.kind == "":
            asked = Round(self.options.address, "", (question.text,))
            given = await anyio.to_thread.run_sync(ask, asked, abandon_on_cancel=True)
        if given:
            return one_line(given[0])
        if key is not None:
            of_others = self.options.passphrase is not None
            missing = (
                "the passphrase that was given is not for it" if of_others else "no passphrase was given"
            )
            raise self._bad_passphrase(key, f"it is encrypted, and {missing}")
        if is_password(question) and question.asker != self.master:
            raise self._rejected(
                f"a bastion asks: {question.text}",
                "let a key or an agent open the bastion; the node's password is not told to it",
            )
        raise self._rejected(
            f"ssh asks what nobody answers here: {question.text}",
            "log in once by hand (`ssh`), or let an agent hold the key (`ssh-add`)",
        )

    def _rejected(self, why: str, remedy: str) -> TransportError:
        return TransportError(
            "auth.rejected", "auth", message=f"{self.label}: {why}", remedy=remedy, final=True
        )

    def _bad_passphrase(self, key: Path, problem: str) -> TransportError:
        return TransportError(
            "auth.passphrase",
            "auth",
            message=f"{self.label}: the SSH key {key} cannot be opened: {problem}",
            remedy=f"`ssh-add {key}`, or give the passphrase",
            final=True,
        )


def is_password(question: Question) -> bool:
    """Whether it is the login password that is wanted: by its method, or by keyboard-interactive."""
    text = question.text
    return question.kind == "" and "password" in text.lower() and not NEW_PASSWORD.search(text)


def one_line(words: str) -> str:
    """ssh reads one line and drops the rest without a word."""
    if set(words) & set("\n\0"):
        raise TransportError(
            "auth.rejected",
            "auth",
            message="the password or passphrase that was given is not one line",
            remedy="take the line break out of it, such as one that a file of it ended with",
            final=True,
        )
    return words


async def read_all(stream: SocketStream) -> bytes:
    data = b""
    try:
        while len(data) < LONGEST:
            data += await stream.receive()
    except anyio.EndOfStream:
        pass
    return data
