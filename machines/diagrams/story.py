"""A recorded run as messages in time: who was told to do what, what came of it, which signals came. Pure.

Few members stand by themselves; many stand together by their role, and each role's way along an edge is
two messages: its beginning and its end. So the story of 500 is as long as that of 5.

`sequence` writes it in a language. Begin reading at `story_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from machines.diagrams.measure import shortened
from machines.records import Record
from machines.spec import MachineSpec
from machines.table import IN_FLIGHT

__all__ = ["ALONE", "Message", "Note", "Story", "clock", "story_of"]

ALONE = 12  # members that can stand side by side and still be read
SHOWN = 3  # failures of one member on one edge, and of one role
MOST = 110  # characters of what went wrong


@dataclass(frozen=True, slots=True)
class Message:
    """To a participant, or back from it."""

    who: str
    text: str
    kind: Literal["begin", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Note:
    """Over everyone, or over one."""

    text: str
    who: str = ""


Event: TypeAlias = Message | Note


@dataclass(frozen=True, slots=True)
class Story:
    """Participants in the order of the plan: their name, and what they are called."""

    participants: Mapping[str, str]
    events: Sequence[Event]


def story_of(records: Sequence[Record], spec: MachineSpec, alone: int = ALONE) -> Story:
    """The run that these records tell. More members than `alone` stand together by role."""
    members: dict[str, str] = {}
    for record in records:
        members |= dict(record.header.members) if record.header else {}
    titles = {edge.name: edge.title or edge.name for edge in spec.edges}
    failures = {name for name, state in spec.states.items() if state.outcome == "failure"}
    if len(members) <= alone:
        told: Iterator[tuple[Record, Event]] = _each(records, titles, failures)
        people = {name: f"{name} ({role})" for name, role in members.items()}
    else:
        told = _together(records, members, titles, failures)
        counts = {role: sum(r == role for r in members.values()) for role in members.values()}
        people = {role: f"{role} ({count})" for role, count in counts.items()}
    return Story(people, [_timed(record, event) for record, event in told])


def clock(seconds: float) -> str:
    """A second of the run, as 4m05s or 1h02m03s: the languages have plans of their own for colons."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}h{minute:02}m{second:02}s" if hours else f"{minute}m{second:02}s"


def _timed(record: Record, event: Event) -> Event:
    text = f"{clock(record.at)}  {event.text}"
    return Note(text, event.who) if isinstance(event, Note) else Message(event.who, text, event.kind)


def _reason(record: Record) -> str:
    text = record.message or (record.lineage[0] if record.lineage else record.reason)
    return shortened(" ".join(text.removeprefix(f"{record.node}: ").split()), MOST)


def _about_all(record: Record) -> Note | None:
    """What concerns everyone."""
    words = _WORDS.get(record.kind)
    return Note(words(record)) if words and not record.node else None


_WORDS: Mapping[str, Callable[[Record], str]] = {
    "signal": lambda r: (
        f"signal {r.signal}" + (f" ({r.evidence['have']} there)" if r.evidence.get("have") else "")
    ),
    "lost": lambda r: shortened(f"signal {r.signal} can no longer come: {r.reason}", MOST),
    "budget": lambda r: shortened(r.reason or "a failure budget is spent", MOST),
    "resumed": lambda _: "the run goes on from here",
    "stopped": lambda _: "the run was stopped",
    "finished": lambda _: "the end",
}


# -- everyone alone -----------------------------------------------------------------------------------


def _each(
    records: Sequence[Record], titles: Mapping[str, str], failures: set[str]
) -> Iterator[tuple[Record, Event]]:
    begun: dict[str, Record] = {}
    told: dict[tuple[str, str], int] = {}
    for record in records:
        about_all = _about_all(record)
        if about_all is not None:
            yield record, about_all
        elif record.kind == "state" and IN_FLIGHT in record.to:
            begun[record.node] = record
            told[record.node, record.edge] = 0
            yield record, Message(record.node, titles.get(record.edge, record.edge), "begin")
        elif record.kind == "error":
            told[record.node, record.edge] = told.get((record.node, record.edge), 0) + 1
            yield from _one_failure(record, told[record.node, record.edge])
        elif record.kind == "state" and record.node in begun and IN_FLIGHT in record.source:
            yield record, _arrival(record, begun[record.node], record.to in failures)
        elif record.kind == "blocked":
            yield record, Note(shortened(f"blocked: {record.reason}", MOST), record.node)


def _one_failure(record: Record, number: int) -> Iterator[tuple[Record, Event]]:
    if number <= SHOWN:
        yield record, Message(record.node, f"attempt {record.attempt}: {_reason(record)}", "failed")
    elif number == SHOWN + 1:
        yield record, Note("more attempts fail", record.node)


def _arrival(record: Record, begun: Record, is_failure: bool) -> Message:
    took = f"{record.to}, after {clock(record.at - begun.at)}"
    return Message(record.node, took, "failed" if is_failure else "done")


# -- by role ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Course:
    """A role's way along one edge."""

    begun: int = 0
    done: int = 0
    retries: int = 0
    last: Record | None = None
    reasons: dict[str, str] = field(default_factory=dict)  # member -> its last
    fallen: list[str] = field(default_factory=list)


def _together(
    records: Sequence[Record], members: Mapping[str, str], titles: Mapping[str, str], failures: set[str]
) -> Iterator[tuple[Record, Event]]:
    courses = _courses(records, members, failures)
    begun: set[tuple[str, str]] = set()
    for record in records:
        key = (members.get(record.node, ""), record.edge)
        about_all = _about_all(record)
        if about_all is not None:
            yield record, about_all
        elif record.kind == "state" and IN_FLIGHT in record.to and key not in begun:
            begun.add(key)
            yield record, Message(key[0], f"{titles.get(key[1], key[1])}: the first begins", "begin")
        if key in courses and courses[key].last is record:
            yield from _end(record, key[0], titles.get(key[1], key[1]), courses[key])


def _courses(
    records: Sequence[Record], members: Mapping[str, str], failures: set[str]
) -> dict[tuple[str, str], _Course]:
    courses: dict[tuple[str, str], _Course] = {}
    for record in records:
        is_work = record.kind == "state" and IN_FLIGHT in record.source + record.to
        if not (is_work or record.kind in ("retry", "error")):
            continue
        course = courses.setdefault((members.get(record.node, ""), record.edge), _Course())
        _count(course, record, failures)
    return courses


def _count(course: _Course, record: Record, failures: set[str]) -> None:
    if record.kind == "retry":
        course.retries += 1
    elif record.kind == "error":
        course.reasons[record.node] = _reason(record)
    elif IN_FLIGHT in record.to:
        course.begun += 1
    elif record.to in failures:
        course.fallen.append(record.node)
    else:
        course.done += 1
    course.last = record


def _end(record: Record, role: str, title: str, course: _Course) -> Iterator[tuple[Record, Event]]:
    failed = len(course.fallen)
    still = course.begun - course.done - failed
    counts = (
        (course.done, "done"),
        (failed, "failed"),
        (still, "under way"),
        (course.retries, "retries"),
    )
    told = ", ".join(f"{count} {words}" for count, words in counts if count > 0)
    yield record, Message(role, f"{title}: {told}", "failed" if failed else "done")
    for name in course.fallen[:SHOWN]:
        yield record, Note(f"{name}: {course.reasons.get(name, 'it failed')}", role)
    if failed > SHOWN:
        yield record, Note(f"and {failed - SHOWN} more", role)
