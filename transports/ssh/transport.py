"""The SSH transport: one node's two connections, and commands and files over them.

Commands share the control connection; large uploads have one of their own, because a command on a
connection that is uploading waits behind megabytes of socket buffers. Only where a person had to answer
for the first one they share it. Both open at first use and again after a loss. A connection found dead
before anything was begun on it is replaced silently, once.

This module knows no libssh2. Begin reading at `SSHTransport._run`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace

import anyio
import anyio.to_thread

from transports.base import (
    Command,
    OnProgress,
    Outcome,
    Piece,
    Source,
    TransportError,
)
from transports.file_commands import SmallFilesWhole
from transports.jobs import SudoPassword, closed, kill_command, lost, no_room
from transports.pace import Pace
from transports.rooms import Room
from transports.shell import Output
from transports.ssh.bastions import Bastion
from transports.ssh.channels import CannotOpen, Exchange, Remote
from transports.ssh.commands import Job, Supply, converse, exchange_for
from transports.ssh.connection import open_driver
from transports.ssh.driver import Driver, Lost
from transports.ssh.options import ConnectionStarts, SSHOptions, UploadThreads
from transports.ssh.uploads import feed_between, feed_from_thread

__all__ = ["SSHTransport"]

CHANNELS = 8  # commands at once on one connection; sshd allows 10 (MaxSessions), two are left for kills
KILL_TIMEOUT = 3.0  # seconds


class Lane:
    """One connection to the node, opened when it is needed and again after a loss."""

    def __init__(self, open_one: Callable[[], Awaitable[Driver]], log: Callable[[str], None]) -> None:
        self._open_one = open_one
        self._log = log
        self._lock = anyio.Lock()
        self._driver: Driver | None = None

    async def get(self) -> tuple[Driver, bool]:
        """The connection, and whether it was opened just now. Raises TransportError."""
        async with self._lock:
            if self._driver is not None and not self._driver.broken:
                return self._driver, False
            if self._driver is not None:
                self._log(f"connection dropped: {self._driver.broken}")
            self._drop()
            self._driver = await self._open_one()
            return self._driver, True

    async def close(self) -> None:
        async with self._lock:
            if self._driver is not None:
                await self._driver.close()
            self._drop()

    def _drop(self) -> None:
        if self._driver is not None:
            self._driver.abort()
        self._driver = None


class SSHTransport(SmallFilesWhole):
    """One road to one node over SSH. Implements `transports.base.Transport`."""

    def __init__(
        self,
        name: str,
        options: SSHOptions,
        *,
        via: Bastion | None = None,
        starts: ConnectionStarts | None = None,
        uploads: UploadThreads | None = None,
        pace: Pace | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(name, pace)
        self._options = options
        self._via = via
        if via is not None:
            via.hold()
        self._starts = starts
        self._uploads = uploads
        self._log = log or silently
        self._control = Lane(self._open, self._say)
        self._bulk = Lane(self._open, self._say)
        self._bulk_turn = anyio.Lock()
        self._room = Room(CHANNELS)
        self._closed = False
        self._sudo_password = SudoPassword(name, options.sudo_password, options.escalate)

    # ---- the contract, beside `FileCommands`

    async def close(self) -> None:
        """See `Transport.close`."""
        was_closed, self._closed = self._closed, True
        try:
            await self._control.close()
            await self._bulk.close()
        finally:
            if self._via is not None and not was_closed:
                await self._via.release()

    # ---- commands

    async def _run(
        self, command: Command, output: Output, *, lane: Lane | None = None, supply: Supply | None = None
    ) -> Outcome:
        job = await self._job(command, supply)
        turn = self._room.turn()
        while True:
            async with turn:
                exchange = self._exchange(job, output)
                driver, fresh = await self._connection(lane or self._control)
                try:
                    return output.outcome(await converse(driver, job, exchange))
                except CannotOpen:
                    if await turn.refused():
                        continue
                    user = self._options.user
                    raise no_room(f"{self._name}: sshd lets {user} run no command (MaxSessions)") from None
                except Lost as lost:
                    reason = str(lost)
            if exchange.started or fresh:
                break
            self._say(f"reconnecting: {reason}")
        raise self._lost(command, reason, ambiguous=exchange.started)

    async def _job(self, command: Command, supply: Supply | None) -> Job:
        sudo = command.sudo and self._options.user != "root"
        password = await self._sudo_password.get(self._options.user) if sudo else None
        return Job(
            name=self._name,
            user=self._options.user,
            command=replace(command, env={**self._options.environment, **command.env}),
            sudo=sudo,
            password=password,
            supply=supply,
            escalate=self._options.escalate,
        )

    def _exchange(self, job: Job, output: Output) -> Exchange:
        async def kill(groups: tuple[int, ...]) -> None:
            await self._kill(job, groups)

        return exchange_for(job, output, kill=kill, open_patience=self._options.connect_timeout)

    async def _kill(self, job: Job, groups: tuple[int, ...]) -> None:
        """End process groups through the control connection, or through a new one where that is full."""
        killer = replace(job, command=kill_command(groups, KILL_TIMEOUT), supply=None)
        driver, _ = await self._connection(self._control)
        try:
            await converse(driver, killer, exchange_for(killer, Output()))
        except CannotOpen:
            extra = await self._open()
            try:
                await converse(extra, killer, exchange_for(killer, Output()))
            finally:
                extra.abort()

    # ---- uploads

    async def _feed(
        self, command: Command, source: Source | Piece, on_progress: OnProgress | None
    ) -> Outcome:
        async def supply(process: Remote) -> None:
            if process.driver.is_precious:
                await feed_between(process, source, on_progress, pace=self._pace)
            else:
                await feed_from_thread(process.driver, process.channel, source, on_progress, pace=self._pace)

        async with self._bulk_turn, self._uploads.limiter if self._uploads is not None else nullcontext():
            return await self._run(command, Output(), lane=await self._lane_for_files(), supply=supply)

    async def _lane_for_files(self) -> Lane:
        """The bulk connection; or the other one, where that cost a person's answers."""
        if self._options.answers is None:
            return self._bulk
        control, _ = await self._connection(self._control)
        return self._control if control.is_precious else self._bulk

    # ---- connections

    async def _connection(self, lane: Lane) -> tuple[Driver, bool]:
        if self._closed:
            raise closed(self._name)
        return await lane.get()

    async def _open(self) -> Driver:
        label = f"{self._name} ({self._options.address})"
        driver = await open_driver(label, self._options, self._starts, via=self._via)
        self._say(f"logged in to {self._options.address} as {self._options.user}")
        return driver

    def _say(self, text: str) -> None:
        self._log(f"{self._name}: {text}")

    def _lost(self, command: Command, reason: str, *, ambiguous: bool) -> TransportError:
        if self._via is not None and self._via.trouble:
            reason = self._via.trouble
        return lost(self._name, command, reason, ambiguous=ambiguous)


def silently(_: str) -> None:
    """Where nobody wants the log."""
