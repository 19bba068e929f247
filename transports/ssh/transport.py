"""The SSH transport: one node's two connections, and commands and files over them.

Commands share the control connection; large uploads have one of their own, because a command on a
connection that is uploading waits behind megabytes of socket buffers. Only where a person had to answer
for the first one they share it. Both open at first use and again after a loss. A connection found dead
before anything was begun on it is replaced silently, once.

This module knows no libssh2. Begin reading at `SSHTransport.run`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import PurePosixPath

import anyio
import anyio.to_thread

from transports.appending import append_command, judge_append
from transports.base import (
    Command,
    OnOutput,
    OnProgress,
    Outcome,
    Piece,
    Source,
    TransportError,
)
from transports.files import get_command, judge_get, judge_put, open_source, put_command
from transports.pace import Pace
from transports.shell import Output, kill_script
from transports.ssh.bastions import Bastion
from transports.ssh.channels import CannotOpen, Exchange, Remote
from transports.ssh.commands import Job, Supply, converse, exchange_for
from transports.ssh.connection import open_driver
from transports.ssh.driver import Driver, Lost
from transports.ssh.login import asked
from transports.ssh.options import ConnectionStarts, SSHOptions, UploadThreads
from transports.ssh.uploads import feed_between, feed_from_thread
from transports.sudo import doas_without_terminal, usable

__all__ = ["SSHTransport"]

SMALL = 1 << 18  # bytes; a source up to this travels as a command's stdin on the control connection
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


class SSHTransport:
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
        self._name = name
        self._options = options
        self._via = via
        if via is not None:
            via.hold()
        self._starts = starts
        self._uploads = uploads
        self._pace = pace
        self._log = log or silently
        self._control = Lane(self._open, self._say)
        self._bulk = Lane(self._open, self._say)
        self._bulk_turn = anyio.Lock()
        self._room = anyio.CapacityLimiter(CHANNELS)
        self._closed = False
        self._sudo_turn = anyio.Lock()
        self._sudo_words: str | None = None

    @property
    def name(self) -> str:
        return self._name

    # ---- the contract

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> Outcome:
        """See `Transport.run`."""
        return await self._run(command, Output(on_output))

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
        """See `Transport.put`."""
        command = put_command(source, target, mode=mode, owner=owner, sudo=sudo)
        if source.size <= SMALL:
            outcome = await self._put_small(command, source, on_progress)
        else:
            outcome = await self._put_large(command, source, on_progress)
        judge_put(self._name, source, target, outcome)

    async def append(
        self,
        piece: Piece,
        part: PurePosixPath,
        *,
        sudo: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        """See `Transport.append`."""
        command = append_command(piece, part, sudo=sudo)
        judge_append(self._name, piece, part, await self._put_large(command, piece, on_progress))

    async def get(self, source: PurePosixPath, *, sudo: bool = False, limit: int = 1 << 24) -> bytes:
        """See `Transport.get`."""
        room = Output(limit=limit + (1 << 16))  # the file, and what is said on stderr
        outcome = await self._run(get_command(source, limit=limit, sudo=sudo), room)
        return judge_get(self._name, source, limit, outcome)

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
        while True:
            async with self._room:
                exchange = self._exchange(job, output)
                driver, fresh = await self._connection(lane or self._control)
                try:
                    return output.outcome(await converse(driver, job, exchange))
                except CannotOpen:
                    self._take_less_room()
                    continue
                except Lost as lost:
                    reason = str(lost)
            if exchange.started or fresh:
                break
            self._say(f"reconnecting: {reason}")
        raise self._lost(command, reason, ambiguous=exchange.started)

    async def _job(self, command: Command, supply: Supply | None) -> Job:
        sudo = command.sudo and self._options.user != "root"
        password = await self._password() if sudo else None
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
        command = Command(
            operation="process.kill",
            description="stop what was cancelled",
            script=kill_script(groups),
            timeout=KILL_TIMEOUT,
        )
        killer = replace(job, command=command, supply=None)
        driver, _ = await self._connection(self._control)
        try:
            await converse(driver, killer, exchange_for(killer, Output()))
        except CannotOpen:
            extra = await self._open()
            try:
                await converse(extra, killer, exchange_for(killer, Output()))
            finally:
                extra.abort()

    async def _password(self) -> str | None:
        """sudo's password, asked for once. Raises TransportError ``sudo.password`` for doas."""
        if self._options.sudo_password is None:
            return None
        if self._options.escalate == "doas":
            raise doas_without_terminal(self._name, self._options.user)
        async with self._sudo_turn:
            if self._sudo_words is None:
                self._sudo_words = usable(self._name, await asked(self._options.sudo_password))
        return self._sudo_words

    # ---- uploads

    async def _put_small(self, command: Command, source: Source, on_progress: OnProgress | None) -> Outcome:
        content = await anyio.to_thread.run_sync(read_whole, source)
        if self._pace is not None:
            await anyio.sleep(self._pace.delay(len(content)))
        outcome = await self._run(replace(command, stdin=content), Output())
        if on_progress is not None and outcome.ok:
            on_progress(source.size, source.size)
        return outcome

    async def _put_large(
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
            raise TransportError(
                "connection.closed",
                "connection",
                message=f"{self._name}: this transport was closed",
                final=True,
            )
        return await lane.get()

    async def _open(self) -> Driver:
        label = f"{self._name} ({self._options.address})"
        driver = await open_driver(label, self._options, self._starts, via=self._via)
        self._say(f"logged in to {self._options.address} as {self._options.user}")
        return driver

    def _say(self, text: str) -> None:
        self._log(f"{self._name}: {text}")

    def _take_less_room(self) -> None:
        """The server gives fewer channels than we assumed: never have as many again."""
        in_use = int(self._room.borrowed_tokens)
        if in_use <= 1:
            raise TransportError(
                "connection.refused",
                "connection",
                message=f"{self._name}: sshd lets {self._options.user} run no command (MaxSessions)",
                remedy="set MaxSessions to at least 2 in /etc/ssh/sshd_config there",
                final=True,
            )
        self._room.total_tokens = in_use - 1

    def _lost(self, command: Command, reason: str, *, ambiguous: bool) -> TransportError:
        if self._via is not None and self._via.trouble:
            reason = self._via.trouble
        return TransportError(
            "connection.lost",
            "connection",
            message=f"{self._name}: the connection was lost: {command.description}: {reason}",
            remedy="check that the machine is up and reachable; it may have done its work all the same",
            ambiguous=ambiguous,
        )


def silently(_: str) -> None:
    """Where nobody wants the log."""


def read_whole(source: Source) -> bytes:
    with open_source(source) as stream:
        return stream.read()
