"""One command for one node, its words on the way there, and what its bad ends mean. Shared by ssh and local.

What differs between transports is how a command is carried; who runs it, how its line is made and what is
told when it was killed, lost or not begun are the same.

This module knows no connection and no process. Begin reading at `Job`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread

from transports.base import ArgumentError, Command, TransportError
from transports.shell import Conversation, kill_script, quote, wrap
from transports.sudo import doas_without_terminal, refusal, usable

__all__ = [
    "Job",
    "SudoPassword",
    "closed",
    "feed_and_read",
    "fresh_mark",
    "kill_command",
    "killed",
    "line_of",
    "lost",
    "no_room",
    "not_begun",
    "not_started",
    "timed_out",
]

SupplyT = TypeVar("SupplyT")
SHORTAGE = ("Resource temporarily unavailable", "Cannot allocate memory", "Cannot fork")  # bash, sudo; dash
BY_SIGNAL = range(129, 193)  # a shell's status where what it ran was killed: 128 and the signal's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[SupplyT]):
    """What is to be run, by whom, and for whom the messages are."""

    name: str  # the node
    user: str
    command: Command
    sudo: bool
    password: str | None = field(repr=False)  # sudo's
    escalate: str = "sudo"
    supply: SupplyT | None = None  # feeds stdin instead of command.stdin, in its own time


class SudoPassword:
    """sudo's password on one node, asked for once and not before it is needed."""

    def __init__(self, name: str, ask: Callable[[], str | None] | None, escalate: str) -> None:
        self._name = name
        self._ask = ask
        self._escalate = escalate
        self._turn = anyio.Lock()
        self._words: str | None = None

    async def get(self, user: str) -> str | None:
        """None where there is none. Raises TransportError ``sudo.password`` for doas."""
        if self._ask is None:
            return None
        if self._escalate == "doas":
            raise doas_without_terminal(self._name, user)
        async with self._turn:
            if self._words is None:
                words = await anyio.to_thread.run_sync(self._ask, abandon_on_cancel=True)
                self._words = usable(self._name, words)
        return self._words


def fresh_mark() -> str:
    """A word that no command says by chance."""
    return "mk8s-" + secrets.token_hex(8)


def line_of(job: Job[Any], mark: str, *, limit: int) -> str:
    """The command line for the login shell. Raises ArgumentError for one of more than `limit` bytes."""
    stdin = job.command.stdin is not None or job.supply is not None
    password = job.password is not None
    words = wrap(job.command, mark, sudo=job.sudo, password=password, stdin=stdin, escalate=job.escalate)
    line = "exec " + " ".join(quote(word) for word in words)
    size = len(line.encode())
    if size > limit:
        raise ArgumentError(
            f"{job.command.operation}: {size} bytes of script and arguments; {limit} can be sent; "
            "put the bulk into stdin or a file"
        )
    return line


def kill_command(groups: tuple[int, ...], timeout: float) -> Command:
    """Ends process groups; `timeout` in seconds."""
    return Command(
        operation="process.kill",
        description="stop what was cancelled",
        script=kill_script(groups),
        timeout=timeout,
    )


async def feed_and_read(feed: Coroutine[Any, Any, None] | None, *readers: Coroutine[Any, Any, None]) -> None:
    """Feed stdin and read the streams to their ends; what was not fed by then is dropped."""
    problems: list[Exception] = []

    async def carefully(work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as problem:  # raised below: here it would be wrapped in a group
            problems.append(problem)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        if feed is not None:
            tasks.start_soon(carefully, feed)
        async with anyio.create_task_group() as reading:
            for reader in readers:
                reading.start_soon(carefully, reader)
        tasks.cancel_scope.cancel()
    if problems:
        raise problems.pop()


# ---- bad ends


def not_begun(job: Job[Any], talk: Conversation, status: int | None) -> TransportError:
    """The command line ended without the command; `status` came over the wire, None where nothing did.

    Something that was killed, as by a machine that goes down, or could not fork has refused nothing.
    """
    if status is None or status in BY_SIGNAL:  # of the latter, a shell says "Killed" or the like
        return ended_early(job, talk.complaint)
    if any(words in talk.complaint for words in SHORTAGE):
        return not_started(job.name, job.command, f"could not start it: {talk.complaint}")
    if job.sudo:
        had_password = job.password is not None
        return refusal(job.name, job.user, talk, had_password=had_password, escalate=job.escalate)
    said = talk.complaint or "the login shell said nothing"
    return TransportError(
        "auth.rejected",
        "auth",
        message=f"{job.name}: {job.user} can log in but not run commands: {said}",
        remedy=f"give {job.user} a POSIX shell (`chsh -s /bin/sh {job.user}`), or name another user",
        final=True,
    )


def ended_early(job: Job[Any], said: str) -> TransportError:
    """Nobody told why the command did not begin: mostly a kill, but a shell of another kind ends so, too."""
    words = f": {said}" if said else ""
    return TransportError(
        "connection.lost",
        "connection",
        message=f"{job.name}: {job.command.description}: the shell ended before the command began{words}",
        remedy="see in `journalctl -k` there whether the machine goes down or lacks memory; if it ends so "
        f"each time, {job.user} has no POSIX shell, or a ForceCommand of sshd runs something else",
        ambiguous=True,
    )


def timed_out(
    name: str, command: Command, *, unstoppable: bool = False, begun: bool = True
) -> TransportError:
    """The command's own time was over."""
    state = "it could not be stopped and may still run" if unstoppable else "it was stopped"
    return TransportError(
        "timeout.command",
        "timeout",
        message=f"{name}: {command.description}: not done within {command.timeout:g} s; {state}",
        remedy="look at the machine's load and at what the command waits for",
        ambiguous=begun,
    )


def killed(name: str, command: Command, *, where: str = " there") -> TransportError:
    """The end came without a status: something killed the shell around the command."""
    return TransportError(
        "connection.lost",
        "connection",
        message=f"{name}: {command.description}: it was killed from outside and left no exit status",
        remedy=f"look for an out-of-memory kill or a shutdown in `journalctl -k`{where}",
        ambiguous=True,
    )


def lost(name: str, command: Command, reason: str, *, ambiguous: bool) -> TransportError:
    """The connection went while the command was on it."""
    return TransportError(
        "connection.lost",
        "connection",
        message=f"{name}: the connection was lost: {command.description}: {reason}",
        remedy="check that the machine is up and reachable; it may have done its work all the same",
        ambiguous=ambiguous,
    )


def not_started(name: str, command: Command, why: str = "sshd could not start it") -> TransportError:
    """The server gave a session, and nothing could be started in it: sshd says so when it cannot fork."""
    return TransportError(
        "connection.lost",
        "connection",
        message=f"{name}: {command.description}: {why}",
        remedy="it may be out of processes or memory: look into `journalctl -u ssh` and `journalctl -k`",
    )


def closed(name: str) -> TransportError:
    """Nothing runs on a transport that was closed."""
    return TransportError(
        "connection.closed",
        "connection",
        message=f"{name}: this transport was closed",
        final=True,
    )


def no_room(message: str) -> TransportError:
    """The server gives not even one session."""
    return TransportError(
        "connection.refused",
        "connection",
        message=message,
        remedy="set MaxSessions to at least 2 in /etc/ssh/sshd_config there",
        final=True,
    )
