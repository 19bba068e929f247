"""The three screens, shown the same rehearsal: which one a run gets, and what each puts where."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from machines.simulation import FaultPlan, ScriptedFault
from mk8s.distros.base import load_distro
from mk8s.forecast.beside import Prediction
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from mk8s.rollout import edge_titles
from mk8s.screen import EventScreen, PlainScreen, Screen, choose_screen
from mk8s.screen.live import LiveScreen
from mk8s.traffic import Moving
from tests.mk8s.examples import cluster

CLUSTER = cluster(servers=1, agents=2)
TITLES = edge_titles(CLUSTER)
STATES = {node.name: "pending" for node in CLUSTER.nodes}
ROLES = {node.name: node.role for node in CLUSTER.nodes}
FULL = FaultPlan(scripted=(ScriptedFault("agent-2", "file.append", "disk-full", attempt=None),))


def live(stream: io.StringIO) -> LiveScreen:
    return LiveScreen(stream, TITLES, STATES, ROLES, title="test")


def shown_by(make: Callable[[io.StringIO], Screen]) -> tuple[Rehearsal, str]:
    """A run in which one agent's disk is full, and what a screen said of it."""
    stream = io.StringIO()
    with make(stream) as screen:
        run = rehearse(Conditions(CLUSTER, load_distro("rke2")), faults=FULL, observer=screen)
    return run, stream.getvalue()


def test_the_live_screen_ends_with_a_row_for_each_node_and_why_one_is_not_healthy() -> None:
    """Name, role and state; the reason stands beside it to the end."""
    _, text = shown_by(live)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.split()[:1]}
    assert "2 of 3 healthy" in text
    assert [rows[name][1] for name in STATES] == ["primary", "agent", "agent"]
    assert [name for name in STATES if "healthy" in rows[name]] == ["srv-1", "agent-1"]
    assert "quarantined" in rows["agent-2"]
    assert " is full" in " ".join(text.split())  # folded in its column


def test_a_bug_is_shown_on_the_live_screen_with_its_traceback() -> None:
    """It is ours to mend, so it is told whole."""
    stream = io.StringIO()
    with live(stream) as screen:
        screen.bug(CLUSTER.nodes[0], RuntimeError("no such thing"))
    assert "srv-1" in stream.getvalue()
    assert "RuntimeError: no such thing" in stream.getvalue()


def test_the_plain_screen_counts_the_healthy_and_tells_each_news_on_a_line() -> None:
    """For logs: how many, when, who, what."""
    _, text = shown_by(lambda stream: PlainScreen(stream, TITLES, STATES))
    lines = text.splitlines()
    assert lines[0].startswith("[0/3]")
    assert lines[-1].startswith("[2/3]")
    assert any("agent-2" in line and line.endswith("quarantined") for line in lines)


def test_events_are_the_journals_records_and_the_notes_between_them() -> None:
    """Nothing of the journal is missing from the stream."""
    run, text = shown_by(lambda stream: EventScreen(stream, TITLES))
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert [event for event in events if event != "note"] == [record.kind for record in run.records]


MOVES = [Moving(done << 20, 800 << 20, 12.1 * (1 << 20)) for done in (0, 38, 50, 800, 800)]


class Clock:
    """Four seconds pass between two looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def show_moves(screen: Screen, clock: Clock) -> None:
    for moving in MOVES:
        screen.moving(moving)
        clock.now += 4


def test_a_log_has_a_line_about_what_moves_every_ten_seconds_and_at_its_end() -> None:
    """All nodes together; the end is told once."""
    stream, clock = io.StringIO(), Clock()
    show_moves(PlainScreen(stream, TITLES, STATES, clock), clock)

    told = [line.split("on the nodes: ")[1] for line in stream.getvalue().splitlines()]
    assert told == ["0 B of 800.0 MiB, 12.1 MiB/s, 1:07 left", "800.0 MiB of 800.0 MiB"]


def test_programs_are_told_what_moves_in_numbers() -> None:
    """Bytes, bytes per second and seconds, with the words beside them."""
    stream, clock = io.StringIO(), Clock()
    show_moves(EventScreen(stream, TITLES, clock), clock)

    first, last = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["event"] == last["event"] == "moving"
    assert (first["done"], first["size"], first["rate"]) == (0, 800 << 20, round(12.1 * (1 << 20)))
    assert last["text"] == "800.0 MiB of 800.0 MiB"


def test_the_live_screen_shows_what_moves_beside_the_headline() -> None:
    """As long as it moves."""
    stream = io.StringIO()
    with live(stream) as screen:
        screen.moving(MOVES[1])
    assert "38.0 MiB of 800.0 MiB" in " ".join(stream.getvalue().split())

    stream = io.StringIO()
    with live(stream) as screen:
        screen.moving(MOVES[-1])
    assert "MiB" not in stream.getvalue()


def test_what_moves_has_a_line_of_its_own_where_the_headline_is_too_narrow() -> None:
    """The time left stands at its end, and is not cut off."""
    stream = io.StringIO()
    with LiveScreen(stream, TITLES, STATES, ROLES, title="a-cluster-with-a-rather-long-name") as screen:
        screen.moving(MOVES[1])
    assert MOVES[1].words in stream.getvalue()


@pytest.mark.parametrize(("output", "kind"), [("json", EventScreen), ("plain", PlainScreen)])
def test_a_screen_that_is_asked_for_is_given(output: str, kind: type[Screen]) -> None:
    """Whatever stderr is. `text` is live on a terminal only, which a test has not."""
    assert isinstance(choose_screen(output, CLUSTER, TITLES, STATES), kind)


def test_each_screen_tells_what_is_predicted() -> None:
    """Beside the time that has passed, as a line of a log, as numbers for programs."""
    told = Prediction(62.0, 70.0, 95.0, "durations: 3 learnt")
    found = {}
    makes: dict[str, Callable[[io.StringIO], Screen]] = {
        "live": live,
        "plain": lambda stream: PlainScreen(stream, TITLES, STATES),
        "json": lambda stream: EventScreen(stream, TITLES),
    }
    for name, make in makes.items():
        stream = io.StringIO()
        with make(stream) as screen:
            screen.predicted(told)
        found[name] = stream.getvalue()

    words = "predicted: all nodes healthy after 1:02 to 1:35 (durations: 3 learnt)"
    assert "0 of 3 healthy  0 s of 1:02 to 1:35 predicted" in found["live"]
    assert found["plain"] == f"{words}\n"
    event = json.loads(found["json"])
    assert (event["event"], event["low"], event["middle"], event["high"]) == ("predicted", 62.0, 70.0, 95.0)
    assert event["text"] == words
