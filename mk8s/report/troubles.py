"""What went wrong and what to do about it; many nodes with the same trouble are one row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from machines import Record
from mk8s.amounts import length
from mk8s.last_words import MARK
from mk8s.report.gantt import lane_state
from mk8s.report.markup import Html, el, fragment, items
from mk8s.report.tables import Column, note, table
from mk8s.timeline import Lane, Timeline

__all__ = ["Trouble", "troubles", "troubles_of", "unfinished"]

NAMED = 12  # nodes that are named; of the rest, the number is told
NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\d+(\.\d+)*")  # hashes among them


@dataclass(slots=True)
class Trouble:
    """One kind of failure of one edge: everybody who had it, and how often."""

    edge: str
    kind: str  # the most specific class of its lineage
    remedy: str
    messages: dict[str, None]  # each once, without the node's name; the first is shown
    times: dict[str, int] = field(default_factory=dict)  # node -> errors
    first: float = 0.0  # second of the run
    last: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.times.values())


def troubles_of(records: Iterable[Record]) -> list[Trouble]:
    """Errors that say the same but for numbers and the node's own name; the most frequent first."""
    found: dict[tuple[str, ...], Trouble] = {}
    for record in records:
        if record.kind != "error" and not (record.kind == "undone" and record.lineage):
            continue
        said = record.message.replace(record.node, "…")
        kind = record.lineage[0] if record.lineage else ""
        key = (record.edge, kind, record.remedy, NUMBERS.sub("#", said.partition(MARK)[0]))
        trouble = found.setdefault(key, Trouble(record.edge, kind, record.remedy, {}, first=record.at))
        trouble.messages.setdefault(record.message.removeprefix(f"{record.node}: "))
        trouble.times[record.node] = trouble.times.get(record.node, 0) + 1
        trouble.last = record.at
    return sorted(found.values(), key=lambda trouble: -trouble.count)


def troubles(timeline: Timeline, titles: Mapping[str, str]) -> Html:
    """All errors of the run, with their remedies."""
    found = troubles_of(timeline.records)
    if not found:
        return note("Nothing went wrong: no attempt failed.", "good")
    columns = [
        Column("Times", numeric=True),
        Column("What was done"),
        Column("What went wrong", wide=True),
        Column("What to do"),
        Column("Nodes"),
        Column("When", numeric=True),
    ]
    return table(columns, [_row(trouble, titles) for trouble in found])


def _row(trouble: Trouble, titles: Mapping[str, str]) -> tuple[str, ...]:
    when = length(trouble.first)
    if trouble.last > trouble.first:
        when += f" – {length(trouble.last)}"
    edge = fragment(el("strong", trouble.edge), f": {titles.get(trouble.edge, trouble.edge)}")
    message = next(iter(trouble.messages))
    example = "such as: " if len(trouble.messages) > 1 else ""
    what = fragment(said(example + message), el("code", trouble.kind, class_="quiet"))
    return str(trouble.count), edge, what, trouble.remedy or "–", named(list(trouble.times)), when


def said(message: str) -> Html:
    """A failure's own words; what a unit said last in a box below."""
    head, *lines = message.split(MARK)
    return fragment(el("div", head), el("pre", "\n".join(lines)) if lines else None)


def named(nodes: Sequence[str]) -> str:
    """Their names, as many as can be read."""
    more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
    return ", ".join(nodes[:NAMED]) + more


def unfinished(timeline: Timeline) -> Html:
    """Nodes that did not become healthy: why, and what to do. Those with the same reason together."""
    groups: dict[tuple[str, str, str], list[Lane]] = {}
    for lane in timeline.lanes:
        if lane.outcome != "success":
            reason, remedy = _why(lane)
            words = reason.replace(f"{lane.node}: ", "")
            groups.setdefault((lane_state(lane), words, remedy), []).append(lane)
    if not groups:
        return note(f"All {len(timeline.lanes)} nodes are healthy.", "good")
    return items("ul", [_told(*key, lanes) for key, lanes in groups.items()], class_="groups")


def _why(lane: Lane) -> tuple[str, str]:
    """Why a node is where it is, and what to do. One that is not finished may be trying again and again."""
    if lane.reason or not lane.stretches:
        return lane.reason, lane.remedy
    tried = [one for one in lane.stretches if one.kind == "attempt" and one.outcome != "open"]
    if tried and tried[-1].outcome == "error":
        return tried[-1].words, tried[-1].remedy
    last = lane.stretches[-1]
    return (f"waits for {last.waits_for}" if last.waits_for else ""), ""


def _told(state: str, reason: str, remedy: str, lanes: Sequence[Lane]) -> Html:
    count = f" ({len(lanes)} nodes)" if len(lanes) > 1 else ""
    when = max((lane.ended for lane in lanes if lane.ended is not None), default=None)
    since = f", {'the last ' if len(lanes) > 1 else ''}after {length(when)}" if when is not None else ""
    word = el("strong", state, class_="wait-word" if state == "blocked" else "bad-word")
    if when is None:
        word = el("strong", f"not finished, {state}", class_="wait-word")
    hint = el("div", el("strong", "What to do: "), remedy) if remedy else None
    why = said(reason) if reason else None
    return fragment(word, f"{count}{since}: {named([lane.node for lane in lanes])}", why, hint)
