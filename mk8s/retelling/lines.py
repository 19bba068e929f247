"""Records and the steps between them, in the order of time, as text or JSON lines. Pure."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from machines import Record
from machines.records import encode
from machines.words import one_line
from mk8s.amounts import bytes_in_words, duration
from mk8s.screen.words import record_as_text
from mk8s.transcript import StepDone

__all__ = ["Entry", "as_json", "as_text", "mixed"]

Entry: TypeAlias = Record | StepDone


def mixed(records: Iterable[Record], steps: Iterable[StepDone]) -> Iterator[Entry]:
    """Both by their second; a step counts when it ends, and comes before a record of the same second."""
    yield from (entry for *_, entry in heapq.merge(_by_end(steps), _by_number(records)))


def _by_end(steps: Iterable[StepDone]) -> Iterator[tuple[float, int, int, Entry]]:
    for number, step in enumerate(sorted(steps, key=lambda step: step.ended)):
        yield step.ended, 0, number, step


def _by_number(records: Iterable[Record]) -> Iterator[tuple[float, int, int, Entry]]:
    for record in records:
        yield record.at, 1, record.seq, record


def as_text(entry: Entry, titles: Mapping[str, str]) -> str:
    """One line."""
    return record_as_text(entry, titles) if isinstance(entry, Record) else _step_as_text(entry)


def as_json(entry: Entry) -> str:
    """One line: a record as the journal has it, or a step with the kind `step`."""
    if isinstance(entry, Record):
        return json.dumps(json.loads(encode(entry)), separators=(",", ":"))  # foreign letters as escapes
    return json.dumps(
        {
            "kind": "step", "at": entry.at, "seconds": entry.seconds, "node": entry.node, "step": entry.kind,
            "title": entry.title, "status": entry.status, "bytes": entry.size, "changed": entry.changed,
        }
    )  # fmt: skip


def _step_as_text(step: StepDone) -> str:
    """In the columns of a record, without a number."""
    how = "changed" if step.changed else "seen" if step.kind == "wait-for" else "true already"
    if step.status != 0:
        how = str(step.status)
    size = f", {bytes_in_words(step.size)}" if step.size else ""
    words = f"{one_line(step.title)}: {how} in {step.seconds:.3g} s{size}"
    return f"{'.':>6}  {duration(step.ended):>8}  {'step':<9} {step.node or '*':<14} {words}"
