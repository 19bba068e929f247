"""The machine that mk8s runs on, reached without a network: the same contract with child processes.

Every command is a process group of its own, in the same wrapper as over ssh, so that both answer alike.
Files are written in a worker thread: beside the target, hashed on the way, synced and renamed; as root
by the same script as over ssh, through sudo.

This module knows no SSH. Begin reading at `LocalTransport._run`.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeAlias

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream, Process

from transports.appending import append_command
from transports.base import (
    Command,
    OnProgress,
    Outcome,
    Piece,
    Source,
    Stream,
    TransportError,
)
from transports.file_commands import FileCommands
from transports.files import open_source
from transports.jobs import SudoPassword, closed, feed_and_read, fresh_mark, kill_command, killed, timed_out
from transports.local_files import append_piece, write_file
from transports.pace import Pace
from transports.shell import Conversation, Output, status_of, wrap
from transports.sudo import refusal, wrong_password

__all__ = ["LocalTransport"]

Feed: TypeAlias = Callable[[Process], Awaitable[None]]

LOGIN_VARIABLES = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER")
CHUNK = 1 << 20  # bytes
KILL_PATIENCE = 3.0  # seconds for the kill of a process group


@dataclass(slots=True)
class Job:
    """One run of a command, and how far it got."""

    command: Command
    sudo: bool
    password: str | None = field(repr=False)  # sudo's
    feed: Feed | None
    talk: Conversation
    output: Output
    killable: bool = True  # the command that kills is not itself killed with care


class LocalTransport(FileCommands):
    """This machine. Implements `transports.base.Transport`."""

    def __init__(
        self,
        name: str,
        *,
        sudo_password: Callable[[], str | None] | None = None,
        pace: Pace | None = None,
        escalate: str = "sudo",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, pace)
        self._escalate = escalate
        self._environment = dict(environment or {})
        self._sudo_password = SudoPassword(name, sudo_password, escalate)
        self._closed = False

    # ---- the contract, where it is not as `FileCommands` has it

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
        self._refuse_closed()
        if sudo and os.geteuid() != 0:
            await super().put(source, target, mode=mode, owner=owner, sudo=True, on_progress=on_progress)
        else:
            await write_file(
                self._name,
                source,
                target,
                mode=mode,
                owner=owner,
                on_progress=on_progress,
                pace=self._pace,
            )

    async def append(
        self,
        piece: Piece,
        part: PurePosixPath,
        *,
        sudo: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        """See `Transport.append`."""
        self._refuse_closed()
        if sudo and os.geteuid() != 0:
            await super().append(piece, part, sudo=sudo, on_progress=on_progress)
        else:
            append_command(piece, part, sudo=sudo)  # for its ArgumentErrors alone
            await append_piece(self._name, piece, part, on_progress=on_progress, pace=self._pace)

    async def close(self) -> None:
        """See `Transport.close`. Running commands end by themselves."""
        self._closed = True

    # ---- commands

    async def _run(self, command: Command, output: Output, *, feed: Feed | None = None) -> Outcome:
        self._refuse_closed()
        sudo = command.sudo and os.geteuid() != 0
        password = await self._sudo_password.get(user_name()) if sudo else None
        if feed is None and command.stdin is not None:
            feed = feeding(command.stdin)
        talk = Conversation(fresh_mark())
        command = replace(command, env={**self._environment, **command.env})
        job = Job(command, sudo, password, feed, talk, output)
        return output.outcome(await self._converse(job))

    def _refuse_closed(self) -> None:
        if self._closed:
            raise closed(self._name)

    async def _converse(self, job: Job) -> int:
        with anyio.move_on_after(job.command.timeout):
            return await self._live(job)
        raise timed_out(self._name, job.command)

    async def _live(self, job: Job) -> int:
        """Start the process, and see it to its end or end it."""
        words = wrap(
            job.command,
            job.talk.mark,
            sudo=job.sudo,
            password=job.password is not None,
            stdin=job.feed is not None,
            escalate=self._escalate,
        )
        process = await anyio.open_process(words, start_new_session=True, env=login_environment(os.environ))
        try:
            refused = await self._begin(process, job)
            if refused is None:
                await exchange(process, job)
            wire = await process.wait()
        except BaseException:
            await self._end(process, job)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await process.aclose()
        if refused is not None:
            raise refused
        status = status_of(max(wire, 0))
        if status is None:
            raise killed(self._name, job.command, where="")
        return status

    async def _begin(self, process: Process, job: Job) -> TransportError | None:
        """Wait until the command runs, telling sudo the password. The reason, where it does not run."""
        assert process.stdin is not None
        assert process.stderr is not None
        talk, answered, user = job.talk, 0, user_name()
        async for data in process.stderr:
            job.output.add("stderr", talk.hear(data))
            if talk.begun:
                return None
            if talk.asked > 1:
                await process.stdin.aclose()  # sudo gives up at the end of its input
                return wrong_password(self._name, user)
            if talk.asked > answered:
                answered += 1
                with suppress(anyio.BrokenResourceError):
                    await process.stdin.send((job.password or "").encode() + b"\n")
        if not job.sudo:
            return killed(self._name, job.command, where="")
        had_password = job.password is not None
        return refusal(self._name, user, talk, had_password=had_password, escalate=self._escalate)

    async def _end(self, process: Process, job: Job) -> None:
        """Kill the process group, as root where it is root's."""
        with anyio.move_on_after(KILL_PATIENCE, shield=True), suppress(TransportError, ProcessLookupError):
            if job.killable:
                groups = tuple(job.talk.groups) or (process.pid,)
                command = kill_command(groups, KILL_PATIENCE)
                talk = Conversation(fresh_mark())
                killer = replace(job, command=command, feed=None, talk=talk, output=Output(), killable=False)
                await self._converse(killer)
            process.kill()

    async def _feed(
        self, command: Command, source: Source | Piece, on_progress: OnProgress | None
    ) -> Outcome:
        return await self._run(command, Output(), feed=feeding_source(source, on_progress, self._pace))


def login_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a command finds over ssh, too. Our own variables may hold passwords, which children would show."""
    return {name: ours[name] for name in LOGIN_VARIABLES if name in ours}


async def exchange(process: Process, job: Job) -> None:
    """Feed stdin and read both streams to their ends."""

    async def read(stream: ByteReceiveStream | None, name: Stream) -> None:
        assert stream is not None
        async for data in stream:
            job.output.add(name, data)

    async def feed(feeder: Feed) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it ended before its input
            await feeder(process)

    await feed_and_read(
        feed(job.feed) if job.feed is not None else None,
        read(process.stdout, "stdout"),
        read(process.stderr, "stderr"),
    )


def feeding(data: bytes) -> Feed:
    """Feeds bytes, then the end."""

    async def feed(process: Process) -> None:
        assert process.stdin is not None
        await process.stdin.send(data)
        await process.stdin.aclose()

    return feed


def feeding_source(source: Source | Piece, on_progress: OnProgress | None, pace: Pace | None = None) -> Feed:
    """Feeds a file chunk by chunk, then the end."""

    async def feed(process: Process) -> None:
        assert process.stdin is not None
        most, done = min(CHUNK, pace.share) if pace else CHUNK, 0
        with open_source(source) as stream:
            while done < source.size and (
                chunk := await anyio.to_thread.run_sync(stream.read, min(most, source.size - done))
            ):
                if pace is not None:
                    await anyio.sleep(pace.delay(len(chunk)))
                await process.stdin.send(chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(done, source.size)
        await process.stdin.aclose()

    return feed


def user_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
