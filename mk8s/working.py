"""One list of steps on one node: how each kind of step is made true, and what the list has come to so far.

Laws:

1. Nothing here reaches a node but through `Hands`, so the executor's laws hold for all of it.
2. An upload is refused before its first byte where there is no room, and looked at again after its last.
3. A wait asks as often as its step says, and tells people only what is new.

It knows no transport and no transcript. Begin reading at `Work.do`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

import anyio

from machines.errors import ActionError
from mk8s.amounts import bytes_in_words
from mk8s.answers import FileState, read_file_state, read_free_space
from mk8s.commands import file_state, free_space, set_mode
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from transports.base import Bytes, Command, OnProgress, Outcome, Source

__all__ = ["ROOT", "Classify", "Hands", "Work"]

T = TypeVar("T")
Classify: TypeAlias = Callable[[Outcome, Command], ActionError | None]
"""A known problem in what a failed command said, or None."""

ROOT = "root"  # whose every file is


class Hands(Protocol):
    """What a list of steps needs of the executor; the words are there."""

    redact: Callable[[str], str]

    async def ask(self, node: str, command: Command) -> Outcome: ...

    async def command(self, node: str, command: Command, *, changed: bool) -> Outcome: ...

    async def put(
        self, node: str, source: Source, step: Upload | WriteFile, on_progress: OnProgress
    ) -> None: ...

    def failure(self, outcome: Outcome, command: Command, classify: Classify) -> ActionError: ...


@dataclass(slots=True)
class Work:
    """One list of steps on one node, and what it has come to so far."""

    executor: Hands
    node: str
    classify: Classify
    note: Callable[[str], None]
    changed: int = 0
    skipped: int = 0
    uploaded: int = 0
    titles: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def do(self, step: Step) -> None:
        """Make the step true. Raises ActionError, as `Executor.run_steps` says."""
        if isinstance(step, WaitFor):
            return await self._wait(step)
        self.note(step.title)
        if isinstance(step, Upload):
            done = await self._upload(step)
        elif isinstance(step, WriteFile):
            done = await self._write(step)
        else:
            done = await self._run(step)
        if not done:
            self.skipped += 1
            return None
        self.changed += 1
        self.titles.append(step.title)
        return None

    async def _upload(self, step: Upload) -> bool:
        there = await self._state(step)
        if there is not None and there.sha256 == step.source.sha256:
            if there.mode == step.mode:
                return False
            await self._must(set_mode(step.target, step.mode), changed=True)
            return True
        await self._refuse_without_room(step)
        await self.executor.put(self.node, step.source, step, self._progress(step.title))
        self.uploaded += step.source.size
        await self._verify(step)
        return True

    async def _refuse_without_room(self, step: Upload) -> None:
        """Before the first byte: a full disk breaks more than this upload."""
        free = await self._answer(free_space(step.target), read_free_space)
        if free < step.source.size:
            needed = bytes_in_words(step.source.size)
            raise ActionError(
                "disk.full",
                "disk",
                message=f"{step.target} needs {needed}, and {bytes_in_words(free)} are free there",
                remedy=f"free some space on {self.node}, or mount a larger disk at {step.target.parent}",
            )

    async def _verify(self, step: Upload) -> None:
        there = await self._state(step)
        if there is None or there.sha256 != step.source.sha256:
            found = f"its sha256 is {there.sha256[:12]}…" if there else "it is not there"
            raise ActionError(
                "integrity",
                message=f"{step.target} is not what was sent: {found}, not {step.source.sha256[:12]}…",
                remedy="something else writes to this path, or the host's disk or memory is damaged",
            )

    async def _write(self, step: WriteFile) -> bool:
        source = Bytes(step.content)
        if await self._state(step) == FileState(source.sha256, step.mode, ROOT):
            return False
        await self.executor.put(self.node, source, step, _ignore_progress)
        self.uploaded += source.size
        return True

    async def _state(self, step: Upload | WriteFile) -> FileState | None:
        return await self._answer(file_state(step.target), read_file_state)

    async def _answer(self, command: Command, read: Callable[[Outcome], T]) -> T:
        """A question of ours that has to exit 0, as a value."""
        outcome = await self._must(command)
        try:
            return read(outcome)
        except ValueError as error:
            raise ActionError(
                "integrity",
                message=self.executor.redact(f"{command.description}: the answer cannot be read: {error}"),
                remedy="does root's shell print something of its own? It must be silent when no one types",
            ) from error

    async def _run(self, step: Run) -> bool:
        if step.check is not None and (await self.executor.ask(step.on or self.node, step.check)).ok:
            return False
        await self._must(step.command, changed=True, on=step.on)
        return True

    async def _must(self, command: Command, *, changed: bool = False, on: str | None = None) -> Outcome:
        """A command that has to exit 0."""
        node = on or self.node
        work = self.executor.command(node, command, changed=True) if changed else self._ask(command)
        outcome = await work
        if not outcome.ok:
            raise self.executor.failure(outcome, command, self.classify)
        return outcome

    async def _ask(self, command: Command) -> Outcome:
        return await self.executor.ask(self.node, command)

    async def _wait(self, step: WaitFor) -> None:
        said = None
        for pause in step.pauses():
            verdict = step.judge(await self.executor.ask(step.on or self.node, step.command))
            if verdict.met:
                self.seen.extend([f"{step.title}: {verdict.reason}"] if verdict.reason else [])
                return
            words = f"waiting until {step.title}: {verdict.reason or 'not yet'}"
            if verdict.lineage:
                message = self.executor.redact(words)
                raise ActionError(
                    *verdict.lineage, message=message, remedy=verdict.remedy, final=verdict.final
                )
            if words != said:
                self.note(words)
                said = words
            await anyio.sleep(pause)

    def _progress(self, title: str) -> OnProgress:
        """Tell people each tenth of an upload."""
        told = 0

        def progress(done: int, total: int) -> None:
            nonlocal told
            tenths = 10 * done // total if total else 10
            if tenths > told:
                told = tenths
                self.note(f"{title}: {bytes_in_words(done)} of {bytes_in_words(total)}")

        return progress


def _ignore_progress(_done: int, _total: int) -> None:
    """Too small to speak of."""
