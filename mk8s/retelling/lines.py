"""Records and the steps between them, in the order of time, as text or JSON lines. Pure."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from machines import Record
from machines.records import encode
from machines.words import one_line
from mk8s.amounts import bytes_in_words, duration, length
from mk8s.screen.words import record_as_text
from mk8s.transcript import StepDone

__all__ = ["Ends", "Entry", "as_json", "as_text", "ends_of", "mixed"]

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


class Ends:
    """How each run of a journal ended, in words: how many of its nodes were in which state then."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._words: dict[int, str] = {}  # by the number of the run's last record

    def see(self, entries: Iterable[Entry]) -> None:
        """The records that follow, in their order; none may be left out."""
        for entry in entries:
            if isinstance(entry, Record):
                self._take(entry)

    def words(self, record: Record) -> str:
        """What is to stand behind a record; empty where it ends nothing."""
        return self._words.get(record.seq, "")

    def _take(self, record: Record) -> None:
        if record.header is not None:  # of a run that goes on, perhaps with other nodes
            self._states = {name: self._states.get(name, "") for name, _ in record.header.members}
        if record.node:
            state = "blocked" if record.kind == "blocked" else record.to.partition("~")[0]
            self._states[record.node] = state or self._states.get(record.node, "")
        elif record.kind == "finished":
            counts = Counter(filter(None, self._states.values()))
            self._words[record.seq] = ", ".join(f"{count} {state}" for state, count in counts.items())


def ends_of(records: Iterable[Record]) -> Ends:
    """Those of a whole journal."""
    ends = Ends()
    ends.see(records)
    return ends


def as_text(entry: Entry, titles: Mapping[str, str], ends: Ends) -> str:
    """One line."""
    if not isinstance(entry, Record):
        return _step_as_text(entry)
    line, words = record_as_text(entry, titles), ends.words(entry)
    return f"{line}: {one_line(words)}" if words else line


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
    words = f"{one_line(step.title)}: {how} in {length(step.seconds)}{size}"
    return f"{'.':>6}  {duration(step.ended):>8}  {'step':<9} {step.node or '*':<14} {words}"
