"""Steps over a transport: the one place where what a driver wants meets what a node says.

Laws:

1. What is already true is left alone: every step is checked first, if it has a check.
2. A `TransportError` becomes an `ActionError` here and nowhere else.
3. Everything runs as root, and with one fixed language, so that words on stderr can be recognised.
4. Every command goes to the transcript; stdin, output and file contents never do.

It retries nothing: that is the table's business. It knows no Kubernetes, no SSH and no terminal; time
is the event loop's. Begin reading at `Executor.run_steps`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, TypeAlias, TypeVar

import anyio

from machines.errors import ActionError, Failure
from mk8s.answers import FileState, read_file_state, read_free_space
from mk8s.commands import file_state, free_space, set_mode
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from transports.base import Bytes, Command, OnProgress, Outcome, Source, Transport, TransportError

__all__ = ["Classify", "Executor", "StepsReport"]

T = TypeVar("T")
Classify: TypeAlias = Callable[[Outcome, Command], ActionError | None]
"""A known problem in what a failed command said, or None."""

LANGUAGE = {"LC_ALL": "C"}
LOOKS = 3  # how often a question is asked whose answer comes cut
DISK_FULL = b"No space left on device"
ROOT = "root"


@dataclass(frozen=True, slots=True)
class StepsReport:
    """What a list of steps came to. A wait counts neither as changed nor as skipped."""

    changed: int = 0
    skipped: int = 0  # steps that were true already
    uploaded: int = 0  # bytes
    titles: tuple[str, ...] = ()  # of the steps that changed something
    seen: tuple[str, ...] = ()  # what the waits saw when they were met

    def evidence(self) -> dict[str, Any]:
        """The same for the journal."""
        return {
            "changed": self.changed,
            "skipped": self.skipped,
            "uploaded": self.uploaded,
            "did": list(self.titles),
            "seen": list(self.seen),
        }


class Executor:
    """Runs steps on nodes, by name. One serves a whole cluster, many nodes at a time."""

    def __init__(
        self,
        transports: Mapping[str, Transport],
        *,
        transcript: Callable[[dict[str, Any]], None] | None = None,
        note: Callable[[str, str], None] | None = None,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        """`transcript` gets an entry per command, `note` (node, text) for people; `redact` hides secrets."""
        self._transports = transports
        self._transcript = transcript or _ignore
        self._note = note or _ignore_note
        self.redact = redact or _as_it_is

    async def run_steps(
        self,
        node: str,
        steps: Sequence[Step],
        classify: Classify | None = None,
        note: Callable[[str], None] | None = None,
    ) -> StepsReport:
        """Make every step true, in order; stop at the first that fails. `note` replaces the common one.

        Raises ActionError: with the lineages of TransportError, ``disk.full``, ``integrity``, ``exit.N`` >
        ``exit``, what `classify` makes of a failed command and what the judges of waits say.
        """
        tell = note or (lambda text: self._note(node, text))
        work = _Work(self, node, classify or _nothing_known, lambda text: tell(self.redact(text)))
        for step in steps:
            await work.do(step)
        return StepsReport(
            work.changed,
            work.skipped,
            work.uploaded,
            tuple(map(self.redact, work.titles)),
            tuple(map(self.redact, work.seen)),
        )

    async def ask(self, node: str, command: Command) -> Outcome:
        """Run a question, which changes nothing, and hand back its answer whatever its exit status.

        Raises ActionError when no whole answer came.
        """
        for _ in range(LOOKS):
            outcome = await self.command(node, command, changed=False)
            if not outcome.truncated:
                return outcome
        raise ActionError(
            "integrity",
            message=self.redact(f"{node}: {command.description}: the answer came cut {LOOKS} times"),
            remedy="look at the network between here and the node",
        )

    async def command(self, node: str, command: Command, *, changed: bool) -> Outcome:
        """Run one command as root. `changed`: what the transcript says of it."""
        as_root = replace(command, sudo=True, env={**LANGUAGE, **command.env})
        entry = self._entry(node, command.operation, command.description, changed=changed)

        async def run() -> Outcome:
            outcome = await self._transports[node].run(as_root)
            entry["status"] = outcome.status
            entry["bytes"] = len(outcome.stdout) + len(outcome.stderr)
            return outcome

        return await self._recorded(entry, run())

    async def put(self, node: str, source: Source, step: Upload | WriteFile, on_progress: OnProgress) -> None:
        """Put a file on a node as root's own."""
        entry = self._entry(node, "file.put", f"write {step.target}", changed=True)

        async def put() -> None:
            await self._transports[node].put(
                source, step.target, mode=step.mode, owner=ROOT, sudo=True, on_progress=on_progress
            )
            entry["status"] = 0
            entry["bytes"] = source.size

        await self._recorded(entry, put())

    async def get(self, node: str, path: PurePosixPath) -> bytes:
        """A file of a node, read as root. The transcript has its size, never its content."""
        entry = self._entry(node, "file.get", f"read {path}", changed=False)

        async def get() -> bytes:
            content = await self._transports[node].get(path, sudo=True)
            entry["status"] = 0
            entry["bytes"] = len(content)
            return content

        return await self._recorded(entry, get())

    async def translated(self, answer: Awaitable[T]) -> T:
        """Wait for what a transport answers; its errors become ActionErrors. Nobody else translates them."""
        try:
            return await answer
        except TransportError as error:
            raise self._hiding(error) from error

    def _hiding(self, told: TransportError | Failure) -> ActionError:
        """The same without secrets: it may hold a node's own words."""
        message = self.redact(told.message)
        return ActionError(
            *told.lineage, message=message, remedy=told.remedy, ambiguous=told.ambiguous, final=told.final
        )

    def failure(self, outcome: Outcome, command: Command, classify: Classify) -> ActionError:
        """What a failed command means: the driver's word first, then what holds everywhere."""
        known = classify(outcome, command)
        if known is not None:
            return self._hiding(known.failure)
        message = self.redact(f"{command.description}: {outcome.complaint}")
        if DISK_FULL in outcome.stderr:
            return ActionError("disk.full", "disk", message=message, remedy="free some space on the host")
        return ActionError(f"exit.{outcome.status}", "exit", message=message)

    def _entry(self, node: str, operation: str, description: str, *, changed: bool) -> dict[str, Any]:
        return {
            "node": node,
            "operation": operation,
            "description": self.redact(description),
            "status": "cancelled",
            "seconds": 0.0,
            "bytes": 0,
            "changed": changed,
        }

    async def _recorded(self, entry: dict[str, Any], work: Awaitable[T]) -> T:
        """Do the work, and write its entry however it ends: answered, failed or cancelled."""
        began = anyio.current_time()
        try:
            return await self.translated(work)
        except ActionError as error:
            entry["status"] = error.failure.kind
            raise
        finally:
            entry["seconds"] = round(anyio.current_time() - began, 6)
            self._transcript(entry)


@dataclass(slots=True)
class _Work:
    """One list of steps on one node, and what it has come to so far."""

    executor: Executor
    node: str
    classify: Classify
    note: Callable[[str], None]
    changed: int = 0
    skipped: int = 0
    uploaded: int = 0
    titles: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def do(self, step: Step) -> None:
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
            needed = _amount(step.source.size)
            raise ActionError(
                "disk.full",
                "disk",
                message=f"{step.target} needs {needed}, and {_amount(free)} are free there",
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
                self.note(f"{title}: {_amount(done)} of {_amount(total)}")

        return progress


def _amount(size: int) -> str:
    """Bytes for people."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


def _nothing_known(_outcome: Outcome, _command: Command) -> None:
    """No catalogue of problems."""


def _as_it_is(text: str) -> str:
    return text


def _ignore(_entry: dict[str, Any]) -> None:
    """Nobody keeps a transcript."""


def _ignore_note(_node: str, _text: str) -> None:
    """Nobody listens."""


def _ignore_progress(_done: int, _total: int) -> None:
    """Too small to speak of."""
