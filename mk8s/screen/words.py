"""The words for what happened: one record, one line, the same on a terminal, in a log and in JSON.

Law: whatever a node said, a line of ours is one line, and holds nothing that a terminal obeys. What a
failed unit said stands in lines of its own (`Line.said`), each marked as somebody else's words.

Pure. It knows no terminal and no colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from machines import Record
from machines.words import one_line
from mk8s.amounts import bytes_in_words, duration, length
from mk8s.evidence import work_of
from mk8s.forecast.beside import Prediction
from mk8s.last_words import MARK
from mk8s.traffic import Moving

__all__ = [
    "Line",
    "Pause",
    "line_of",
    "outcome_of_prediction",
    "prediction_in_words",
    "record_as_text",
    "retry_in_words",
    "span_in_words",
]

NEAR = 0.15  # of what a run took: a prediction that is no further off is a good one
PAUSE = 10.0  # seconds between two lines about what moves


class Line(NamedTuple):
    """One piece of news. `node` is empty for news of the whole run; `tone` is good, bad, wait or plain."""

    node: str
    text: str
    tone: str = "plain"
    said: tuple[str, ...] = ()  # the last words of a unit that failed


class Pause:
    """Lets a log have the news of moving files now and then, and their end once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due = -math.inf  # by the clock
        self._told: tuple[int, int] | None = None

    def is_over(self, total: Moving) -> bool:
        """Whether to tell this one. Nothing new is never told."""
        news = (total.done, total.size)
        is_end = total.done >= total.size
        if news == self._told or not (is_end or self._clock() >= self._due):
            return False
        self._told, self._due = news, self._clock() + PAUSE
        return True


def line_of(record: Record, titles: Mapping[str, str]) -> Line | None:
    """The news in a record; None where there is none for people. `titles`: edge name to words."""
    words = WORDS.get(record.kind)
    line = words(record, titles) if words else None
    if line is None:
        return None
    text, *said = line.text.split(MARK)
    return line._replace(text=one_line(text), said=tuple(map(one_line, said)))


def prediction_in_words(told: Prediction) -> str:
    """What is expected of the run."""
    return f"predicted: all nodes healthy after {span_in_words(told)} ({told.rests_on})"


def outcome_of_prediction(told: Prediction, seconds: float, *, all_healthy: bool) -> str:
    """What was expected, beside what a run took: it is as predicted within its range, or nearly so."""
    words = f"predicted: {span_in_words(told)}"
    if not all_healthy:
        return f"{words}, until all nodes are healthy"
    if int(told.low) <= int(seconds) <= int(told.high) or abs(told.middle - seconds) <= NEAR * seconds:
        return f"{words}, and it took {duration(seconds)}"
    return f"{words}, and it took {duration(seconds)}, {_beyond(told, int(seconds))}"


def _beyond(told: Prediction, seconds: int) -> str:
    """How far outside of the range, by the seconds that are shown: whoever reads them can do the sum."""
    low, high = int(told.low), int(told.high)
    is_longer = seconds > high
    apart = seconds - high if is_longer else low - seconds
    end = "" if low == high else "the longest of " if is_longer else "the shortest of "
    return f"{duration(apart)} {'longer' if is_longer else 'less'} than {end}that"


def span_in_words(told: Prediction) -> str:
    """From where to where it is expected to end."""
    low, high = duration(told.low), duration(told.high)
    return low if low == high else f"{low} to {high}"


def retry_in_words(record: Record) -> str:
    return f"attempt {record.attempt + 1} in {length(max(record.delay, 0.1))}"


def done_in_words(evidence: Mapping[str, Any]) -> str:
    """What an edge changed or saw, as its evidence says it."""
    work = work_of(evidence)
    if not work.changed:
        return work.seen[-1] if work.seen else "nothing to change"
    parts = [f"{work.changed} changed"]
    if work.uploaded:
        parts.append(f"{bytes_in_words(work.uploaded)} sent")
    if work.handed_on:
        parts.append(f"{bytes_in_words(work.handed_on)} from other nodes")
    return ", ".join(parts)


def _state(record: Record, titles: Mapping[str, str]) -> Line | None:
    if "~" in record.to:
        return Line(record.node, f"{titles.get(record.edge, record.edge)} …")
    if "~" in record.source and record.to == record.source.split("~", 1)[0]:
        return None  # interrupted: the `stopped` and `resumed` records say so
    tone = "good" if record.to == "healthy" else "bad" if record.lineage else "plain"
    return Line(record.node, record.to, tone)


def _done(record: Record, titles: Mapping[str, str]) -> Line | None:
    if "changed" not in record.evidence:
        return None
    return Line(record.node, f"{titles.get(record.edge, record.edge)}: {done_in_words(record.evidence)}")


def _error(record: Record, titles: Mapping[str, str]) -> Line:
    title = titles.get(record.edge, record.edge)
    reason = record.message.removeprefix(f"{record.node}: ")  # the line has the name already
    return Line(record.node, f"{title}: {reason or record.lineage[0]}", "bad")


def _retry(record: Record, _titles: Mapping[str, str]) -> Line:
    return Line(record.node, retry_in_words(record), "wait")


def _probed(record: Record, titles: Mapping[str, str]) -> Line | None:
    title = titles.get(record.edge, record.edge)
    return Line(record.node, f"{title}: had already happened", "good") if record.found else None


def _signal(record: Record, _titles: Mapping[str, str]) -> Line:
    have, need = record.evidence.get("have"), record.evidence.get("need")
    counted = f" ({have} of {need})" if have is not None else ""
    return Line("", f"{record.signal}{counted}", "good")


def _lost(record: Record, _titles: Mapping[str, str]) -> Line:
    return Line("", f"{record.signal} can no longer come: {record.reason}", "bad")


def _budget(record: Record, _titles: Mapping[str, str]) -> Line:
    return Line(record.node, record.reason or "the failure budget is spent", "bad")


def _blocked(record: Record, _titles: Mapping[str, str]) -> Line:
    return Line(record.node, f"blocked: {record.reason}", "bad")


def _stopped(record: Record, _titles: Mapping[str, str]) -> Line | None:
    return Line(record.node, "stopped, resumable", "wait") if record.node else None


def _resumed(record: Record, titles: Mapping[str, str]) -> Line:
    if not record.node:
        return Line("", "resuming the run that stands in the journal")
    return Line(record.node, f"continues at {titles.get(record.edge, record.edge) or record.to}")


def _undo(record: Record, _titles: Mapping[str, str]) -> Line:
    return Line(record.node, f"taking back: {record.undo}", "wait")


WORDS: Mapping[str, Callable[[Record, Mapping[str, str]], Line | None]] = {
    "state": _state,
    "done": _done,
    "error": _error,
    "retry": _retry,
    "probed": _probed,
    "signal": _signal,
    "lost": _lost,
    "budget": _budget,
    "blocked": _blocked,
    "stopped": _stopped,
    "resumed": _resumed,
    "undo": _undo,
}


OF_THE_RUN = {"finished": "the run has ended", "stopped": "the run was stopped, resumable"}
"""News for who reads a journal; beside a run its result says so."""


def record_as_text(record: Record, titles: Mapping[str, str]) -> str:
    """One record as one line of `mk8s journal`: number, time, kind, node, and the words or the bare facts."""
    line = line_of(record, titles)
    facts = line.text if line else one_line(_facts(record))
    node = one_line(record.node) or "*"  # of a journal that somebody else sent, perhaps
    return f"{record.seq:>6}  {duration(record.at):>8}  {record.kind:<9} {node:<14} {facts}"


def _facts(record: Record) -> str:
    if record.header:
        head = record.header
        begun = f", begun {head.started}" if head.started else ""
        by = "simulated" if head.simulated else f"mk8s {head.program}{begun}"
        return f"machine {head.machine} {head.version}, {len(head.members)} nodes, {by}"
    if not record.node and record.kind in OF_THE_RUN:
        return OF_THE_RUN[record.kind]
    parts = [record.edge, f"attempt {record.attempt}" if record.attempt else "", record.to, record.message]
    return ", ".join(part for part in parts if part)
