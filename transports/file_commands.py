"""`run`, `put`, `append` and `get` of a transport that runs commands: the files travel as their input.

`FileCommands` sends every file as a stream; `SmallFilesWhole` sends a small one whole, as any command's
stdin. What a transport adds is `_run`, and `_feed` for a command that takes a file in its own time.

This module knows no SSH and no processes. Begin reading at `FileCommands.put`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import PurePosixPath

import anyio
import anyio.to_thread

from transports.appending import append_command, judge_append
from transports.base import Command, OnOutput, OnProgress, Outcome, Piece, Source
from transports.files import get_command, judge_get, judge_put, open_source, put_command
from transports.pace import Pace
from transports.shell import Output

__all__ = ["FileCommands", "SmallFilesWhole"]

SMALL = 1 << 18  # bytes; a source up to this travels as a command's stdin


class FileCommands(ABC):
    """The part of `transports.base.Transport` that is commands, whatever carries them."""

    def __init__(self, name: str, pace: Pace | None) -> None:
        self._name = name
        self._pace = pace

    @property
    def name(self) -> str:
        return self._name

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
        judge_put(self._name, source, target, await self._send(command, source, on_progress))

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
        judge_append(self._name, piece, part, await self._feed(command, piece, on_progress))

    async def get(self, source: PurePosixPath, *, sudo: bool = False, limit: int = 1 << 24) -> bytes:
        """See `Transport.get`."""
        room = Output(limit=limit + (1 << 16))  # the file, and what is said on stderr
        outcome = await self._run(get_command(source, limit=limit, sudo=sudo), room)
        return judge_get(self._name, source, limit, outcome)

    @abstractmethod
    async def _run(self, command: Command, output: Output) -> Outcome:
        """Run a command to its end. Raises TransportError."""

    @abstractmethod
    async def _feed(
        self, command: Command, source: Source | Piece, on_progress: OnProgress | None
    ) -> Outcome:
        """Run a command and feed it a file, chunk by chunk at the shared pace. Raises TransportError."""

    async def _send(self, command: Command, source: Source, on_progress: OnProgress | None) -> Outcome:
        """Run a command that takes a whole file on stdin."""
        return await self._feed(command, source, on_progress)


class SmallFilesWhole(FileCommands):
    """A small file goes whole, as any command's stdin: it need not wait its turn behind large ones."""

    async def _send(self, command: Command, source: Source, on_progress: OnProgress | None) -> Outcome:
        if source.size > SMALL:
            return await self._feed(command, source, on_progress)
        content = await anyio.to_thread.run_sync(read_whole, source)
        if self._pace is not None:
            await anyio.sleep(self._pace.delay(len(content)))
        outcome = await self._run(replace(command, stdin=content), Output())
        if on_progress is not None and outcome.ok:
            on_progress(source.size, source.size)
        return outcome


def read_whole(source: Source) -> bytes:
    with open_source(source) as stream:
        return stream.read()
