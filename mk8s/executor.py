"""Steps over a transport: the one place where what a driver wants meets what a node says.

Laws:

1. What is already true is left alone: every step is checked first, if it has a check and was not made true
   by an attempt that goes on here (see `mk8s.headway`).
2. A `TransportError` becomes an `ActionError` here and nowhere else.
3. Everything runs as root, and with one fixed language, so that words on stderr can be recognised.
4. Every command and step goes to the transcript; stdin, output and file contents never do.

It retries nothing: that is the table's business. It knows no Kubernetes, no SSH and no terminal; time
is the event loop's. Begin reading at `Executor.run_steps`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import PurePosixPath
from typing import Any, TypeAlias, TypeVar

import anyio

from machines.errors import ActionError, Failure
from mk8s.delivery import Delivered, Delivery, OnBytes
from mk8s.direct import DirectDelivery
from mk8s.headway import Headway
from mk8s.steps import Step, Upload, WaitFor, WriteFile
from mk8s.traffic import Traffic
from mk8s.transcript import STEP, StepKind
from mk8s.working import ROOT, Classify, Done, Hands, StepsReport, Work, as_root
from transports.base import (
    Command,
    Idling,
    OnOutput,
    OnProgress,
    Outcome,
    Piece,
    Source,
    Transport,
    TransportError,
)

__all__ = ["Classify", "Executor", "MakeDelivery", "StepsReport"]

T = TypeVar("T")
MakeDelivery: TypeAlias = Callable[[Hands], Delivery]
"""How large files get onto nodes, given the hands to do it with."""

LOOKS = 3  # how often a question is asked whose answer comes cut
DISK_FULL = b"No space left on device"


class Executor:
    """Runs steps on nodes, by name. One serves a whole cluster, many nodes at a time."""

    def __init__(
        self,
        transports: Mapping[str, Transport],
        *,
        transcript: Callable[[dict[str, Any]], None] | None = None,
        note: Callable[[str, str], None] | None = None,
        redact: Callable[[str], str] | None = None,
        delivery: MakeDelivery = DirectDelivery,
        traffic: Traffic | None = None,
        clock: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """`transcript` gets an entry per command and step, `note` (node, text) for people.

        `redact` hides secrets. `delivery` makes what brings files to nodes; without it, this machine
        sends them. `traffic` is told how far they are. `clock`: seconds of the run, for the transcript.
        `sleep`: what waits let time pass with.
        """
        self._transports = transports
        self._transcript = transcript
        self._note = note or _ignore_note
        self.redact = redact or _as_it_is
        self._traffic = Traffic() if traffic is None else traffic
        self._clock = clock
        self._sleep = sleep
        self._delivery = delivery(self)

    async def run_steps(
        self,
        node: str,
        steps: Sequence[Step],
        classify: Classify | None = None,
        note: Callable[[str], None] | None = None,
        headway: Headway | None = None,
    ) -> StepsReport:
        """Make every step true, in order; stop at the first that fails. `note` replaces the common one.

        `headway`: where to go on, and who hears how far it is; without it every step is looked at.
        Raises ActionError: with the lineages of TransportError, ``disk.full``, ``integrity``, ``exit.N`` >
        ``exit``, what `classify` makes of a failed command and what the judges of waits say.
        """
        tell = note or (lambda text: self._note(node, text))
        way = headway or Headway(steps)
        uploads = [step for step in steps[way.behind :] if isinstance(step, Upload)]
        work = Work(
            self, node, classify or _nothing_known, lambda text: tell(self.redact(text)), uploads, way.arrived
        )
        for position, step in enumerate(steps):
            if position < way.behind:
                work.skipped += not isinstance(step, WaitFor)
            else:
                await work.do(step)
            way.finished(step)
        return work.report()

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

    async def news(self, node: str, command: Command, pauses: Iterator[float], known: Outcome) -> Outcome:
        """The first answer to a question that is not the known one; with a pause before each look.

        Raises ActionError when no whole answer came.
        """
        outcome: Outcome | None = known
        while outcome is None or outcome == known:
            outcome = await self._idle(node, command, pauses, known)
            if outcome is None:
                outcome = await self.ask(node, command)
        return outcome

    async def _idle(
        self, node: str, command: Command, pauses: Iterator[float], known: Outcome
    ) -> Outcome | None:
        """Until the next look is due; a simulated transport makes those looks itself that bring no news."""
        transport = self._transports[node]
        if not isinstance(transport, Idling):
            await self._sleep(next(pauses))
            return None
        told = None if self._transcript is None else partial(self._looked, node, command)
        try:
            return await transport.idle(command, pauses, known, told)
        except TransportError as error:
            raise self._hiding(error) from error

    def _looked(self, node: str, command: Command, seconds: float, outcome: Outcome) -> None:
        """Write down a look that a transport made by itself, as those that were asked for."""
        entry = self._entry(node, command.operation, command.description, changed=False)
        entry |= {"at": round(self._clock() - seconds, 6), "seconds": round(seconds, 6)}
        entry |= {"status": outcome.status, "bytes": len(outcome.stdout) + len(outcome.stderr)}
        if self._transcript is not None:
            self._transcript(entry)

    async def command(
        self, node: str, command: Command, *, changed: bool, on_output: OnOutput | None = None
    ) -> Outcome:
        """Run one command as root. `changed`: what the transcript says of it.

        `on_output` hears what it says as it comes; then the outcome does not hold it.
        """
        transport, asked = self._transports[node], as_root(command)
        if self._transcript is None:
            try:
                return await transport.run(asked, on_output=on_output)
            except TransportError as error:
                raise self._hiding(error) from error
        entry = self._entry(node, command.operation, command.description, changed=changed)

        async def run() -> Outcome:
            outcome = await transport.run(asked, on_output=on_output)
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

    async def append(
        self, node: str, pieces: Sequence[Piece], part: PurePosixPath, on_bytes: OnBytes
    ) -> None:
        """Send pieces of one file, in order, to where it grows. One entry in the transcript for them all."""
        size = pieces[-1].start + pieces[-1].size if pieces else 0
        entry = self._entry(node, "file.append", f"write {part}", changed=True)

        async def send(piece: Piece) -> None:
            before = entry["bytes"]

            def told(done: int, _size: int) -> None:
                entry["bytes"] = before + done
                on_bytes(piece.start + done, size)

            await self._transports[node].append(piece, part, sudo=True, on_progress=told)

        async def send_all() -> None:
            for piece in pieces:
                await send(piece)
            entry["status"] = 0

        await self._recorded(entry, send_all())

    def doing(self, node: str, kind: StepKind, title: str) -> AbstractContextManager[Done]:
        """A step of a list, from its beginning to its end, however it ends: for the transcript."""
        return nullcontext(Done()) if self._transcript is None else self._written(node, kind, title)

    @contextmanager
    def _written(self, node: str, kind: StepKind, title: str) -> Iterator[Done]:
        done = Done()
        entry = self._entry(node, STEP, title, changed=False) | {"kind": kind}
        began = anyio.current_time()
        try:
            yield done
            entry["status"] = 0
        except ActionError as error:
            entry["status"] = error.failure.kind
            raise
        finally:
            entry |= {"changed": done.changed, "bytes": done.size}
            entry["seconds"] = round(anyio.current_time() - began, 6)
            self._write(entry)

    async def deliver(
        self, node: str, step: Upload, on_bytes: OnBytes, note: Callable[[str], None]
    ) -> Delivered:
        """Bring a file to a node. See `Delivery.deliver`."""
        return await self._delivery.deliver(node, step, on_bytes, note)

    def moved(self, node: str, step: Upload, done: int, *, begins: bool) -> None:
        """So many bytes of a file are on a node. `begins`: they stood there when its delivery began."""
        self._traffic.told(node, str(step.target), step.source, done, anyio.current_time(), begins=begins)

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

    def _write(self, entry: dict[str, Any]) -> None:
        if self._transcript is not None:
            self._transcript(entry)

    def _entry(self, node: str, operation: str, description: str, *, changed: bool) -> dict[str, Any]:
        return {
            "node": node,
            "operation": operation,
            "description": self.redact(description),
            "at": round(self._clock(), 6),
            "status": "cancelled",
            "seconds": 0.0,
            "bytes": 0,
            "changed": changed,
        }

    async def _recorded(self, entry: dict[str, Any], work: Awaitable[T]) -> T:
        """Do the work, and write its entry however it ends: answered, failed or cancelled."""
        if self._transcript is None:
            return await self.translated(work)
        began = anyio.current_time()
        try:
            return await self.translated(work)
        except ActionError as error:
            entry["status"] = error.failure.kind
            raise
        finally:
            entry["seconds"] = round(anyio.current_time() - began, 6)
            self._write(entry)


def _nothing_known(_outcome: Outcome, _command: Command) -> None:
    """No catalogue of problems."""


def _as_it_is(text: str) -> str:
    return text


def _ignore_note(_node: str, _text: str) -> None:
    """Nobody listens."""
