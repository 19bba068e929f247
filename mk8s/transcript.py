"""What was done on the nodes, command by command and step by step: the transcript, as values. Pure.

The executor writes it; the timeline, the report and whoever learns durations read it. An entry is a JSON
object; three kinds are told apart by `operation`:

- ``run``: a run begins or goes on: `started` is the text that its journal's header has.
- ``step``: a step of a list ended: `kind` (upload, write-file, run, wait-for), `description` its title.
- anything else: a command, a file sent or a file read.

A simulated run has no wall clock: its transcript lies beside the file with its journal, and begins with a
``run`` whose `journal` is the sha256 of that very file.

Seconds of the run are those of the journal. An entry is written when it ends; `at` is when it began.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

__all__ = [
    "NOTHING_DONE",
    "RUN",
    "STEP",
    "CommandDone",
    "StepDone",
    "StepKind",
    "Transcript",
    "beside_journal",
    "is_of_journal",
    "lines_of",
    "read_transcript",
    "transcript_of",
]

StepKind: TypeAlias = Literal["upload", "write-file", "run", "wait-for"]
RUN, STEP = "run", "step"
MOST = 1e15  # seconds, bytes: what is more was not written by a run
FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "node": str,
    "description": str,
    "at": (int, float),
    "seconds": (int, float),
    "status": (int, str),
    "bytes": int,
    "changed": bool,
}
"""What every entry but the beginning of a run has; those of older versions lack `at`."""


@dataclass(frozen=True, slots=True)
class CommandDone:
    """One command, or one file on its way."""

    node: str  # where it ran
    operation: str
    description: str
    at: float  # seconds of the run
    seconds: float
    status: int | str  # exit status; or the class of the failure, such as connection.lost; or "cancelled"
    size: int  # bytes: of the output, or of the file
    changed: bool  # False: a question

    @property
    def ended(self) -> float:
        return self.at + self.seconds


@dataclass(frozen=True, slots=True)
class StepDone:
    """One step of an edge's list on a node."""

    node: str  # the node that is worked on
    kind: StepKind
    title: str
    at: float  # seconds of the run
    seconds: float
    status: int | str  # 0, or the class of the failure, or "cancelled"
    size: int  # bytes that it brought to the node
    changed: bool  # False: it was true already, or a wait

    @property
    def ended(self) -> float:
        return self.at + self.seconds


@dataclass(frozen=True, slots=True)
class Transcript:
    """All of one run, its resumes included, in the order in which things ended."""

    commands: Sequence[CommandDone] = ()
    steps: Sequence[StepDone] = ()


NOTHING_DONE = Transcript()


def read_transcript(lines: Iterable[str], started: Sequence[str]) -> Transcript:
    """The entries of one run out of a file's lines. `started`: the headers' texts in its journal.

    Lines that cannot be read, and those of other runs, are left out.
    """
    return transcript_of(_of_run(_entries(lines), set(started)))


def beside_journal(journal: Path) -> Path:
    """Where the transcript of a simulated run's journal lies."""
    return journal.with_name(f"{journal.stem}.transcript{journal.suffix}")


def lines_of(transcript: Transcript, journal: str) -> Iterator[str]:
    """The text of a simulated run's transcript, for the journal with this sha256: what is read back equal."""
    yield _as_line({"operation": RUN, "started": "", "journal": journal})
    for command in transcript.commands:
        yield _as_line({"operation": command.operation, **_shared(command, command.description)})
    for step in transcript.steps:
        yield _as_line({"operation": STEP, "kind": step.kind, **_shared(step, step.title)})


def is_of_journal(line: str, journal: str | None = None) -> bool:
    """Whether a text's first line begins the transcript of a simulated run: of this one, or (None) of any."""
    begun = next(_entries([line]), {})
    digest = begun.get("journal") if begun.get("operation") == RUN else None
    return isinstance(digest, str) and journal in (None, digest)


def _shared(done: CommandDone | StepDone, description: str) -> dict[str, Any]:
    return {
        "node": done.node, "description": description, "at": done.at, "seconds": done.seconds,
        "status": done.status, "bytes": done.size, "changed": done.changed,
    }  # fmt: skip


def _as_line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":")) + "\n"


def transcript_of(entries: Iterable[Mapping[str, Any]]) -> Transcript:
    """Entries as they were handed to a writer. Those of older versions, without `at`, are left out."""
    commands: list[CommandDone] = []
    steps: list[StepDone] = []
    for entry in entries:
        if entry["operation"] == RUN or "at" not in entry:
            continue
        if entry["operation"] == STEP:
            steps.append(_step(entry))
        else:
            commands.append(_command(entry))
    return Transcript(commands, steps)


def _of_run(entries: Iterable[Mapping[str, Any]], started: set[str]) -> Iterator[Mapping[str, Any]]:
    ours = False
    for entry in entries:
        if entry["operation"] == RUN:
            begun = entry.get("started")
            ours = isinstance(begun, str) and begun in started
        elif ours:
            yield entry


def _entries(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):  # torn by a crash, or nothing that was written here
            continue
        if isinstance(entry, dict) and _is_readable(entry):
            yield entry


def _is_readable(entry: Mapping[str, Any]) -> bool:
    """Whether all is there that is read of it, of the kind that it should be."""
    operation = entry.get("operation")
    if operation == RUN:
        return True
    return (
        isinstance(operation, str)
        and all(isinstance(entry.get(key), kind) for key, kind in FIELDS.items())
        and all(0 <= entry[key] <= MOST for key in ("at", "seconds", "bytes"))
        and (operation != STEP or entry.get("kind") in get_args(StepKind))
    )


def _command(entry: Mapping[str, Any]) -> CommandDone:
    return CommandDone(
        entry["node"], entry["operation"], entry["description"], entry["at"], entry["seconds"],
        entry["status"], entry["bytes"], entry["changed"],
    )  # fmt: skip


def _step(entry: Mapping[str, Any]) -> StepDone:
    return StepDone(
        entry["node"], cast(StepKind, entry["kind"]), entry["description"], entry["at"], entry["seconds"],
        entry["status"], entry["bytes"], entry["changed"],
    )  # fmt: skip
