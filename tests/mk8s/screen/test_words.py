"""mk8s.screen: one record, one line, the same words everywhere."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import pytest

from machines import Record
from mk8s.amounts import duration
from mk8s.forecast.beside import Prediction
from mk8s.screen import EventScreen, PlainScreen, result_event
from mk8s.screen.live import LiveScreen
from mk8s.screen.words import Line, line_of, outcome_of_prediction, record_as_text

TITLES = {"stage": "put the release on the node", "hold": "hold for the signal"}


@dataclass(frozen=True)
class Someone:
    name: str = "node-1"
    role: str = "agent"


RECORDS = {
    "an edge begins": (
        Record(seq=1, at=0, kind="state", node="node-1", edge="stage", source="pending", to="pending~stage"),
        Line("node-1", "put the release on the node …"),
    ),
    "a state is reached": (
        Record(seq=1, at=0, kind="state", node="node-1", edge="stage", source="pending~stage", to="staged"),
        Line("node-1", "staged"),
    ),
    "a node is healthy": (
        Record(seq=1, at=0, kind="state", node="node-1", edge="verify", source="running", to="healthy"),
        Line("node-1", "healthy", "good"),
    ),
    "an edge changed something": (
        Record(
            seq=1, at=0, kind="done", node="node-1", edge="stage", attempt=1,
            evidence={"changed": 3, "uploaded": 3 << 20},
        ),
        Line("node-1", "put the release on the node: 3 changed, 3.0 MiB sent"),
    ),
    "an edge changed nothing": (
        Record(seq=1, at=0, kind="done", node="node-1", edge="stage", attempt=1, evidence={"changed": 0}),
        Line("node-1", "put the release on the node: nothing to change"),
    ),
    "an attempt failed": (
        Record(
            seq=1, at=0, kind="error", node="node-1", edge="stage", attempt=1,
            lineage=("connection.refused", "connection"), message="nobody listens there",
        ),
        Line("node-1", "put the release on the node: nobody listens there", "bad"),
    ),
    "a failure does not say the node's name twice": (
        Record(
            seq=1, at=0, kind="error", node="node-1", edge="stage", attempt=1,
            lineage=("sudo.password", "sudo"), message="node-1: sudo did not accept the password",
        ),
        Line("node-1", "put the release on the node: sudo did not accept the password", "bad"),
    ),
    "a retry says when": (
        Record(seq=1, at=0, kind="retry", node="node-1", edge="stage", attempt=1, delay=4.25),
        Line("node-1", "attempt 2 in 4.2 s", "wait"),
    ),
    "a probe found it done": (
        Record(seq=1, at=0, kind="probed", node="node-1", edge="stage", found=True),
        Line("node-1", "put the release on the node: had already happened", "good"),
    ),
    "a signal": (
        Record(seq=1, at=0, kind="signal", signal="primary-ready", evidence={"have": 1, "need": 1}),
        Line("", "primary-ready (1 of 1)", "good"),
    ),
    "a signal is lost": (
        Record(seq=1, at=0, kind="lost", signal="servers-healthy", reason="srv-2 can no longer come"),
        Line("", "servers-healthy can no longer come: srv-2 can no longer come", "bad"),
    ),
    "a node is blocked": (
        Record(seq=1, at=0, kind="blocked", node="node-1", reason="servers-healthy is lost"),
        Line("node-1", "blocked: servers-healthy is lost", "bad"),
    ),
    "an intent is not news": (
        Record(seq=1, at=0, kind="intent", node="node-1", edge="stage", attempt=1),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RECORDS)
def test_a_record_reads_as_its_line(case: str) -> None:
    """The words of a run, case by case."""
    record, line = RECORDS[case]
    assert line_of(record, TITLES) == line


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (125, "2:05"), (4200, "1:10:00")])
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    """Seconds below a minute, a clock above."""
    assert duration(seconds) == words


def test_the_plain_screen_counts_the_healthy_nodes() -> None:
    """The head of each line says how far the whole run is."""
    stream = io.StringIO()
    screen = PlainScreen(stream, TITLES, {"node-1": "running~verify", "node-2": "pending"})
    screen.record(RECORDS["a node is healthy"][0])
    screen.record(RECORDS["a signal"][0])
    assert stream.getvalue() == (
        "[1/2]     0 s  node-1  healthy\n[1/2]     0 s  *       primary-ready (1 of 1)\n"
    )


def test_every_event_carries_the_record_and_its_words() -> None:
    """JSON for programs says the same as the plain log for people."""
    stream = io.StringIO()
    screen = EventScreen(stream, TITLES)
    screen.record(RECORDS["a retry says when"][0])
    screen.note(Someone(), "waits for its unit")
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {
            "event": "retry", "seq": 1, "at": 0.0, "node": "node-1", "edge": "stage", "attempt": 1,
            "delay": 4.25, "text": "attempt 2 in 4.2 s",
        },
        {"event": "note", "node": "node-1", "text": "waits for its unit"},
    ]  # fmt: skip


def test_a_bug_keeps_its_traceback_on_the_plain_screen() -> None:
    """A mistake of ours must be reportable."""
    stream = io.StringIO()
    PlainScreen(stream, TITLES, {"node-1": "pending"}).bug(Someone(), KeyError("x"))
    assert "node-1" in stream.getvalue()
    assert "KeyError: 'x'" in stream.getvalue()


def test_the_journal_verb_shows_bare_facts_where_there_are_no_words() -> None:
    """Nothing in the journal is hidden from `mk8s journal`."""
    text = record_as_text(RECORDS["an intent is not news"][0], TITLES)
    assert text.split() == ["1", "0", "s", "intent", "node-1", "stage,", "attempt", "1"]


HOSTILE = Record(
    seq=1, at=0, kind="error", node="node-1", edge="stage", attempt=1,
    lineage=("exit.1", "exit"), message="\x1b]0;owned\x07\x1b[2J no\n[1/1] 0 s  node-1  healthy",
)  # fmt: skip
SHOWN = "\\x1b]0;owned\\x07\\x1b[2J no\\n[1/1] 0 s  node-1  healthy"


def test_a_node_cannot_write_to_the_terminal() -> None:
    """Its words come on one line, without anything that a terminal obeys."""
    stream = io.StringIO()
    PlainScreen(stream, TITLES, {"node-1": "pending"}).record(HOSTILE)
    assert stream.getvalue() == f"[0/1]     0 s  node-1  put the release on the node: {SHOWN}\n"
    assert SHOWN in record_as_text(HOSTILE, TITLES)


LAST_WORDS = Record(
    seq=1, at=0, kind="error", node="node-1", edge="stage", attempt=1,
    lineage=("unit.failed", "unit"), message="it keeps failing: no\n    | one\x1b[2J\n    | [1/1] two",
)  # fmt: skip


def test_what_a_failed_unit_said_stands_in_lines_of_its_own() -> None:
    """Each marked, so that none looks like a line of ours."""
    stream, events = io.StringIO(), io.StringIO()
    PlainScreen(stream, TITLES, {"node-1": "pending"}).record(LAST_WORDS)
    EventScreen(events, TITLES).record(LAST_WORDS)

    assert stream.getvalue().splitlines() == [
        "[0/1]     0 s  node-1  put the release on the node: it keeps failing: no",
        "    | one\\x1b[2J",
        "    | [1/1] two",
    ]
    assert json.loads(events.getvalue())["message"] == LAST_WORDS.message


def test_a_node_cannot_write_to_the_live_screen() -> None:
    """Neither as news nor as a note; rich itself lets escapes through."""
    stream = io.StringIO()
    with LiveScreen(stream, TITLES, {"node-1": "pending"}, {"node-1": "agent"}) as screen:
        screen.record(HOSTILE)
        screen.note(Someone(), HOSTILE.message)
    assert "\x1b" not in stream.getvalue()
    assert "owned" in stream.getvalue()


def test_news_of_the_whole_run_is_said_on_every_screen() -> None:
    """Such as that it is stopping: somebody who pressed Ctrl-C waits for a sign of life."""
    plain, events = io.StringIO(), io.StringIO()
    PlainScreen(plain, TITLES, {"node-1": "pending"}).say("stopping")
    EventScreen(events, TITLES).say("stopping")
    assert plain.getvalue() == "stopping\n"
    assert json.loads(events.getvalue()) == {"event": "said", "text": "stopping"}


def test_the_last_event_says_how_it_ended() -> None:
    """A program can tell the end of a run from the end of a pipe."""
    assert json.loads(result_event(1, {"node-1": "failed"}, "Next: …")) == {
        "event": "result",
        "code": 1,
        "states": {"node-1": "failed"},
        "text": "Next: …",
    }


class Clock:
    """Seconds that only move when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_long_silence_on_the_plain_screen_is_broken_by_what_the_node_waits_for() -> None:
    """Not before half a minute, then once each half minute; never for a node that has gone on."""
    stream, clock = io.StringIO(), Clock()
    screen = PlainScreen(stream, TITLES, {"node-1": "pending", "node-2": "pending"}, clock)
    screen.note(Someone(), "waiting until etcd is well:\na member is down")
    for seconds in (29.0, 1.0, 15.0, 15.0):
        clock.now += seconds
        screen.beat()
    assert stream.getvalue().splitlines() == [
        "[0/2]    30 s  node-1  still: waiting until etcd is well:\\na member is down",
        "[0/2]    1:00  node-1  still: waiting until etcd is well:\\na member is down",
    ]
    screen.record(Record(seq=1, at=61.0, kind="state", node="node-1", source="pending~stage", to="staged"))
    told = stream.getvalue()
    clock.now += 100
    screen.beat()
    assert stream.getvalue() == told


@pytest.mark.parametrize(
    ("seconds", "all_healthy", "words"),
    [
        (75.0, True, "predicted: 1:02 to 1:35, and it took 1:15"),
        (95.9, True, "predicted: 1:02 to 1:35, and it took 1:35"),  # as people read it
        (61.0, True, "predicted: 1:02 to 1:35, and it took 1:01"),  # less than a sixth off the middle
        (100.0, True, "predicted: 1:02 to 1:35, and it took 1:40, 5 s longer than the longest of that"),
        (20.0, True, "predicted: 1:02 to 1:35, and it took 20 s, 42 s less than the shortest of that"),
        (20.0, False, "predicted: 1:02 to 1:35, until all nodes are healthy"),
    ],
)
def test_a_prediction_is_laid_beside_what_the_run_took(seconds: float, all_healthy: bool, words: str) -> None:
    """Of a run that did not get there nothing is said but what was expected."""
    told = Prediction(62.0, 70.0, 95.0, "")
    assert outcome_of_prediction(told, seconds, all_healthy=all_healthy) == words


def test_a_prediction_of_one_time_has_no_longest() -> None:
    """The difference is the one between the two times that stand there."""
    words = outcome_of_prediction(Prediction(62.0, 62.4, 62.9, ""), 90.2, all_healthy=True)
    assert words == "predicted: 1:02, and it took 1:30, 28 s longer than that"
