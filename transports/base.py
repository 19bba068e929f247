"""The contract: how a node is reached, and how that can fail.

Every transport, real or simulated, passes tests/transports/test_contract.py. A non-zero exit status
is an answer. Not hearing an answer is a `TransportError`, and never means "no".

This module knows no SSH and no Kubernetes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol, TypeAlias, runtime_checkable

__all__ = [
    "ArgumentError",
    "Bytes",
    "Command",
    "File",
    "Idling",
    "OnOutput",
    "OnProgress",
    "Outcome",
    "Piece",
    "Source",
    "Transport",
    "TransportError",
    "argv",
    "digest_of_file",
]

Stream: TypeAlias = Literal["stdout", "stderr"]
OnOutput: TypeAlias = Callable[[Stream, bytes], None]
OnProgress: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

EXEC = 'exec "$@"'
LONGEST_COMPLAINT = 1000  # characters; a node may say anything, and people read this


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One POSIX sh script with positional arguments, and how to run it.

    `operation` is a stable name such as ``file.digest``: transcripts, fault plans and modelled hosts
    know the command by it. `script` runs under ``sh``, `args` are its ``$1 $2 …``; the transport
    quotes them, and they may hold anything but NUL. Secrets go into `stdin`, never into `script`, `args`
    or `env`.
    """

    operation: str
    description: str  # one line for people: "hash rke2.linux-amd64.tar.gz"
    script: str = EXEC
    args: tuple[str, ...] = ()
    stdin: bytes | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    sudo: bool = False  # run as root (a transport that is root already adds nothing)
    timeout: float = 60.0  # seconds; after it the remote process group is killed


def argv(operation: str, description: str, *words: str, sudo: bool = False, timeout: float = 60.0) -> Command:
    """A command that is one program with arguments."""
    return Command(operation=operation, description=description, args=words, sudo=sudo, timeout=timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left behind. A non-zero status is an answer, not an error."""

    status: int
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False  # the output was longer than the transport keeps

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def text(self) -> str:
        """stdout as text, without the space around it."""
        return self.stdout.decode("utf-8", "replace").strip()

    @property
    def complaint(self) -> str:
        """The last words of stderr, or of stdout where stderr is silent; of a long line its end."""
        said = self.stderr.decode("utf-8", "replace").strip() or self.text
        return said.splitlines()[-1][-LONGEST_COMPLAINT:] if said else f"exit status {self.status}"


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content to upload that is in memory."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class File:
    """Content to upload that is a file here. Its hash is known, so that many nodes cost one hashing."""

    path: Path
    size: int  # bytes
    sha256: str  # 64 hex digits


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of a file here, with a hash of its own."""

    path: Path
    start: int  # bytes before it
    size: int  # bytes
    sha256: str  # of this range alone
    whole: str = ""  # sha256 of the whole file; a modelled disk knows content by it


Source: TypeAlias = Bytes | File


def digest_of_file(path: Path) -> str:
    """The sha256 of a file as 64 hex digits. Reads it whole; raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class TransportError(Exception):
    """No answer, or one that says we may not come in.

    `lineage` is most specific first; the classes in use:
      connection.{refused,timeout,unreachable,lost,closed} > connection   lost: ambiguous once begun
      timeout.command > timeout                   a command's own time was over; ambiguous
      hostkey.{unknown,changed} > hostkey         final
      auth.{rejected,key-file,passphrase} > auth  final
      sudo.{password,refused} > sudo              final
      disk.full > disk
      integrity                                   what arrived is not what was sent
    """

    def __init__(
        self, *lineage: str, message: str, remedy: str = "", ambiguous: bool = False, final: bool = False
    ) -> None:
        super().__init__(message)
        self.lineage = lineage
        self.message = message
        self.remedy = remedy
        self.ambiguous = ambiguous
        self.final = final


class ArgumentError(ValueError):
    """A command or path that cannot be sent as it is, such as one that holds NUL. A bug of the caller."""


class Transport(Protocol):
    """One road to one node. Connects at first use, reconnects after a loss; safe for concurrent use."""

    @property
    def name(self) -> str:
        """The node's name, for messages."""
        ...

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> Outcome:
        """Run a command to its end. Raises TransportError when no answer came (see its lineages).

        Cancelling, or the command's timeout, kills the remote process group before it returns.
        With `on_output`, output is handed on as it comes and not gathered.
        """
        ...

    async def put(
        self,
        source: Source,
        target: PurePosixPath,
        *,
        mode: int = 0o644,
        owner: str | None = None,
        sudo: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Write a whole file in one move: readers see the old one or the new one, never a part.

        The content is verified by hash on the node before the move. The parent folder must exist.
        Raises TransportError: ``disk.full``, ``integrity``, ``connection.*``, ``sudo.*``,
        or ``exit`` with the node's words (no such folder, permission denied).
        """
        ...

    async def append(
        self,
        piece: Piece,
        part: PurePosixPath,
        *,
        sudo: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Write one piece of a large file behind the `piece.start` bytes that `part` holds already.

        What lies in `part` behind them is cut off first; with start 0 the part is made, mode 0600. The
        piece is verified by hash on the node when this returns. After a failure `part` still holds what
        stood before the piece, and perhaps a beginning of it.
        Raises TransportError: as `put`; ``integrity`` also where `part` holds less than `piece.start` bytes.
        """
        ...

    async def get(self, source: PurePosixPath, *, sudo: bool = False, limit: int = 1 << 24) -> bytes:
        """Read a whole file up to `limit` bytes. Raises TransportError; ``exit`` when it is not there."""
        ...

    async def close(self) -> None:
        """Let go of the node. Closing twice is fine."""
        ...


@runtime_checkable
class Idling(Protocol):
    """A transport that waits better than one who asks again and again: it knows when there is news."""

    async def idle(
        self,
        command: Command,
        pauses: Iterator[float],
        known: Outcome,
        told: Callable[[float, Outcome], None] | None = None,
    ) -> Outcome | None:
        """Pause and `run`, again and again, as long as the answer is the known one, at the same moments.

        The first other answer; None: a pause is over, and the next look is for the caller to make. `told`
        hears of each look that was made here: its seconds and its answer. Raises as `run` does.
        """
        ...
