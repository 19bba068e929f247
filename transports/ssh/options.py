"""What a caller says about one node's SSH, and the two limits that all nodes share.

This module knows no socket and no session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import anyio

from transports.ssh.hostkeys import HostKeys

__all__ = [
    "CIPHERS",
    "MACS",
    "Answers",
    "Ask",
    "ConnectionStarts",
    "Proven",
    "Question",
    "SSHOptions",
    "UploadThreads",
]

Ask: TypeAlias = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Question:
    """What a server asks in one round of keyboard-interactive."""

    host: str  # user@host:port
    instruction: str  # often empty
    prompts: tuple[str, ...]  # one answer each


Answers: TypeAlias = Callable[[Question], Sequence[str] | None]
"""A person's answers, one for each prompt; None where nobody answers. Called in a worker thread."""

# AES-GCM first: libssh2's chacha20 is portable C and costs three times the CPU.
CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com"
# No *-etm@ MACs: libssh2 1.11.1 has a known overflow in decrypting them (GHSA-6c79-444r-wx26).
MACS = "hmac-sha2-256,hmac-sha2-512"


class Proven:
    """Which keys got whom in, in this run. Shared by all nodes: the next login offers them first."""

    def __init__(self) -> None:
        self._blobs: dict[str, set[bytes]] = {}

    def note(self, user: str, blob: bytes) -> None:
        if blob:
            self._blobs.setdefault(user, set()).add(blob)

    def of(self, user: str) -> frozenset[bytes]:
        return frozenset(self._blobs.get(user, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHOptions:
    """How to reach one node and prove who we are.

    Secrets are functions: each is called at most once for a connection, in a worker thread, and only
    when it is needed. They may wait for a person. None, or an answer of None, means there is none.
    """

    host: str
    port: int = 22
    user: str
    key_files: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()  # of the keys; KEY-cert.pub beside a key file counts by itself
    use_agent: bool = True
    agent_socket: str = ""  # empty: SSH_AUTH_SOCK's
    identities_only: bool = False  # offer no key of the agent that is not in key_files
    password: Ask | None = None
    answers: Answers | None = None  # keyboard-interactive, what the password does not answer
    passphrase: Callable[[Path], str | None] | None = None
    sudo_password: Ask | None = None  # without one: sudo -n
    escalate: Literal["sudo", "doas"] = "sudo"
    environment: Mapping[str, str] = field(default_factory=dict)  # of every command; no secrets
    host_keys: HostKeys
    proven: Proven = field(default_factory=Proven)
    known_as: str = ""  # ssh_config's HostKeyAlias: the name in known_hosts, instead of host and port
    connect_timeout: float = 15.0  # seconds for the handshake, and again for the login
    ciphers: str = CIPHERS

    @property
    def address(self) -> str:
        """host:port, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class ConnectionStarts:
    """A cap on connections that have not logged in yet, shared by all nodes.

    sshd drops new connections at random past its MaxStartups (10 by default, and a bastion or one
    machine with many hosts counts them together).
    """

    def __init__(self, limit: int) -> None:
        self.limiter = anyio.CapacityLimiter(limit)


class UploadThreads:
    """A cap on threads that encrypt uploads, shared by all nodes. About the number of cores is right."""

    def __init__(self, limit: int) -> None:
        self.limiter = anyio.CapacityLimiter(limit)
