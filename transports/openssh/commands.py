"""The conversation around one command: sudo's question, the command's stdin, its output, status and time.

As in the built-in transport: a password is sent only when sudo's prompt was heard, and the command's stdin
only when the command has said that it runs. A command that is left early is killed with its process group
through another session, for closing a session ends nothing on the node.

This module knows no processes of ours and no files. Begin reading at `converse`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import anyio

from transports import jobs
from transports.base import TransportError
from transports.openssh.mux import CannotOpen, Channel, Lost, Stalled
from transports.shell import Conversation, Output, status_of
from transports.sudo import wrong_password

__all__ = ["Exchange", "Job", "Kill", "Supply", "converse", "exchange_for"]

LINE_LIMIT = 100_000  # bytes of a command line; Linux lets a word of a program have 128 KiB
PID_PATIENCE = 1.0  # seconds to learn a cancelled command's process group
KILL_PATIENCE = 3.0  # seconds for all that is done about a command that is left early

Supply: TypeAlias = Callable[[Channel], Awaitable[None]]
Kill: TypeAlias = Callable[[tuple[int, ...]], Awaitable[None]]


class Job(jobs.Job[Supply]):
    """A job whose supply feeds a session."""

    __slots__ = ()


@dataclass(slots=True)
class Exchange:
    """One attempt at a job, and how far it got."""

    line: str
    talk: Conversation
    output: Output
    kill: Kill | None  # without it, nothing is done about a command that is left early
    open_patience: float  # seconds for the server to open a session
    started: bool = False  # from here on the command may have run
    unstoppable: str = ""  # why a command that was left early may still run


def exchange_for(job: Job, output: Output, *, kill: Kill | None, open_patience: float) -> Exchange:
    """A fresh attempt at a job. Raises ArgumentError for what cannot be sent."""
    mark = jobs.fresh_mark()
    line = jobs.line_of(job, mark, limit=LINE_LIMIT)
    return Exchange(line, Conversation(mark), output, kill, open_patience)


async def converse(socket: Path, job: Job, exchange: Exchange) -> int | None:
    """Run the command to its end and return its exit status, or None where none came.

    Raises TransportError ``timeout``, ``sudo.*`` and ``auth.rejected``, CannotOpen, or Lost.
    """
    with anyio.CancelScope(deadline=anyio.current_time() + job.command.timeout) as clock:
        return await _converse(socket, job, exchange, clock)
    unstoppable = bool(exchange.unstoppable)
    raise jobs.timed_out(job.name, job.command, unstoppable=unstoppable, begun=exchange.started)


async def _converse(socket: Path, job: Job, exchange: Exchange, clock: anyio.CancelScope) -> int | None:
    channel = Channel()
    try:
        await open_channel(channel, socket, exchange, bulk=job.supply is not None)
        refused = await begin(channel, job, exchange)
        if refused is None:
            await finish(channel, job, exchange, clock)
            wire = await channel.status()
    except BaseException as problem:
        if isinstance(problem, Stalled) or not isinstance(problem, (Lost, CannotOpen)):
            await leave(channel, exchange)  # else nobody is there to be told, or nothing began
        raise
    finally:
        channel.close()
    if refused is not None:
        raise refused
    return None if wire is None else status_of(wire)


async def open_channel(channel: Channel, socket: Path, exchange: Exchange, *, bulk: bool) -> None:
    """Ask for a session and wait for it. Raises Lost where it takes too long, CannotOpen."""
    with anyio.move_on_after(exchange.open_patience):
        await channel.request(socket, exchange.line, bulk=bulk)
        await channel.opened()
        exchange.started = True
        return
    raise Lost(f"no answer within {exchange.open_patience:g} s")


async def begin(channel: Channel, job: Job, exchange: Exchange) -> TransportError | None:
    """Wait until the command runs, telling sudo the password. The reason, where it does not run."""
    talk, answered = exchange.talk, 0
    while not talk.begun:
        data = await channel.read_stderr()
        exchange.output.add("stderr", talk.hear(data))
        if talk.asked > 1:
            channel.feed_end()  # sudo gives up at the end of its input
            return wrong_password(job.name, job.user)
        if talk.asked > answered:
            answered += 1
            await channel.feed((job.password or "").encode() + b"\n")
        if not data and not talk.begun:
            return await not_begun(channel, job, talk)
    return None


async def finish(channel: Channel, job: Job, exchange: Exchange, clock: anyio.CancelScope) -> None:
    """Feed stdin and read both streams to their ends."""
    output = exchange.output
    await jobs.feed_and_read(feed(channel, job, clock), drain(channel, output), drain_stderr(channel, output))


async def feed(channel: Channel, job: Job, clock: anyio.CancelScope) -> None:
    """Everything that the command gets on stdin, then the end."""
    if job.supply is not None:
        clock.deadline = math.inf  # it watches its own progress
        await job.supply(channel)
        clock.deadline = anyio.current_time() + job.command.timeout
    elif job.command.stdin is not None:
        await channel.feed(job.command.stdin)
    channel.feed_end()


async def drain(channel: Channel, output: Output) -> None:
    while data := await channel.read_stdout():
        output.add("stdout", data)


async def drain_stderr(channel: Channel, output: Output) -> None:
    while data := await channel.read_stderr():
        output.add("stderr", data)


async def leave(channel: Channel, exchange: Exchange) -> None:
    """End what may run there, within a few seconds whatever happens."""
    if not channel.requested or exchange.kill is None:
        return
    exchange.unstoppable = "nobody could be asked to stop it"
    with anyio.move_on_after(KILL_PATIENCE, shield=True), suppress(Lost, CannotOpen, TransportError, OSError):
        if not channel.began:
            await channel.opened()
        await learn_group(channel, exchange.talk)
        if exchange.talk.groups:
            await exchange.kill(tuple(exchange.talk.groups))
        exchange.unstoppable = ""


async def learn_group(channel: Channel, talk: Conversation) -> None:
    """Read on for the process group's number; nobody wants the output any more."""
    with anyio.move_on_after(PID_PATIENCE):
        while not talk.groups and (data := await channel.read_stderr()):
            talk.hear(data)


async def not_begun(channel: Channel, job: Job, talk: Conversation) -> TransportError:
    """The command line ended without the command. Raises Lost where no status tells that it did."""
    if (status := await channel.status()) is None:
        raise Lost("it ended before the command began")
    return jobs.not_begun(job, talk, status)
