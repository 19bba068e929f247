"""The conversation around one command: sudo's question, the command's stdin, its status, its time.

A password is sent only when sudo's prompt was heard, and the command's stdin only when the command has
said that it runs. So cached credentials, NOPASSWD and a password all work alike, and the password can
never end up in the command's stdin.

This module knows no connections and no files. Begin reading at `converse`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio

from transports import jobs
from transports.base import TransportError
from transports.shell import Conversation, Output, status_of
from transports.ssh.channels import CannotStart, Exchange, Kill, Remote, remote
from transports.ssh.driver import Driver
from transports.sudo import wrong_password

__all__ = ["Job", "Supply", "converse", "exchange_for"]

LINE_LIMIT = 30_000  # bytes of a command line; libssh2 sends it in one packet
OPEN_PATIENCE = 15.0  # seconds for the server to give a channel

Supply: TypeAlias = Callable[[Remote], Awaitable[None]]


class Job(jobs.Job[Supply]):
    """A job whose supply feeds a command."""

    __slots__ = ()


def exchange_for(
    job: Job, output: Output, *, kill: Kill | None = None, open_patience: float = OPEN_PATIENCE
) -> Exchange:
    """A fresh attempt at a job. Raises ArgumentError for what cannot be sent."""
    mark = jobs.fresh_mark()
    line = jobs.line_of(job, mark, limit=LINE_LIMIT)
    return Exchange(line=line, talk=Conversation(mark), output=output, kill=kill, open_patience=open_patience)


async def converse(driver: Driver, job: Job, exchange: Exchange) -> int:
    """Run the command to its end and return its exit status.

    Raises TransportError ``timeout``, ``connection.lost`` and ``sudo.*``, CannotOpen, or Lost.
    """
    try:
        with anyio.CancelScope(deadline=anyio.current_time() + job.command.timeout) as clock:
            return await _converse(driver, job, exchange, clock)
    except CannotStart:
        raise jobs.not_started(job.name, job.command) from None
    raise jobs.timed_out(job.name, job.command, unstoppable=bool(driver.broken), begun=exchange.started)


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
        raise jobs.killed(job.name, job.command)
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
            return jobs.not_begun(job, talk, await process.status() or None)
    return None
