"""One remote command on one channel: start it, read both streams, feed stdin, hear its end, or end it.

A command that is left early (cancelled, timed out, its caller failed) is killed with its process group
through another channel: closing a channel does not end a command, and sshd answers the close only when
the command has ended.

This module knows no files, no keys and no nodes. Begin reading at `remote`, then `Remote.finish`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
from ssh2.exceptions import ChannelFailure, ChannelRequestDenied, SSH2Error

from transports.base import TransportError
from transports.shell import Conversation, Output
from transports.ssh.driver import EAGAIN, OUTBOUND, Driver, Lost

__all__ = ["CannotOpen", "CannotStart", "Exchange", "Kill", "Remote", "remote"]

Kill: TypeAlias = Callable[[tuple[int, ...]], Awaitable[None]]

READ = 1 << 16  # bytes a read
FEED = 32_500  # bytes a write, which is one packet: others may go in between
PID_PATIENCE = 1.0  # seconds to learn a cancelled command's process group
KILL_PATIENCE = 3.0  # seconds for the kill, the rest of the output and the close, together
STATUS_LOOK = 0.05  # seconds between looks for a status that is late


class CannotOpen(Exception):  # noqa: N818 - said of a connection
    """The server gives no more channels on this connection. Nothing was begun."""


class CannotStart(Exception):  # noqa: N818 - said of a server
    """The server gave a channel and could not start a command on it. Nothing was begun."""


@dataclass(slots=True)
class Exchange:
    """One attempt to run a command line, and how far it got."""

    line: str
    talk: Conversation
    output: Output
    kill: Kill | None  # without it, a command that is left early costs the connection
    open_patience: float  # seconds for the server to give a channel
    started: bool = False  # from here on the command may have run


class Remote:
    """A command that was started on a channel."""

    def __init__(self, driver: Driver, channel: Any, exchange: Exchange) -> None:
        self.driver = driver
        self.channel = channel
        self.exchange = exchange
        self._unread = [b"", b""]

    async def start(self) -> None:
        """Hand the command line to the user's login shell. Raises CannotStart."""
        try:
            await self.driver.call_held(self._execute)
        except ChannelRequestDenied:
            self.exchange.started = False
            raise CannotStart from None

    def _execute(self) -> Any:
        self.exchange.started = True  # not before: a cancel may come while the lock is waited for
        return self.channel.execute(self.exchange.line)

    async def read(self) -> bool:
        """Read what is there, or wait for it. False at the end of both streams."""
        await anyio.lowlevel.checkpoint()  # a call that never blocks never yields: deadlines, other nodes
        more = await self.driver.call(self._read, ready=self._has_input)
        out, err = self._take()
        said = self.exchange.talk.hear(err)  # first: a listener that fails must not cost us the process group
        self.exchange.output.add("stdout", out)
        self.exchange.output.add("stderr", said)
        return bool(more)

    async def feed(self, data: bytes, *, end: bool) -> None:
        """Write to the command's stdin; with `end`, close it. Input that it does not want is dropped."""
        view = memoryview(data)
        with suppress(SSH2Error):  # the command ended before its input did
            for start in range(0, len(view), FEED):
                await self.driver.write(self.channel, bytes(view[start : start + FEED]))
                await anyio.lowlevel.checkpoint()
            if end and not self.channel.eof():
                await self.driver.call_whole(self.channel.send_eof)

    async def finish(self, stdin: bytes | None) -> int:
        """Feed and read to the end. The status as it came over the wire: 0 means that none came."""
        if stdin is None:
            await self.drain()
        else:
            await self._feed_and_drain(stdin)
        return await self.status()

    async def drain(self) -> None:
        """Read to the end of both streams."""
        while await self.read():
            pass

    async def status(self) -> int:
        """The exit status, after the end of the output."""
        while not self.channel.get_exit_status() and not await self._is_closed():
            pass
        await self.driver.call_whole(self.channel.close)
        return int(self.channel.get_exit_status())

    async def _feed_and_drain(self, stdin: bytes) -> None:
        problems: list[Exception] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._feed_all, stdin)
            try:
                await self.drain()
            except Exception as problem:  # raised below: here it would be wrapped in a group
                problems.append(problem)
            tasks.cancel_scope.cancel()
        if problems:
            raise problems.pop()

    async def _feed_all(self, stdin: bytes) -> None:
        with suppress(Lost):  # the reader meets it too, and tells it once
            await self.feed(stdin, end=True)

    async def _is_closed(self) -> bool:
        """Whether the peer closed the channel. That leaves nothing in a queue, so this looks now and then."""
        with anyio.move_on_after(STATUS_LOOK) as look:
            await self.driver.call(
                self.channel.wait_closed, ready=lambda: bool(self.channel.get_exit_status())
            )
        return not look.cancelled_caught

    def _read(self) -> int:
        """Both streams, one try each: 1 for something, 0 at the end, EAGAIN where nothing is there.

        What was read is kept here until `_take`: a try may read one stream and leave a window adjustment
        half sent in the other, and must then be repeated.
        """
        channel, session = self.channel, self.driver.session
        again: int = EAGAIN
        while True:
            for number in (0, 1):
                code, data = channel.read_ex(READ, number)
                self._unread[number] += data
                if code == again and session.block_directions() & OUTBOUND:
                    return again
            if any(self._unread):
                return 1
            if channel.eof():
                return 0
            if not channel.poll_channel_read(1):  # else the second read drained input for the first
                return again

    def _take(self) -> list[bytes]:
        taken, self._unread = self._unread, [b"", b""]
        return taken

    def _has_input(self) -> bool:
        return bool(self.channel.poll_channel_read(1) or self.channel.eof())

    async def end(self) -> None:
        """Kill the command and close the channel. For a shielded scope."""
        exchange, driver = self.exchange, self.driver
        if exchange.started and not driver.broken:
            await self._learn_group()
        if exchange.kill is None:
            driver.poison("a command was given up")
        elif exchange.talk.groups:
            await exchange.kill(tuple(exchange.talk.groups))
        if not driver.broken:
            while exchange.started and await self.read_quietly():
                pass
            await driver.call_whole(self.channel.close)

    async def _learn_group(self) -> None:
        with anyio.move_on_after(PID_PATIENCE):
            while not self.exchange.talk.groups and await self.read_quietly():
                pass

    async def read_quietly(self) -> bool:
        """Read on for the process group and the end; nobody wants the output any more."""
        more = await self.driver.call(self._read, ready=self._has_input)
        _, err = self._take()
        self.exchange.talk.hear(err)
        return bool(more)


@asynccontextmanager
async def remote(driver: Driver, exchange: Exchange) -> AsyncIterator[Remote]:
    """Start a command; leave with its channel closed, or with its process group killed.

    Raises CannotOpen or CannotStart before anything was begun; Lost, with `exchange.started` telling
    whether it was.
    """
    opened: list[Remote] = []
    try:
        await _open(driver, exchange, opened)
        await opened[0].start()
        yield opened[0]
    except Lost:
        raise  # nobody is there to be told
    except BaseException:
        if opened:
            await _leave(opened[0])
        raise
    finally:
        opened.clear()


async def _open(driver: Driver, exchange: Exchange, opened: list[Remote]) -> None:
    if driver.broken:
        raise Lost(driver.broken)
    silent = True
    with anyio.move_on_after(exchange.open_patience), _answers():
        await driver.call_held(
            driver.session.open_session, keep=lambda channel: opened.append(Remote(driver, channel, exchange))
        )
        silent = False
    if silent:
        driver.poison(f"no answer within {exchange.open_patience:g} s")
        raise Lost(driver.broken)


@contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except ChannelFailure:
        raise CannotOpen from None


async def _leave(command: Remote) -> None:
    with anyio.move_on_after(KILL_PATIENCE, shield=True) as scope, suppress(Lost, SSH2Error, TransportError):
        await command.end()
    if scope.cancelled_caught:
        command.driver.poison("a command did not end")
