"""One list of steps on one node: how each kind of step is made true, and what the list has come to so far.

Laws:

1. Nothing here reaches a node but through `Hands`, so the executor's laws hold for all of it.
2. The first byte of a list is sent only where there is room for all that the list has still to send.
3. A wait asks as often as its step says, and tells people only what is new.

It knows no transport and no transcript. Begin reading at `Work.do`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeAlias, TypeVar

import anyio

from machines.errors import ActionError
from mk8s.amounts import bytes_in_words
from mk8s.answers import FileState, read_file_state
from mk8s.commands import file_state, set_mode
from mk8s.delivery import Delivered, OnBytes, part_of
from mk8s.parts import Room, read_room, room_for
from mk8s.steps import Run, Step, Upload, Verdict, WaitFor, WriteFile
from mk8s.traffic import Moving, Rate
from mk8s.transcript import StepKind
from transports.base import Bytes, Command, OnOutput, OnProgress, Outcome, Piece, Source

__all__ = ["KINDS", "ROOT", "Classify", "Done", "Hands", "StepsReport", "Work", "answered", "as_root"]

T = TypeVar("T")
Classify: TypeAlias = Callable[[Outcome, Command], ActionError | None]
"""A known problem in what a failed command said, or None."""

NEWS = 2.0  # seconds between two words about one upload
ROOT = "root"  # whose every file is
LANGUAGE = "LC_ALL"
KINDS: Mapping[type[Step], StepKind] = {
    Upload: "upload",
    WriteFile: "write-file",
    Run: "run",
    WaitFor: "wait-for",
}


class Hands(Protocol):
    """What a list of steps needs of the executor; the words are there."""

    redact: Callable[[str], str]

    async def ask(self, node: str, command: Command) -> Outcome: ...

    async def news(self, node: str, command: Command, pauses: Iterator[float], known: Outcome) -> Outcome: ...

    async def command(
        self, node: str, command: Command, *, changed: bool, on_output: OnOutput | None = None
    ) -> Outcome: ...

    async def put(
        self, node: str, source: Source, step: Upload | WriteFile, on_progress: OnProgress
    ) -> None: ...

    async def append(
        self, node: str, pieces: Sequence[Piece], part: PurePosixPath, on_bytes: OnBytes
    ) -> None: ...

    async def deliver(
        self, node: str, step: Upload, on_bytes: OnBytes, note: Callable[[str], None]
    ) -> Delivered: ...

    def moved(self, node: str, step: Upload, done: int, *, begins: bool) -> None: ...

    def failure(self, outcome: Outcome, command: Command, classify: Classify) -> ActionError: ...

    def doing(self, node: str, kind: StepKind, title: str) -> AbstractContextManager[Done]: ...


@dataclass(slots=True)
class Done:
    """What a step came to."""

    changed: bool = False
    size: int = 0  # bytes that came to the node


def _ignore_arrival(_size: int) -> None:
    """Nobody compares."""


@dataclass(frozen=True, slots=True)
class StepsReport:
    """What a list of steps came to. A wait counts neither as changed nor as skipped."""

    changed: int = 0
    skipped: int = 0  # steps that were true already
    uploaded: int = 0  # bytes sent from this machine
    titles: tuple[str, ...] = ()  # of the steps that changed something
    seen: tuple[str, ...] = ()  # what the waits saw when they were met
    handed_on: int = 0  # bytes that came from other nodes

    def evidence(self) -> dict[str, Any]:
        """The same for the journal."""
        found: dict[str, Any] = {
            "changed": self.changed,
            "skipped": self.skipped,
            "uploaded": self.uploaded,
            "did": list(self.titles),
            "seen": list(self.seen),
        }
        return {**found, "handed_on": self.handed_on} if self.handed_on else found


@dataclass(slots=True)
class Work:
    """One list of steps on one node, and what it has come to so far."""

    executor: Hands
    node: str
    classify: Classify
    note: Callable[[str], None]
    to_send: Sequence[Upload] = ()  # the list's uploads that were not looked at yet
    arrived: Callable[[int], None] = _ignore_arrival  # hears how many bytes of an upload are there
    has_room: bool = False  # for all of them
    changed: int = 0
    skipped: int = 0
    uploaded: int = 0
    handed_on: int = 0
    titles: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def do(self, step: Step) -> None:
        """Make the step true. Raises ActionError, as `Executor.run_steps` says."""
        with self.executor.doing(self.node, KINDS[type(step)], step.title) as done:
            if isinstance(step, WaitFor):
                return await self._wait(step)
            self.note(step.title)
            before = self.uploaded + self.handed_on
            done.changed = await self._make_true(step)
            done.size = self.uploaded + self.handed_on - before
        if not done.changed:
            self.skipped += 1
            return None
        self.changed += 1
        self.titles.append(step.title)
        return None

    def report(self) -> StepsReport:
        """What the list has come to, without secrets."""
        redact = self.executor.redact
        titles, seen = tuple(map(redact, self.titles)), tuple(map(redact, self.seen))
        return StepsReport(self.changed, self.skipped, self.uploaded, titles, seen, self.handed_on)

    async def _make_true(self, step: Upload | WriteFile | Run) -> bool:
        """Whether something had to be changed for it."""
        if isinstance(step, Upload):
            return await self._upload(step)
        if isinstance(step, WriteFile):
            return await self._write(step)
        return await self._run(step)

    async def _upload(self, step: Upload) -> bool:
        there = await self._state(step)
        if there is not None and there.sha256 == step.source.sha256:
            self._looked_at(step)
            self.executor.moved(self.node, step, step.source.size, begins=True)
            if there.mode == step.mode:
                return False
            await self._must(set_mode(step.target, step.mode), changed=True)
            return True
        await self._refuse_without_room()
        delivered = await self.executor.deliver(self.node, step, self._progress(step), self.note)
        self.uploaded += delivered.sent
        self.handed_on += delivered.handed_on
        self._looked_at(step)
        return True

    def _looked_at(self, step: Upload) -> None:
        self.to_send = [other for other in self.to_send if other is not step]

    async def _refuse_without_room(self) -> None:
        """Before the first byte of the list: a full disk breaks more than an upload."""
        if self.has_room or not self.to_send:
            return
        places = [(step.target, part_of(step)) for step in self.to_send]
        found = await self._answer(room_for(places), read_room)
        refuse_without_room(self.node, self.to_send, found)
        self.has_room = True

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
        return answered(self.executor, command, await self._must(command), read)

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
        node, command = step.on or self.node, as_root(step.command)
        pauses, said = step.pauses(), None
        outcome = await self.executor.ask(node, command)
        while (words := self._news(step, step.judge(outcome))) is not None:
            if words != said:
                self.note(words)
                said = words
            outcome = await self.executor.news(node, command, pauses, outcome)

    def _news(self, step: WaitFor, verdict: Verdict) -> str | None:
        """What is being waited for, in words; None when it is met. Raises ActionError for never."""
        if verdict.met:
            self.seen.extend([f"{step.title}: {verdict.reason}"] if verdict.reason else [])
            return None
        words = f"waiting until {step.title}: {verdict.reason or 'not yet'}"
        if verdict.lineage:
            message = self.executor.redact(words)
            raise ActionError(*verdict.lineage, message=message, remedy=verdict.remedy, final=verdict.final)
        return words

    def _progress(self, step: Upload) -> OnBytes:
        """Tell people of an upload now and then, and those who add up all of them each time."""
        rate: Rate | None = None
        before, told_at = 0, 0.0

        def progress(done: int, total: int) -> None:
            nonlocal rate, before, told_at
            now = anyio.current_time()
            self.executor.moved(self.node, step, done, begins=rate is None)
            self.arrived(done)
            if rate is None:
                rate, before, told_at = Rate(now), done, now
                return
            rate.add(max(0, done - before), now)
            before = done
            if done >= total or now - told_at >= NEWS:
                told_at = now
                self.note(
                    f"{Moving(done, total, rate.at(now)).words}: {step.title}"
                )  # a narrow screen cuts the end

        return progress


def as_root(command: Command) -> Command:
    """The command as it is sent: as root, and with one fixed language. One that is so already is the same."""
    if command.sudo and LANGUAGE in command.env:
        return command
    return Command(
        operation=command.operation,
        description=command.description,
        script=command.script,
        args=command.args,
        stdin=command.stdin,
        env={LANGUAGE: "C", **command.env},
        sudo=True,
        timeout=command.timeout,
    )


def answered(hands: Hands, command: Command, outcome: Outcome, read: Callable[[Outcome], T]) -> T:
    """What an outcome with status 0 says. Raises ActionError ``integrity`` where it cannot be read."""
    try:
        return read(outcome)
    except ValueError as error:
        raise ActionError(
            "integrity",
            message=hands.redact(f"{command.description}: the answer cannot be read: {error}"),
            remedy="does root's shell print something of its own? It must be silent when no one types",
        ) from error


def refuse_without_room(node: str, steps: Sequence[Upload], found: Sequence[Room]) -> None:
    """Raise ActionError ``disk.full`` for each filesystem whose files have no room, in one message.

    A file of the right size at its target is taken for the file: it is hashed before it would be sent.
    """
    missing: dict[str, int] = {}
    folders: dict[str, list[PurePosixPath]] = {}
    free = {room.device: room.free for room in found}
    for step, room in zip(steps, found, strict=True):
        need = 0 if room.target == step.source.size else max(0, step.source.size - room.part)
        missing[room.device] = missing.get(room.device, 0) + need
        if need:
            folders.setdefault(room.device, []).append(step.target.parent)
    full = {device: _outermost(folders[device]) for device in missing if missing[device] > free[device]}
    if full:
        words = [_short_of(full[device], missing[device], free[device]) for device in full]
        where = " and ".join(folder for names in full.values() for folder in names)
        raise ActionError(
            "disk.full",
            "disk",
            message="; ".join(words),
            remedy=f"free some space on {node}, or mount a larger disk at {where}",
        )


def _outermost(folders: Sequence[PurePosixPath]) -> list[str]:
    """Each once, without those that lie below another."""
    return [str(one) for one in dict.fromkeys(folders) if not set(one.parents) & set(folders)]


def _short_of(folders: Sequence[str], need: int, free: int) -> str:
    verb = "needs" if len(folders) == 1 else "need"
    return f"{' and '.join(folders)} {verb} {bytes_in_words(need)}, and {bytes_in_words(free)} are free there"


def _ignore_progress(_done: int, _total: int) -> None:
    """Too small to speak of."""
