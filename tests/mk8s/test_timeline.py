"""mk8s.timeline: what a run's records say of each node's time."""

from __future__ import annotations

from typing import Any

import pytest

from machines import MachineSpec, Record
from machines.records import Header
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions, rehearse
from mk8s.tables import node_machine
from mk8s.timeline import Lane, Stretch, Timeline, timeline_of
from mk8s.transcript import StepDone, Transcript
from tests.mk8s.examples import cluster

MEMBERS = (("srv-1", "primary"), ("srv-2", "server"), ("agent-1", "agent"))


def spec() -> MachineSpec:
    return node_machine(cluster())


class Journal:
    """Records of a run, written as a test tells it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.add(0.0, "header", header=self.header("2026-01-01T00:00:00+00:00"))

    def header(self, started: str) -> Header:
        return Header(
            schema=1, machine="node", version=1, machine_digest="", members=MEMBERS, started=started
        )

    def add(self, at: float, kind: Any, node: str = "", **fields: Any) -> Journal:
        self.records.append(Record(seq=len(self.records) + 1, at=at, kind=kind, node=node, **fields))
        return self

    def begin(self, at: float, node: str, source: str, edge: str) -> Journal:
        self.add(at, "state", node, edge=edge, source=source, to=f"{source}~{edge}")
        return self.add(at, "intent", node, edge=edge, attempt=1)

    def succeed(self, at: float, node: str, source: str, edge: str, to: str) -> Journal:
        self.add(at, "done", node, edge=edge, attempt=1, evidence={"changed": 1})
        return self.add(at, "state", node, edge=edge, source=f"{source}~{edge}", to=to)

    def fail(self, at: float, node: str, edge: str, attempt: int = 1, **fields: Any) -> Journal:
        fields = {"lineage": ("exit.1", "exit"), "message": f"{node}: no", "remedy": "look", **fields}
        return self.add(at, "error", node, edge=edge, attempt=attempt, **fields)

    def hold(self, node: str, at: float = 2.0) -> Journal:
        """Bring a node to where it waits for its signal: staged in one second, bootstrapped in one."""
        self.begin(0.0, node, "pending", "stage").succeed(1.0, node, "pending", "stage", "staged")
        self.begin(1.0, node, "staged", "bootstrap")
        self.succeed(at, node, "staged", "bootstrap", "bootstrapped")
        return self.add(at, "state", node, edge="hold", source="bootstrapped", to="waiting")

    def timeline(self, *steps: StepDone) -> Timeline:
        return timeline_of(self.records, spec(), Transcript(steps=steps))

    def lane(self, node: str, *steps: StepDone) -> Lane:
        return next(lane for lane in self.timeline(*steps).lanes if lane.node == node)


def told(stretch: Stretch) -> tuple[str, str, float, float, str]:
    return stretch.kind, stretch.edge, stretch.began, stretch.ended, stretch.outcome


def all_told(lane: Lane) -> list[tuple[str, str, float, float, str]]:
    return [told(stretch) for stretch in lane.stretches]


def step(at: float, seconds: float = 0.0, title: str = "a step", node: str = "srv-1") -> StepDone:
    return StepDone(node, "run", title, at, seconds, 0, 0, changed=True)


def test_a_journal_without_records_tells_of_no_run() -> None:
    """An empty folder is not an empty run."""
    with pytest.raises(ValueError, match="without records"):
        timeline_of([], spec())


def test_lanes_stand_in_the_order_of_the_plan_with_those_that_did_nothing() -> None:
    """A node without a record of its own is on the page, pending."""
    lanes = Journal().add(5.0, "stopped").timeline().lanes
    assert [(lane.node, lane.role, lane.state) for lane in lanes] == [(*m, "pending") for m in MEMBERS]


def test_an_edge_that_succeeds_is_one_attempt() -> None:
    """From its intent to its end, with what it came to."""
    lane = Journal().begin(1.0, "srv-1", "pending", "stage").lane("srv-1")
    assert told(lane.stretches[-1]) == ("attempt", "stage", 1.0, 1.0, "open")
    done = Journal().begin(1.0, "srv-1", "pending", "stage")
    lane = done.succeed(4.0, "srv-1", "pending", "stage", "staged").lane("srv-1")
    assert told(lane.stretches[-1]) == ("attempt", "stage", 1.0, 4.0, "done")
    assert lane.stretches[-1].evidence == {"changed": 1}


def test_waiting_for_a_place_before_an_edge_is_a_queue() -> None:
    """Nothing holds a node back from its first edge but the limiter."""
    lane = Journal().begin(3.0, "srv-1", "pending", "stage").lane("srv-1")
    assert told(lane.stretches[0]) == ("queue", "stage", 0.0, 3.0, "done")
    assert lane.stretches[0].waits_for == "uploads"


def test_first_comes_the_signal_then_the_queue() -> None:
    """Until the signal latched it is what a node waits for; from then on it is the place."""
    run = Journal().hold("srv-2").add(10.0, "signal", signal="primary-ready", evidence={"members": ["srv-1"]})
    lane = run.begin(14.0, "srv-2", "waiting", "join-server").lane("srv-2")
    assert [(s.kind, s.began, s.ended, s.waits_for) for s in lane.stretches[2:4]] == [
        ("signal", 2.0, 10.0, "primary-ready"),
        ("queue", 10.0, 14.0, "etcd-joins"),
    ]


def test_between_two_attempts_the_pause_is_told_apart_from_the_queue() -> None:
    """A retry clause wants so many seconds; what comes on top is the limiter's doing."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").fail(2.0, "srv-1", "stage")
    run.add(2.0, "retry", "srv-1", edge="stage", attempt=1, delay=5.0)
    lane = run.add(9.0, "intent", "srv-1", edge="stage", attempt=2).lane("srv-1")
    assert all_told(lane) == [
        ("attempt", "stage", 0.0, 2.0, "error"),
        ("back-off", "stage", 2.0, 7.0, "done"),
        ("queue", "stage", 7.0, 9.0, "done"),
        ("attempt", "stage", 9.0, 9.0, "open"),
    ]
    assert [stretch.attempt for stretch in lane.stretches] == [1, 2, 2, 2]


def test_without_a_limiter_all_of_the_pause_is_back_off() -> None:
    """There is no place to wait for."""
    run = Journal().hold("srv-1").begin(2.0, "srv-1", "waiting", "start-primary")
    run.fail(3.0, "srv-1", "start-primary")
    run.add(3.0, "retry", "srv-1", edge="start-primary", attempt=1, delay=1.0)
    lane = run.add(6.0, "intent", "srv-1", edge="start-primary", attempt=2).lane("srv-1")
    assert [told(s) for s in lane.stretches if s.kind not in ("attempt",)] == [
        ("back-off", "start-primary", 3.0, 6.0, "done")
    ]


def test_a_failure_carries_its_words_and_its_remedy() -> None:
    """Who looks at the chart asks why, and what to do."""
    lane = Journal().begin(0.0, "srv-1", "pending", "stage").fail(2.0, "srv-1", "stage").lane("srv-1")
    failed = lane.stretches[-1]
    assert (failed.words, failed.remedy, failed.lineage) == ("srv-1: no", "look", ("exit.1", "exit"))


def test_no_time_passes_between_the_last_failure_and_the_end() -> None:
    """What follows from a caught failure follows at once: it is no pause."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").fail(2.0, "srv-1", "stage", final=True)
    lane = run.add(2.0, "state", "srv-1", edge="stage", source="pending~stage", to="failed").lane("srv-1")
    assert all_told(lane) == [("attempt", "stage", 0.0, 2.0, "error")]
    assert (lane.outcome, lane.ended, lane.reason, lane.remedy) == ("failure", 2.0, "srv-1: no", "look")


def test_taking_back_is_a_stretch_of_its_own() -> None:
    """A rollback takes time, and may fail itself."""
    run = Journal().hold("srv-2").begin(3.0, "srv-2", "waiting", "join-server")
    run.fail(5.0, "srv-2", "join-server", lineage=("join.rejected",))
    run.add(5.0, "undo", "srv-2", edge="join-server", undo="stop_unit")
    run.add(8.0, "undone", "srv-2", edge="join-server", undo="stop_unit", lineage=("exit.1",), message="no")
    lane = run.add(
        8.0, "state", "srv-2", edge="join-server", source="waiting~join-server", to="rolled-back"
    ).lane("srv-2")
    assert told(lane.stretches[-1]) == ("undo", "join-server", 5.0, 8.0, "error")
    assert (lane.state, lane.outcome) == ("rolled-back", "failure")


def test_what_a_probe_found_is_marked() -> None:
    """The edge ended without an attempt that says so."""
    run = Journal().hold("srv-1").begin(2.0, "srv-1", "waiting", "start-primary")
    run.fail(4.0, "srv-1", "start-primary", ambiguous=True)
    run.add(4.0, "retry", "srv-1", edge="start-primary", attempt=1, delay=5.0)
    run.add(10.0, "probed", "srv-1", edge="start-primary", attempt=2, found=True, evidence={"node": "Ready"})
    lane = run.lane("srv-1")
    assert told(lane.stretches[-1]) == ("attempt", "start-primary", 10.0, 10.0, "done")
    assert lane.stretches[-1].words == "had already happened"


def test_a_probe_that_fails_is_a_failed_attempt() -> None:
    """It has no intent, and is an error all the same."""
    run = Journal().hold("srv-1").begin(2.0, "srv-1", "waiting", "start-primary")
    run.fail(4.0, "srv-1", "start-primary", ambiguous=True)
    run.add(4.0, "retry", "srv-1", edge="start-primary", attempt=1, delay=5.0)
    lane = run.fail(9.5, "srv-1", "start-primary", attempt=2).lane("srv-1")
    assert told(lane.stretches[-1]) == ("attempt", "start-primary", 9.5, 9.5, "error")


def test_a_stop_ends_an_attempt_and_a_pause() -> None:
    """The time until somebody resumes is not the node's."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").begin(0.0, "srv-2", "pending", "stage")
    run.fail(1.0, "srv-2", "stage").add(1.0, "retry", "srv-2", edge="stage", attempt=1, delay=9.0)
    run.add(3.0, "stopped", "srv-1", edge="stage", attempt=1)
    run.add(3.0, "stopped", "srv-2", edge="stage", attempt=1).add(3.0, "stopped")
    assert all_told(run.lane("srv-1")) == [("attempt", "stage", 0.0, 3.0, "stopped")]
    assert all_told(run.lane("srv-2"))[-1] == ("back-off", "stage", 1.0, 3.0, "done")


def test_an_attempt_that_was_cut_off_ends_where_the_run_goes_on() -> None:
    """After kill -9 there is an intent without an end; it is told as stopped, and the next is another."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").add(4.0, "lost", signal="x", reason="r")
    run.add(4.0, "resumed", header=run.header("2026-01-02T00:00:00+00:00"))
    run.add(4.0, "resumed", "srv-1", edge="stage", source="pending~stage", to="pending~stage", attempt=1)
    run.add(4.0, "intent", "srv-1", edge="stage", attempt=2)
    lane = run.succeed(9.0, "srv-1", "pending", "stage", "staged").lane("srv-1")
    assert all_told(lane) == [
        ("attempt", "stage", 0.0, 4.0, "stopped"),
        ("attempt", "stage", 4.0, 9.0, "done"),
    ]


def test_a_resumed_node_that_queues_again_is_shown_queueing() -> None:
    """It is in flight, and holds no place any more."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").add(1.0, "stopped", "srv-1", edge="stage")
    run.add(1.0, "resumed", "srv-1", edge="stage", source="pending~stage", to="pending~stage", attempt=1)
    lane = run.add(5.0, "intent", "srv-1", edge="stage", attempt=2).lane("srv-1")
    assert told(lane.stretches[1]) == ("queue", "stage", 1.0, 5.0, "done")


def test_a_resume_says_when_by_the_clock() -> None:
    """Seconds of the run stand still between; the header has the wall clock."""
    run = Journal().add(4.0, "stopped").add(4.0, "resumed", header=Journal().header("tomorrow"))
    moments = run.timeline().moments
    assert [(m.kind, m.at, m.words) for m in moments] == [("stopped", 4.0, ""), ("resumed", 4.0, "tomorrow")]


def test_a_failed_node_that_is_put_back_is_open_again() -> None:
    """What it waits for after that counts from there."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").fail(2.0, "srv-1", "stage", final=True)
    run.add(2.0, "state", "srv-1", edge="stage", source="pending~stage", to="failed")
    run.add(3.0, "resumed", "srv-1", edge="stage", source="failed", to="pending")
    lane = run.begin(5.0, "srv-1", "pending", "stage").lane("srv-1")
    assert (lane.outcome, lane.ended, lane.reason) == ("open", None, "")
    assert told(lane.stretches[-2]) == ("queue", "stage", 3.0, 5.0, "done")


def test_a_blocked_node_shows_what_it_waited_for_in_vain() -> None:
    """Its lane ends where it was blocked, with the reason."""
    run = Journal().hold("agent-1").add(7.0, "lost", signal="servers-healthy", reason="srv-1 failed")
    lane = run.add(7.0, "blocked", "agent-1", reason="no signal", signal="servers-healthy").lane("agent-1")
    assert told(lane.stretches[-1]) == ("signal", "join-agent", 2.0, 7.0, "done")
    assert (lane.outcome, lane.ended, lane.reason) == ("blocked", 7.0, "no signal")


def test_a_blocked_node_that_goes_on_is_blocked_no_more() -> None:
    """It waits anew from the resume on."""
    run = Journal().hold("agent-1").add(7.0, "blocked", "agent-1", reason="no signal")
    run.add(8.0, "resumed", "agent-1", source="waiting", to="waiting")
    lane = run.add(9.0, "signal", signal="servers-healthy").lane("agent-1")
    assert lane.outcome == "open"
    assert told(lane.stretches[-1]) == ("signal", "join-agent", 8.0, 9.0, "open")


@pytest.mark.parametrize(
    ("kind", "waits"),
    [("signal", "servers-healthy"), ("queue", "uploads")],
)
def test_what_is_not_over_at_the_last_record_is_open(kind: str, waits: str) -> None:
    """A page of a run that goes on shows what everyone waits for now."""
    run = Journal()
    if kind == "signal":
        run.hold("agent-1")
    lane = run.add(9.0, "budget", reason="x").lane("agent-1")
    assert (lane.stretches[-1].kind, lane.stretches[-1].waits_for) == (kind, waits)
    assert (lane.stretches[-1].ended, lane.stretches[-1].outcome) == (9.0, "open")


def test_a_pause_that_is_not_over_is_open() -> None:
    """The last thing that is known of the node is that it will try again."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").fail(1.0, "srv-1", "stage")
    run.add(1.0, "retry", "srv-1", edge="stage", attempt=1, delay=30.0)
    lane = run.add(6.0, "budget", reason="x").lane("srv-1")
    assert told(lane.stretches[-1]) == ("back-off", "stage", 1.0, 6.0, "open")


def test_a_step_that_begins_as_an_edge_ends_is_of_the_next_edge() -> None:
    """Each step once: edges follow each other at the same second."""
    run = (
        Journal().begin(0.0, "srv-1", "pending", "stage").succeed(1.0, "srv-1", "pending", "stage", "staged")
    )
    run.begin(1.0, "srv-1", "staged", "bootstrap")
    run.succeed(2.0, "srv-1", "staged", "bootstrap", "bootstrapped")
    lane = run.lane("srv-1", step(0.0, title="first"), step(1.0, title="second"), step(2.0, title="third"))
    assert [[s.title for s in stretch.steps] for stretch in lane.stretches] == [
        ["first"],
        ["second", "third"],
    ]


def test_a_step_between_two_attempts_is_of_none() -> None:
    """Such as a question after the run was stopped."""
    run = (
        Journal().begin(0.0, "srv-1", "pending", "stage").succeed(1.0, "srv-1", "pending", "stage", "staged")
    )
    lane = run.begin(5.0, "srv-1", "staged", "bootstrap").lane("srv-1", step(3.0))
    assert [stretch.steps for stretch in lane.stretches] == [(), ()]


def test_the_control_plane_is_complete_with_its_last_server() -> None:
    """Agents do not count for it; and while a server is missing, it is not."""
    run = Journal()
    for at, node in ((3.0, "srv-1"), (5.0, "srv-2")):
        assert run.timeline().ha_at is None
        run.add(at, "state", node, edge="verify", source="running~verify", to="healthy")
    assert run.timeline().ha_at == 5.0
    assert run.timeline().all_at is None


def test_steps_of_a_leg_are_those_of_its_own_time() -> None:
    """An edge that a node went twice, because it was put back, has two legs' steps."""
    run = Journal().begin(0.0, "srv-1", "pending", "stage").fail(2.0, "srv-1", "stage", final=True)
    run.add(2.0, "state", "srv-1", edge="stage", source="pending~stage", to="failed")
    run.add(3.0, "resumed", "srv-1", edge="stage", source="failed", to="pending")
    run.begin(3.0, "srv-1", "pending", "stage").succeed(5.0, "srv-1", "pending", "stage", "staged")
    run.begin(5.0, "srv-1", "staged", "verify").succeed(6.0, "srv-1", "staged", "verify", "healthy")
    timeline = run.timeline(step(1.0, title="before"), step(4.0, title="now"))
    legs = [leg for leg in timeline.critical_path() if leg.edge == "stage"]
    assert [[found.title for found in timeline.steps_in(leg)] for leg in legs] == [["before"], ["now"]]


def test_a_rehearsal_is_covered_from_its_beginning_to_its_end() -> None:
    """Every second of every node is work or a named wait: nothing is left out and nothing overlaps."""
    made, distro = cluster(), load_distro("rke2")
    run = rehearse(Conditions(made, distro), keep_transcript=True)
    timeline = timeline_of(run.records, node_machine(made, pacing=distro.pacing(made)), run.transcript)
    for lane in timeline.lanes:
        ends = [0.0, *(stretch.ended for stretch in lane.stretches)]
        assert [stretch.began for stretch in lane.stretches] == pytest.approx(ends[:-1], abs=0.2)
        assert lane.ended == pytest.approx(ends[-1], abs=0.2)
    assert timeline.all_at == pytest.approx(timeline.ended, abs=1)
    kept = sum(len(stretch.steps) for lane in timeline.lanes for stretch in lane.stretches)
    assert kept == len(run.transcript.steps)
