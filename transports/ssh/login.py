"""Logging in: which proofs are offered, in which order, and what it means when none is accepted.

Order: the key files that were named (by the agent where it holds the same key, so that no passphrase
is asked), then the agent's other keys, then the password. Secrets are asked for only when it is their
turn, in a worker thread, and their time is not counted.

sshd counts every key that is offered (MaxAuthTries, 6 by default), so named keys go first.

This module knows no sockets and no commands. Begin reading at `log_in`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from ssh2 import exceptions as refused
from ssh2.exceptions import SSH2Error

from transports.base import TransportError
from transports.ssh import agent
from transports.ssh.driver import EAGAIN, Driver, Lost
from transports.ssh.hostkeys import fingerprint, kind_of
from transports.ssh.keyfiles import KeyFile, key_problem, read
from transports.ssh.options import SSHOptions

__all__ = ["log_in"]

Answer = TypeVar("Answer")
REJECTED = (refused.AuthenticationError, refused.PublickeyUnverifiedError, refused.KeyfileAuthFailedError)


async def log_in(driver: Driver, options: SSHOptions, label: str) -> None:
    """Prove who we are. Raises TransportError ``auth.*`` (final), TimeoutError, or Lost."""
    attempt = Login(driver, options, label)
    try:
        await attempt.run()
    except Lost:
        if not attempt.offered:
            raise
        raise attempt.rejection("the server closed the connection") from None


class Login:
    """One login: what was offered so far is kept for the message."""

    def __init__(self, driver: Driver, options: SSHOptions, label: str) -> None:
        self.driver = driver
        self.options = options
        self.label = label
        self.offered: list[str] = []

    async def run(self) -> None:
        methods = await self._methods()
        if self.driver.session.userauth_authenticated():
            return
        held = await agent.identities() if self.options.use_agent else ()
        if "publickey" in methods and await self._keys(held):
            return
        if await self._password(methods):
            return
        raise self.rejection(f"the server takes {', '.join(methods)}")

    async def _methods(self) -> list[str]:
        """What the server takes; nothing where it lets anybody in."""
        found = await self._timed(self._list_methods)
        return [name.decode() if isinstance(name, bytes) else str(name) for name in found]

    def _list_methods(self) -> Any:
        """ssh2-python's list is empty for "not yet", too."""
        session = self.driver.session
        found = session.userauth_list(self.options.user)
        if not found and not session.userauth_authenticated() and session.last_errno() == EAGAIN:
            return EAGAIN
        return list(found or [])

    async def _keys(self, held: tuple[agent.Identity, ...]) -> bool:
        blobs = {identity.blob: identity.comment for identity in held}
        for path in self.options.key_files:
            key = read(path)
            if (
                key.public
                and key.public in blobs
                and await self._by_agent({key.public: blobs.pop(key.public)})
            ):
                return True
            if await self._by_file(key):
                return True
        return not self.options.identities_only and await self._by_agent(blobs)

    async def _by_agent(self, blobs: dict[bytes, str]) -> bool:
        if not blobs:
            return False
        self.offered += [
            f"{kind_of(blob)} {fingerprint(blob)} {name} (agent)" for blob, name in blobs.items()
        ]
        user, wanted = self.options.user, tuple(blobs)
        return await self._in_thread(lambda session: agent.sign_in(session, user, wanted))

    async def _by_file(self, key: KeyFile) -> bool:
        described = f"{kind_of(key.public)} {fingerprint(key.public)} " if key.public else ""
        self.offered.append(f"{described}{key.path}")
        words = await self._passphrase(key) if key.encrypted else ""
        user, content = self.options.user, key.content
        try:
            if key.encrypted:  # 160 ms of bcrypt, twice: not on the event loop
                await self._in_thread(
                    lambda session: session.userauth_publickey_frommemory(user, content, words)
                )
            else:
                await self._timed(self.driver.session.userauth_publickey_frommemory, user, content, words)
        except REJECTED:
            return False
        except SSH2Error:  # libssh2 could not make a key of it
            if key.encrypted:
                raise bad_passphrase(key.path, "the passphrase does not open it") from None
            raise key_problem(
                key.path, "cannot be used: damaged, or of a kind that is not supported", ""
            ) from None
        return True

    async def _passphrase(self, key: KeyFile) -> str:
        ask, path = self.options.passphrase, key.path
        words = await asked(lambda: ask(path)) if ask is not None else None
        if words is None:
            raise bad_passphrase(path, "it is encrypted, and no passphrase was given")
        return words

    async def _password(self, methods: list[str]) -> bool:
        usable = [name for name in ("password", "keyboard-interactive") if name in methods]
        if not usable or self.options.password is None:
            return False
        words = await asked(self.options.password)
        if words is None:
            return False
        session = self.driver.session
        self.offered.append("a password")
        function = (
            session.userauth_password if usable[0] == "password" else session.userauth_keyboardinteractive
        )
        try:
            await self._timed(function, self.options.user, words)
        except REJECTED:
            return False
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
        return TransportError(
            "auth.rejected",
            "auth",
            message=f"{self.label}: the login of {options.user} was refused ({why}). Offered: {tried}",
            remedy=f"put one of these keys into ~{options.user}/.ssh/authorized_keys there "
            f"(`ssh-copy-id -p {options.port} {options.user}@{options.host}`), or name another user or key",
            final=True,
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
