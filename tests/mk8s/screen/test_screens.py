"""The three screens, shown the same rehearsal: which one a run gets, and what each puts where."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from machines.simulation import FaultPlan, ScriptedFault
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Rehearsal, rehearse
from mk8s.rollout import edge_titles
from mk8s.screen import EventScreen, PlainScreen, Screen, choose_screen
from mk8s.screen.live import LiveScreen
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
        run = rehearse(CLUSTER, load_distro("rke2"), faults=FULL, observer=screen)
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


@pytest.mark.parametrize(("output", "kind"), [("json", EventScreen), ("plain", PlainScreen)])
def test_a_screen_that_is_asked_for_is_given(output: str, kind: type[Screen]) -> None:
    """Whatever stderr is. `text` is live on a terminal only, which a test has not."""
    assert isinstance(choose_screen(output, CLUSTER, TITLES, STATES), kind)
