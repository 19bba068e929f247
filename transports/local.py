"""The machine that mk8s runs on, reached without a network: the same contract with child processes.

Every command is a process group of its own, in the same wrapper as over ssh, so that both answer alike.
Files are written in a worker thread: beside the target, hashed on the way, synced and renamed; as root
by the same script as over ssh, through sudo.

This module knows no SSH. Begin reading at `LocalTransport.run`.
"""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeAlias

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream, Process

from transports.appending import append_command, judge_append
from transports.base import (
    Command,
    OnOutput,
    OnProgress,
    Outcome,
    Piece,
    Source,
    Stream,
    TransportError,
)
from transports.files import get_command, judge_get, judge_put, open_source, put_command
from transports.local_files import append_piece, write_file
from transports.pace import Pace
from transports.shell import Conversation, Output, kill_script, status_of, wrap
from transports.sudo import doas_without_terminal, refusal, usable, wrong_password

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


class LocalTransport:
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
        self._name = name
        self._escalate = escalate
        self._environment = dict(environment or {})
        self._pace = pace
        self._ask = sudo_password
        self._ask_turn = anyio.Lock()
        self._words: str | None = None
        self._closed = False

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
        self._refuse_closed()
        if sudo and os.geteuid() != 0:
            await self._put_as_root(source, target, mode, owner, on_progress)
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
        command = append_command(piece, part, sudo=sudo)
        if sudo and os.geteuid() != 0:
            outcome = await self._run(command, Output(), feed=feeding_source(piece, on_progress, self._pace))
            judge_append(self._name, piece, part, outcome)
        else:
            await append_piece(self._name, piece, part, on_progress=on_progress, pace=self._pace)

    async def get(self, source: PurePosixPath, *, sudo: bool = False, limit: int = 1 << 24) -> bytes:
        """See `Transport.get`."""
        room = Output(limit=limit + (1 << 16))  # the file, and what is said on stderr
        outcome = await self._run(get_command(source, limit=limit, sudo=sudo), room)
        return judge_get(self._name, source, limit, outcome)

    async def close(self) -> None:
        """See `Transport.close`. Running commands end by themselves."""
        self._closed = True

    # ---- commands

    async def _run(self, command: Command, output: Output, *, feed: Feed | None = None) -> Outcome:
        self._refuse_closed()
        sudo = command.sudo and os.geteuid() != 0
        password = await self._password() if sudo else None
        if feed is None and command.stdin is not None:
            feed = feeding(command.stdin)
        talk = Conversation("mk8s-" + secrets.token_hex(8))
        command = replace(command, env={**self._environment, **command.env})
        job = Job(command, sudo, password, feed, talk, output)
        return output.outcome(await self._converse(job))

    def _refuse_closed(self) -> None:
        if self._closed:
            raise TransportError(
                "connection.closed",
                "connection",
                message=f"{self._name}: this transport was closed",
                final=True,
            )

    async def _converse(self, job: Job) -> int:
        with anyio.move_on_after(job.command.timeout):
            return await self._live(job)
        raise TransportError(
            "timeout",
            message=f"{self._name}: {job.command.description}: "
            f"not done within {job.command.timeout:g} s; it was stopped",
            remedy="look at the machine's load and at what the command waits for",
            ambiguous=True,
        )

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
            raise killed(self._name, job.command)
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
            return killed(self._name, job.command)
        had_password = job.password is not None
        return refusal(self._name, user, talk, had_password=had_password, escalate=self._escalate)

    async def _end(self, process: Process, job: Job) -> None:
        """Kill the process group, as root where it is root's."""
        with anyio.move_on_after(KILL_PATIENCE, shield=True), suppress(TransportError, ProcessLookupError):
            if job.killable:
                groups = tuple(job.talk.groups) or (process.pid,)
                command = Command(
                    operation="process.kill",
                    description="stop what was cancelled",
                    script=kill_script(groups),
                    timeout=KILL_PATIENCE,
                )
                talk = Conversation("mk8s-" + secrets.token_hex(8))
                killer = replace(job, command=command, feed=None, talk=talk, output=Output(), killable=False)
                await self._converse(killer)
            process.kill()

    async def _password(self) -> str | None:
        """sudo's password, asked for once."""
        if self._ask is None:
            return None
        if self._escalate == "doas":
            raise doas_without_terminal(self._name, user_name())
        async with self._ask_turn:
            if self._words is None:
                words = await anyio.to_thread.run_sync(self._ask, abandon_on_cancel=True)
                self._words = usable(self._name, words)
        return self._words

    # ---- files as root

    async def _put_as_root(
        self,
        source: Source,
        target: PurePosixPath,
        mode: int,
        owner: str | None,
        on_progress: OnProgress | None,
    ) -> None:
        command = put_command(source, target, mode=mode, owner=owner, sudo=True)
        feed = feeding_source(source, on_progress, self._pace)
        outcome = await self._run(command, Output(), feed=feed)
        judge_put(self._name, source, target, outcome)


def login_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a command finds over ssh, too. Our own variables may hold passwords, which children would show."""
    return {name: ours[name] for name in LOGIN_VARIABLES if name in ours}


async def exchange(process: Process, job: Job) -> None:
    """Feed stdin and read both streams to their ends."""
    problems: list[Exception] = []

    async def carefully(work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as problem:  # raised below: here it would be wrapped in a group
            problems.append(problem)
            tasks.cancel_scope.cancel()

    async def read(stream: ByteReceiveStream | None, name: Stream) -> None:
        assert stream is not None
        async for data in stream:
            job.output.add(name, data)

    async def feed(feeder: Feed) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it ended before its input
            await feeder(process)

    async with anyio.create_task_group() as tasks:
        if job.feed is not None:
            tasks.start_soon(carefully, feed(job.feed))
        async with anyio.create_task_group() as readers:
            readers.start_soon(carefully, read(process.stdout, "stdout"))
            readers.start_soon(carefully, read(process.stderr, "stderr"))
        tasks.cancel_scope.cancel()
    if problems:
        raise problems.pop()


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


def killed(name: str, command: Command) -> TransportError:
    """The end came without a status: something killed the shell around the command."""
    return TransportError(
        "connection.lost",
        "connection",
        message=f"{name}: {command.description}: it was killed from outside and left no exit status",
        remedy="look for an out-of-memory kill or a shutdown in `journalctl -k`",
        ambiguous=True,
    )
