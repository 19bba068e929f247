"""The conversation around one command: sudo's question, the command's stdin, its status, its time.

A password is sent only when sudo's prompt was heard, and the command's stdin only when the command has
said that it runs. So cached credentials, NOPASSWD and a password all work alike, and the password can
never end up in the command's stdin.

This module knows no connections and no files. Begin reading at `converse`.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio

from transports.base import ArgumentError, Command, TransportError
from transports.shell import Conversation, Output, quote, status_of, wrap
from transports.ssh.channels import Exchange, Kill, Remote, remote
from transports.ssh.driver import Driver
from transports.sudo import refusal, wrong_password

__all__ = ["Job", "Supply", "converse", "exchange_for"]

LINE_LIMIT = 30_000  # bytes of a command line; libssh2 sends it in one packet
OPEN_PATIENCE = 15.0  # seconds for the server to give a channel

Supply: TypeAlias = Callable[[Remote], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run, by whom, and for whom the messages are."""

    name: str  # the node
    user: str
    command: Command
    sudo: bool
    password: str | None = field(repr=False)  # sudo's
    escalate: str = "sudo"
    supply: Supply | None = None  # feeds stdin instead of command.stdin, in its own time


def exchange_for(
    job: Job, output: Output, *, kill: Kill | None = None, open_patience: float = OPEN_PATIENCE
) -> Exchange:
    """A fresh attempt at a job. Raises ArgumentError for what cannot be sent."""
    mark = "mk8s-" + secrets.token_hex(8)
    stdin = job.command.stdin is not None or job.supply is not None
    password = job.password is not None
    words = wrap(job.command, mark, sudo=job.sudo, password=password, stdin=stdin, escalate=job.escalate)
    line = "exec " + " ".join(quote(word) for word in words)
    size = len(line.encode())
    if size > LINE_LIMIT:
        raise ArgumentError(
            f"{job.command.operation}: {size} bytes of script and arguments; {LINE_LIMIT} can be sent; "
            "put the bulk into stdin or a file"
        )
    return Exchange(line=line, talk=Conversation(mark), output=output, kill=kill, open_patience=open_patience)


async def converse(driver: Driver, job: Job, exchange: Exchange) -> int:
    """Run the command to its end and return its exit status.

    Raises TransportError ``timeout`` and ``sudo.*``, CannotOpen, or Lost.
    """
    with anyio.CancelScope(deadline=anyio.current_time() + job.command.timeout) as clock:
        return await _converse(driver, job, exchange, clock)
    raise timed_out(job, exchange, unstoppable=bool(driver.broken))


async def _converse(driver: Driver, job: Job, exchange: Exchange, clock: anyio.CancelScope) -> int:
    async with remote(driver, exchange) as process:
        refused = await _begin(process, job)
        if refused is None and job.supply is not None:
            clock.deadline = math.inf  # it watches its own progress
            await job.supply(process)
            clock.deadline = anyio.current_time() + job.command.timeout
        wire = await process.finish(job.command.stdin if refused is None and job.supply is None else None)
    if refused is not None:
        raise refused
    status = status_of(wire)
    if status is None:
        raise killed(job)
    return status


async def _begin(process: Remote, job: Job) -> TransportError | None:
    """Wait until the command runs, telling sudo the password. The reason, where it does not run."""
    talk, answered = process.exchange.talk, 0
    while not talk.begun:
        more = await process.read()
        if talk.asked > 1:
            await process.feed(b"", end=True)  # sudo gives up at the end of its input
            return wrong_password(job.name, job.user)
        if talk.asked > answered:
            answered += 1
            await process.feed((job.password or "").encode() + b"\n", end=False)
        if not more and not talk.begun:
            return not_begun(job, process.exchange)
    return None


def not_begun(job: Job, exchange: Exchange) -> TransportError:
    """The command line ended without the command."""
    if job.sudo:
        return refusal(
            job.name,
            job.user,
            exchange.talk,
            had_password=job.password is not None,
            escalate=job.escalate,
        )
    said = exchange.talk.complaint or "the login shell said nothing"
    return TransportError(
        "auth.rejected",
        "auth",
        message=f"{job.name}: {job.user} can log in but not run commands: {said}",
        remedy=f"give {job.user} a POSIX shell (`chsh -s /bin/sh {job.user}`), or name another user",
        final=True,
    )


def timed_out(job: Job, exchange: Exchange, *, unstoppable: bool) -> TransportError:
    state = "it could not be stopped and may still run" if unstoppable else "it was stopped"
    return TransportError(
        "timeout",
        message=f"{job.name}: {job.command.description}: not done within {job.command.timeout:g} s; {state}",
        remedy="look at the machine's load and at what the command waits for",
        ambiguous=exchange.started,
    )


def killed(job: Job) -> TransportError:
    """The end came without a status: something killed the shell around the command."""
    return TransportError(
        "connection.lost",
        "connection",
        message=f"{job.name}: {job.command.description}: it was killed from outside and left no exit status",
        remedy="look for an out-of-memory kill or a shutdown in `journalctl -k` there",
        ambiguous=True,
    )
