"""The SSH agent: which keys it holds, and letting it sign.

Listing speaks the agent's protocol here, with a deadline. Signing is libssh2's, which only can wait:
it runs in a worker thread that is left behind when the agent does not answer.

This module knows no key files and no policy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.abc
from ssh2.exceptions import AgentError, AuthenticationError, PublickeyUnverifiedError

from transports.ssh.driver import farewell
from transports.ssh.keyfiles import string

__all__ = ["Identity", "identities", "is_unanswered", "sign_in"]

LIST_KEYS = b"\0\0\0\1\x0b"
KEYS_LISTED = 12
PATIENCE = 5.0  # seconds for an agent to list its keys
UNANSWERED = "Waiting for "  # so libssh2's words begin where no answer came
ANSWER_LIMIT = 1 << 18  # bytes, OpenSSH's own limit of an agent message


@dataclass(frozen=True, slots=True)
class Identity:
    """A key that the agent holds."""

    blob: bytes
    comment: str


async def identities(path: str | None = None, *, patience: float = PATIENCE) -> tuple[Identity, ...]:
    """The agent's keys; none where there is no agent, or none that answers."""
    path = path or os.environ.get("SSH_AUTH_SOCK", "")
    if not path:
        return ()
    try:
        with anyio.fail_after(patience):
            async with await anyio.connect_unix(path) as stream:
                await stream.send(LIST_KEYS)
                size = int.from_bytes(await receive_exactly(stream, 4), "big")
                return parse(await receive_exactly(stream, min(size, ANSWER_LIMIT)))
    except (OSError, TimeoutError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError):
        return ()


async def receive_exactly(stream: anyio.abc.ByteReceiveStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await stream.receive(count - len(data))
    return data


def parse(answer: bytes) -> tuple[Identity, ...]:
    """The identities in an agent's answer. Raises ValueError for another answer."""
    if not answer or answer[0] != KEYS_LISTED:
        raise ValueError("the agent did not list its keys")
    count, rest = int.from_bytes(answer[1:5], "big"), answer[5:]
    found = []
    for _ in range(count):
        blob, rest = string(rest)
        comment, rest = string(rest)
        found.append(Identity(blob, comment.decode("utf-8", "replace")))
    return tuple(found)


def sign_in(session: Any, user: str, blob: bytes, path: str = "") -> bool:
    """Offer the agent's key with this public key, or its certificate; whether it was accepted.

    Blocks: for `Driver.call_in_thread`. Raises SSH2Error when the connection fails.
    """
    try:
        agent = session.agent_init()
        if path:
            agent.set_identity_path(path)
        agent.connect()
        held = {bytes(key.blob): key for key in agent.get_identities()}
    except AgentError:
        return False  # it answered a moment ago, and has gone
    return blob in held and accepts(session, agent, user, held[blob])


def accepts(session: Any, agent: Any, user: str, key: Any) -> bool:
    try:
        agent.userauth(user, key)
    except (AgentError, AuthenticationError, PublickeyUnverifiedError):
        if is_unanswered(session):
            raise farewell(session) from None
        return False
    return True


def is_unanswered(session: Any) -> bool:
    """Whether the last proof got no answer: libssh2 and ssh2-python call that a refusal, too."""
    words = session.last_error()
    return (words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)).startswith(
        UNANSWERED
    )
