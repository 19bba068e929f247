"""What a caller says about reaching one node with the user's own ssh.

What is left out here is the user's ssh_config's to say, or ssh's own default. This module runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from transports.ssh.options import Answers

__all__ = ["Ask", "OpenSSHOptions"]

Ask: TypeAlias = Callable[[], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSSHOptions:
    """How to call ssh for one node.

    Secrets are functions: each is called when ssh asks, in a worker thread, at most once for a connection.
    The password is told to the node itself and never to a bastion; passphrases open keys on this machine.
    """

    host: str
    port: int | None = None
    user: str | None = None
    key_files: tuple[Path, ...] = ()
    certificate: Path | None = None
    use_agent: bool = True
    identities_only: bool | None = None
    jumps: tuple[str, ...] | None = None  # bastions as -J wants them, user@host:port; (): go straight
    config: Path | Literal["auto", "none"] = "auto"  # auto: ~/.ssh/config and the system's
    known_hosts: tuple[Path, ...] = ()  # the first takes newly accepted keys; (): as ssh_config says
    accept_new: bool = False  # trust the key of a host of which none is known; never a changed one
    password: Ask | None = None
    passphrase: Callable[[Path], str | None] | None = None
    answers: Answers | None = None  # a person's, to whatever ssh asks that is not answered by the above
    sudo_password: Ask | None = None  # without one: sudo -n
    escalate: Literal["sudo", "doas"] = "sudo"
    environment: Mapping[str, str] = field(default_factory=dict)  # of every command; no secrets
    withheld: frozenset[str] = frozenset()  # variables of our own that ssh and its helpers do not get
    connect_timeout: float = 15.0  # seconds to connect and agree on keys; whole ones, rounded up
    alive_interval: int = 15  # seconds of silence before ssh asks the server; three unanswered end it
    program: str = "ssh"
    base: Path | None = None  # where the private folder of a connection is made; None: TMPDIR, or /tmp

    @property
    def address(self) -> str:
        """The host as it was named, with the port where one was named, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def asks(self) -> bool:
        """Whether ssh may ask for anything."""
        return self.password is not None or self.passphrase is not None or self.answers is not None
