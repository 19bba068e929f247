"""The bulk of an upload: a worker thread that feeds a file to a channel's stdin.

All libssh2 calls release the interpreter's lock, so a thread uses another core and the event loop
keeps its latency. Still non-blocking: the thread polls the socket and a bell that ends it.

Laws: the session is the thread's alone meanwhile (its lock is held); a stop is seen within one chunk,
for a socket that never blocks would hide the bell; an upload that makes no progress for STALL seconds
is given up, with its session (libssh2 1.11 can deadlock in a key exchange that the server starts).

This module knows no nodes, no shell and no hashes. Begin reading at `feed_from_thread`.
"""

from __future__ import annotations

import os
import select
from typing import Any, BinaryIO

import anyio
import anyio.to_thread
from ssh2.exceptions import SSH2Error

from transports.base import Bytes, OnProgress, Piece, Source
from transports.files import open_source, unreadable
from transports.pace import Pace
from transports.ssh.channels import Remote
from transports.ssh.driver import EAGAIN, OUTBOUND, Driver, Lost, describe

__all__ = ["STALL", "Pump", "feed_between", "feed_from_thread"]

CHUNK = 1 << 18  # bytes; larger ones cost time in libssh2
LOOK = 0.1  # seconds between looks at the progress
STALL = 60.0  # seconds without progress after which an upload is given up
POLL = 1000  # milliseconds


class Stopped(Exception):  # noqa: N818 - an order that was followed, not an error
    """The pump was told to stop."""


class Pump:
    """Feeds one source into one channel. `run` blocks; `stop` may be called from any thread."""

    def __init__(
        self, driver: Driver, channel: Any, stream: BinaryIO, size: int, pace: Pace | None = None
    ) -> None:
        self.done = 0  # bytes that libssh2 took
        self.finished = False
        self._driver = driver
        self._channel = channel
        self._stream = stream
        self._size = size
        self._pace = pace
        self._chunk = min(CHUNK, pace.share) if pace else CHUNK
        self._stopping = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._rest = select.poll()
        self._rest.register(self._bell, select.POLLIN)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)

    def run(self) -> None:
        """Feed everything, then end the command's input. Raises Lost; Stopped; OSError from the source."""
        try:
            while chunk := self._next():
                self._write(chunk)
            while not self._has_ended() and self._channel.send_eof() == EAGAIN:
                self._wait()
        except SSH2Error as error:
            if not self._has_ended():  # else the command ended before its input did: it will say why
                raise Lost(describe(error, self._driver.session)) from None
        self.finished = True

    def stop(self) -> None:
        self._stopping = True
        os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        os.close(self._bell)
        self._stream.close()

    def _next(self) -> bytes:
        """What to send next, when it may go; empty at the end."""
        chunk = self._stream.read(min(self._chunk, self._size - self.done))
        if chunk and self._pace and self._rest.poll(self._pace.delay(len(chunk)) * 1000):
            raise Stopped
        return chunk

    def _write(self, chunk: bytes) -> None:
        while chunk:
            if self._stopping:
                raise Stopped
            code, count = self._channel.write(chunk)
            self.done += max(count, 0)
            chunk = chunk[max(count, 0) :]
            if self._has_ended() and not (code == EAGAIN and self._is_half_sent()):
                self.done = self._size  # nobody reads any more
                return
            if code == EAGAIN and chunk:
                self._wait()

    def _has_ended(self) -> bool:
        """Whether the command ended. `eof` alone is not told while output of it lies unread."""
        return bool(self._channel.eof() or self._channel.get_exit_status())

    def _is_half_sent(self) -> bool:
        """Whether a packet left in part: it must be finished by the same call, wanted or not."""
        return bool(self._driver.session.block_directions() & OUTBOUND)

    def _wait(self) -> None:
        self._poll.register(self._driver.socket(), select.POLLOUT if self._is_half_sent() else select.POLLIN)
        if any(ready == self._bell for ready, _ in self._poll.poll(POLL)):
            raise Stopped


async def feed_from_thread(
    driver: Driver,
    channel: Any,
    source: Source | Piece,
    on_progress: OnProgress | None,
    *,
    stall: float = STALL,
    pace: Pace | None = None,
) -> None:
    """Feed a source to a channel in a worker thread. Raises Lost, or TransportError ``integrity``.

    Cancelled or stalled, the session is poisoned: what it has queued cannot be taken back.
    """
    pump = Pump(driver, channel, open_source(source), source.size, pace)
    problems: list[Exception] = []

    async def work() -> None:
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(pump.run, limiter=anyio.CapacityLimiter(1))
        except OSError as error:
            problems.append(error if isinstance(source, Bytes) else unreadable(source.path, error))
        except (Lost, Stopped) as problem:
            problems.append(problem)
        tasks.cancel_scope.cancel()

    async with driver.lock:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(work)
                try:
                    await watch(pump, source.size, on_progress, stall)
                finally:
                    pump.stop()
        finally:
            pump.close()
            if not pump.finished:
                driver.poison("an upload was given up")
    if problems:
        raise stalled(stall) if isinstance(problems[0], Stopped) else problems[0]
    if on_progress is not None:
        on_progress(source.size, source.size)


async def feed_between(
    process: Remote, source: Source | Piece, on_progress: OnProgress | None, *, pace: Pace | None = None
) -> None:
    """Feed a source to a command on a connection that others use meanwhile. Slower, and nobody waits."""
    most, done = min(CHUNK, pace.share) if pace else CHUNK, 0
    with open_source(source) as stream:
        while done < source.size:
            try:
                chunk = await anyio.to_thread.run_sync(stream.read, min(most, source.size - done))
            except OSError as error:
                raise error if isinstance(source, Bytes) else unreadable(source.path, error) from None
            if not chunk:
                break
            if pace is not None:
                await anyio.sleep(pace.delay(len(chunk)))
            await process.feed(chunk, end=False)
            done += len(chunk)
            if on_progress is not None:
                on_progress(done, source.size)
    await process.feed(b"", end=True)


async def watch(pump: Pump, size: int, on_progress: OnProgress | None, stall: float) -> None:
    """Tell the progress; return when there was none for too long."""
    told, since = 0, anyio.current_time()
    while anyio.current_time() - since < stall:
        await anyio.sleep(LOOK)
        if pump.done != told:
            told, since = pump.done, anyio.current_time()
            if on_progress is not None and told < size:
                on_progress(told, size)


def stalled(stall: float) -> Lost:
    return Lost(f"no progress for {stall:g} s")
