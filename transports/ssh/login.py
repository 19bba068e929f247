"""Logging in: what is offered, and what it means when nothing is accepted.

First keys and certificates (`proofs` has their order), then the password or the server's questions. A server
may want both: where a key was accepted and is not enough, it names other methods than before. Secrets are
asked for only when it is their turn, in a worker thread, and their time is not counted.

This module knows no sockets and no commands. Begin reading at `log_in`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from ssh2 import exceptions as refused
from ssh2.exceptions import SSH2Error

from transports.base import TransportError
from transports.ssh import agent
from transports.ssh.driver import EAGAIN, Driver, Lost, farewell
from transports.ssh.keyfiles import KeyFile, key_problem
from transports.ssh.options import SSHOptions
from transports.ssh.proofs import Proof, proofs
from transports.ssh.questions import Interview

__all__ = ["asked", "log_in"]

Answer = TypeVar("Answer")
REJECTED = (refused.AuthenticationError, refused.PublickeyUnverifiedError, refused.KeyfileAuthFailedError)
MANY = 5  # offers after which a server that hangs up may have had enough: sshd takes 6 by default
WORDS = {"password", "keyboard-interactive"}
NAME_ONE = "name the right key (`ssh_key_path`) and offer no other (`identities_only: true`)"
NOT_NOW = (
    "as one does that boots or goes down, or where PAM keeps the account out (see `journalctl -u ssh` there)"
)


async def log_in(driver: Driver, options: SSHOptions, label: str) -> None:
    """Prove who we are. Raises TransportError ``auth.*`` (final), TimeoutError, or Lost."""
    attempt = Login(driver, options, label)
    try:
        await attempt.run()
    except Lost as lost:
        if driver.dismissed and attempt.offered:
            raise attempt.rejection("the server closed the connection") from None
        if not attempt.offered:
            raise
        many = f"after {len(attempt.offered)} offers: {NAME_ONE}"
        raise Lost(f"{lost}, {many if len(attempt.offered) >= MANY else NOT_NOW}") from None


class Login:
    """One login: what was offered so far is kept for the message."""

    def __init__(self, driver: Driver, options: SSHOptions, label: str) -> None:
        self.driver = driver
        self.options = options
        self.label = label
        self.offered: list[str] = []
        self.locked: TransportError | None = None  # the first key that nobody could open
        self.unanswered = ""

    async def run(self) -> None:
        methods = await self._methods()
        if self.driver.session.userauth_authenticated():
            return
        held = await agent.identities(self.options.agent_socket or None) if self.options.use_agent else ()
        if "publickey" in methods:
            for proof in proofs(self.options, held):
                if await self._is_accepted(proof):
                    self.options.proven.note(self.options.user, proof.blob)
                    return
                if self._may_ask() and not WORDS & set(methods):
                    methods = await self._methods()  # a key that is right and not enough changes them
                    if WORDS & set(methods):
                        self.options.proven.note(self.options.user, proof.blob)
                        break
        if await self._words(methods):
            return
        raise self.locked or self.rejection(f"the server takes {', '.join(methods)}")

    async def _methods(self) -> list[str]:
        """What the server takes; nothing where it lets anybody in."""
        found = await self._timed(self._list_methods)
        return [name.decode() if isinstance(name, bytes) else str(name) for name in found]

    def _list_methods(self) -> Any:
        """ssh2-python's list is empty for "not yet", too."""
        session = self.driver.session
        found = session.userauth_list(self.options.user)
        if found or session.userauth_authenticated():
            return list(found or [])
        if session.last_errno() == EAGAIN:
            return EAGAIN
        raise farewell(session)

    # ---- keys

    async def _is_accepted(self, proof: Proof) -> bool:
        if proof.file is not None:
            return await self._by_file(proof, proof.file)
        self.offered.append(proof.described)
        sign = partial(agent.sign_in, user=self.options.user, blob=proof.blob, path=self.options.agent_socket)
        return await self._in_thread(sign)

    async def _by_file(self, proof: Proof, key: KeyFile) -> bool:
        words = await self._passphrase(key) if key.encrypted else ""
        if words is None:
            return False
        self.offered.append(proof.described)
        certificate = proof.certificate.content if proof.certificate else None
        arguments = (self.options.user, key.content, words, certificate)
        try:
            if key.encrypted:  # 160 ms of bcrypt, twice: not on the event loop
                await self._in_thread(lambda session: session.userauth_publickey_frommemory(*arguments))
            else:
                await self._timed(self.driver.session.userauth_publickey_frommemory, *arguments)
        except REJECTED:
            self._refuse_unanswered()
            return False
        except SSH2Error:  # libssh2 could not make a key of it
            if key.encrypted:
                raise bad_passphrase(key.path, "the passphrase does not open it") from None
            raise key_problem(
                key.path, "cannot be used: damaged, or of a kind that is not supported", ""
            ) from None
        return True

    def _refuse_unanswered(self) -> None:
        """Raise Lost where no refusal came but the end of the connection; libssh2 calls both a refusal."""
        if agent.is_unanswered(self.driver.session):
            raise self.driver.hung_up()

    async def _passphrase(self, key: KeyFile) -> str | None:
        """None where nobody knows it: other proofs may do."""
        ask, path = self.options.passphrase, key.path
        words = await asked(lambda: ask(path)) if ask is not None else None
        if words is None and self.locked is None:
            self.locked = bad_passphrase(path, "it is encrypted, and no passphrase was given")
        return words

    # ---- words

    def _may_ask(self) -> bool:
        return self.options.password is not None or self.options.answers is not None

    async def _words(self, methods: list[str]) -> bool:
        """By a password, or by the server's questions: these where a person may answer more."""
        if not self._may_ask() or not WORDS & set(methods):
            return False
        password = await asked(self.options.password) if self.options.password is not None else None
        if "keyboard-interactive" in methods and (self.options.answers or "password" not in methods):
            return await self._by_questions(password)
        return password is not None and "password" in methods and await self._by_password(password)

    async def _by_password(self, password: str) -> bool:
        self.offered.append("a password")
        try:
            await self._timed(self.driver.session.userauth_password, self.options.user, password)
        except REJECTED:
            return False
        return True

    async def _by_questions(self, password: str | None) -> bool:
        options = self.options
        if password is None and options.answers is None:
            return False
        interview = Interview(f"{options.user}@{options.address}", options.user, password, options.answers)
        try:
            await self.driver.call_aside(partial(interview.run, patience=options.connect_timeout))
        except REJECTED:
            self.unanswered = interview.unanswered
            self.offered += ["a password"] if interview.used_password else []
            self.offered += ["answers to its questions"] if interview.person_answered else []
            self._refuse_unanswered()
            return False
        self.driver.is_precious = interview.person_answered
        return True

    async def _timed(self, function: Callable[..., Answer], *args: object) -> Answer:
        with anyio.fail_after(self.options.connect_timeout):
            answer: Answer = await self.driver.call_held(function, *args)
            return answer

    async def _in_thread(self, function: Callable[[Any], Answer]) -> Answer:
        return await self.driver.call_in_thread(function, self.options.connect_timeout)

    def rejection(self, why: str) -> TransportError:
        """Nothing that we had was accepted."""
        options = self.options
        tried = "; ".join(self.offered) or "nothing: no key file, no agent and no password was given"
        if self.unanswered:
            why += f"; it asked {self.unanswered!r}, and nobody answered"
        return TransportError(
            "auth.rejected",
            "auth",
            message=f"{self.label}: the login of {options.user} was refused ({why}). Offered: {tried}",
            remedy=self._remedy(why),
            final=True,
        )

    def _remedy(self, why: str) -> str:
        options = self.options
        if "closed" in why and len(self.offered) >= MANY:
            return (
                "sshd hangs up after MaxAuthTries offers (6 by default: too many authentication failures), "
                f"and the right key was not among the first: {NAME_ONE}"
            )
        if self.unanswered:
            return "run on a terminal with --ask-password, where you are asked what the server asks"
        return (
            f"put one of these keys into ~{options.user}/.ssh/authorized_keys there "
            f"(`ssh-copy-id -p {options.port} {options.user}@{options.host}`), or name another user or key"
        )


def bad_passphrase(path: Path, problem: str) -> TransportError:
    return TransportError(
        "auth.passphrase",
        "auth",
        message=f"the SSH key {path} cannot be opened: {problem}",
        remedy=f"`ssh-add {path}`, or give the passphrase",
        final=True,
    )


async def asked(ask: Callable[[], str | None]) -> str | None:
    """A secret from its function, which may wait for a person."""
    return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
