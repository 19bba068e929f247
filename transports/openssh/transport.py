"""The transport over the user's own ssh: one logged-in process a node, commands and files its sessions.

It opens at first use and again after a loss. A connection found dead before anything was begun on it is
replaced silently, once. Commands and files share it, for a second login could ask for a second touch of a
hardware key; ssh gives both their turns.

This module knows no control socket. Begin reading at `OpenSSHTransport._run`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import anyio
import anyio.to_thread

from transports.base import Command, OnProgress, Outcome, Piece, Source, TransportError
from transports.file_commands import SmallFilesWhole
from transports.jobs import SudoPassword, closed, kill_command, killed, lost, no_room
from transports.openssh.arguments import inquiry
from transports.openssh.commands import Exchange, Job, Supply, converse, exchange_for
from transports.openssh.failures import judge, mute_inquiry
from transports.openssh.master import Master, open_master, program_of
from transports.openssh.mux import CannotOpen, Channel, Lost
from transports.openssh.options import OpenSSHOptions
from transports.openssh.uploads import feed_source
from transports.pace import Pace
from transports.rooms import Room
from transports.shell import Output
from transports.ssh.options import ConnectionStarts, UploadThreads

__all__ = ["OpenSSHTransport"]

SESSIONS = 8  # commands at once on one connection; sshd allows 10 (MaxSessions), two are left for kills
KILL_TIMEOUT = 3.0  # seconds
INQUIRY_TIMEOUT = 15.0  # seconds; an ssh_config may run programs (Match exec)


class OpenSSHTransport(SmallFilesWhole):
    """One road to one node over the user's own ssh. Implements `transports.base.Transport`."""

    def __init__(
        self,
        name: str,
        options: OpenSSHOptions,
        *,
        starts: ConnectionStarts | None = None,
        uploads: UploadThreads | None = None,
        pace: Pace | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """`uploads` caps how many ssh processes encrypt files at the same time, over all nodes."""
        super().__init__(name, pace)
        self._options = options
        self._starts = starts
        self._uploads = uploads
        self._log = log or silently
        self._master: Master | None = None
        self._master_turn = anyio.Lock()
        self._upload_turn = anyio.Lock()
        self._room = Room(SESSIONS)
        self._closed = False
        self._user = options.user
        self._sudo_password = SudoPassword(name, options.sudo_password, options.escalate)

    # ---- the contract, beside `FileCommands`

    async def close(self) -> None:
        """See `Transport.close`. The ssh process is ended and collected, with all that it started."""
        self._closed = True
        async with self._master_turn:
            await self._drop()

    # ---- commands

    async def _run(self, command: Command, output: Output, *, supply: Supply | None = None) -> Outcome:
        job = await self._job(command, supply)
        turn = self._room.turn()
        while True:
            async with turn:
                exchange = self._exchange(job, output)
                master, fresh = await self._connection()
                try:
                    return output.outcome(await self._attempt(master, job, exchange))
                except CannotOpen as refusal:
                    if await turn.refused():
                        continue
                    if fresh:
                        raise no_room(f"{self._name}: sshd lets the user run no command: {refusal}") from None
                    # A command that was given up may not end, and counts.
                    reason = "it gives no more sessions"
                    master.broken = master.broken or reason
                except Lost as lost:
                    reason = str(lost)
            if exchange.started or fresh:
                break
            self._say(f"reconnecting: {reason}")
        raise self._lost(command, reason, ambiguous=exchange.started)

    async def _attempt(self, master: Master, job: Job, exchange: Exchange) -> int:
        """The exit status. Raises Lost, CannotOpen, TransportError."""
        try:
            status = await converse(master.socket, job, exchange)
        except Lost as lost:
            master.broken = master.broken or str(lost)
            raise Lost(explained(master, str(lost))) from None
        finally:
            if exchange.unstoppable:
                master.broken = master.broken or exchange.unstoppable
        if status is not None:
            return status
        if not await master.lives_on():
            raise Lost(explained(master, "the ssh program has ended"))
        raise killed(self._name, job.command)

    async def _job(self, command: Command, supply: Supply | None) -> Job:
        self._refuse_closed()
        user = await self._login_name()
        sudo = command.sudo and user != "root"
        return Job(
            name=self._name,
            user=user,
            command=replace(command, env={**self._options.environment, **command.env}),
            sudo=sudo,
            password=await self._sudo_password.get(user) if sudo else None,
            escalate=self._options.escalate,
            supply=supply,
        )

    def _exchange(self, job: Job, output: Output) -> Exchange:
        async def kill(groups: tuple[int, ...]) -> None:
            await self._kill(job, groups)

        return exchange_for(job, output, kill=kill, open_patience=self._options.connect_timeout)

    async def _kill(self, job: Job, groups: tuple[int, ...]) -> None:
        """End process groups through the connection, or through a new one where that is full."""
        killer = replace(job, command=kill_command(groups, KILL_TIMEOUT), supply=None)
        exchange = exchange_for(killer, Output(), kill=None, open_patience=KILL_TIMEOUT)
        master, _ = await self._connection()
        try:
            await converse(master.socket, killer, exchange)
        except CannotOpen:
            extra = await self._open()
            try:
                await converse(extra.socket, killer, exchange)
            finally:
                await extra.end()

    async def _login_name(self) -> str:
        """Who we are there: as we were told, or as ssh says when it reads its configuration."""
        if self._user is None:
            self._user = await anyio.to_thread.run_sync(partial(ask_login_name, self._label, self._options))
        return self._user

    # ---- uploads

    async def _feed(
        self, command: Command, source: Source | Piece, on_progress: OnProgress | None
    ) -> Outcome:
        async def supply(channel: Channel) -> None:
            await feed_source(channel, source, on_progress, pace=self._pace)

        async with self._upload_turn, self._uploads.limiter if self._uploads is not None else nullcontext():
            return await self._run(command, Output(), supply=supply)

    # ---- the connection

    @property
    def _label(self) -> str:
        return f"{self._name} ({self._options.address})"

    def _refuse_closed(self) -> None:
        if self._closed:
            raise closed(self._name)

    async def _connection(self) -> tuple[Master, bool]:
        """The connection, and whether it was opened just now. Raises TransportError."""
        async with self._master_turn:
            self._refuse_closed()
            if self._master is not None and self._master.usable:
                return self._master, False
            await self._drop()
            self._master = await self._open()
            return self._master, True

    async def _drop(self) -> None:
        if self._master is not None:
            self._say(f"connection dropped: {explained(self._master, self._master.broken)}")
            await self._master.end()
        self._master = None

    async def _open(self) -> Master:
        master = await open_master(self._label, self._options, self._starts, self._say)
        self._say(f"logged in to {self._options.address}")
        return master

    def _say(self, text: str) -> None:
        self._log(f"{self._name}: {text}")

    def _lost(self, command: Command, reason: str, *, ambiguous: bool) -> TransportError:
        return lost(self._name, command, reason, ambiguous=ambiguous)


def explained(master: Master, reason: str) -> str:
    """The reason, with what ssh itself said about it."""
    said = master.said().strip()
    return f"{reason} ({said.splitlines()[-1].strip()})" if said else reason


def ask_login_name(label: str, options: OpenSSHOptions) -> str:
    """``ssh -G``: reads the configuration and connects to nobody. Raises TransportError."""
    program = program_of(label, options)
    try:
        answer = subprocess.run(
            inquiry(options, program),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INQUIRY_TIMEOUT,
            start_new_session=True,
            check=False,
            env={name: value for name, value in os.environ.items() if name not in options.withheld},
        )
    except subprocess.TimeoutExpired:
        raise mute_inquiry(label, options.program, INQUIRY_TIMEOUT) from None
    for line in answer.stdout.splitlines():
        key, _, value = line.partition(" ")
        if key == "user":
            return value
    raise judge(label, answer.stderr)


def silently(_: str) -> None:
    """Where nobody wants the log."""
