"""Why one node is where it is: the engine's rules, seen from outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mk8s.explaining.scene import second_now
from mk8s.transcript import CommandDone, StepDone, Transcript
from tests.mk8s.explaining.scenes import Run


def test_a_node_in_an_attempt_is_at_work_until_its_bounds() -> None:
    """Since when, which attempt, when it ends at the latest, and after what no attempt begins."""
    reason = Run().after(10).begin("srv-1", "stage").reasons().of("srv-1")
    assert (reason.kind, reason.words) == ("working", "is at work: put the release on the node")
    assert (reason.since, reason.attempt, reason.edge) == (10, 1, "stage")
    assert [bound.at for bound in reason.bounds] == [10 + 2 * 3600, 10 + 4 * 3600]


def test_the_deadline_counts_what_was_used_before() -> None:
    """Attempts before this one took their part of it."""
    run = Run().begin("srv-1", "stage").after(100).error("srv-1", "stage", "no", used=100.0)
    run.retry("srv-1", "stage", 5).after(5).begin("srv-1", "stage", attempt=2, used=105.0)
    assert run.reasons().of("srv-1").bounds[-1].at == 4 * 3600


def test_where_no_run_goes_on_nothing_is_bounded() -> None:
    """Nobody counts: the attempt was cut off."""
    reason = Run().begin("srv-1", "stage").reasons(going=False).of("srv-1")
    assert reason.words == "was at work: put the release on the node"
    assert reason.bounds == ()


def test_the_step_at_work_is_the_one_after_the_last_that_ended() -> None:
    """By the driver's list; with the last command, which a wait repeats."""
    transcript = Transcript(
        [CommandDone("srv-1", "unit", "look at the unit", 13.0, 0.1, 0, 0, False)],
        [StepDone("srv-1", "run", "make a folder", 11.0, 1.0, 0, 0, True)],
    )
    reasons = Run().after(10).begin("srv-1", "stage").reasons(
        transcript=transcript,
        titles=lambda _node, _edge: {"make a folder": "make it", "it is there": "waits until: it is there"},
    )  # fmt: skip
    assert reasons.of("srv-1").now == "waits until: it is there; the last command: look at the unit"


@pytest.mark.parametrize(
    ("began", "now", "words"),
    [
        (10, 17, "the last command: look at the unit"),
        (10, 35, "the last command: look at the unit, and none has ended for 20 s"),
        (20, 25, ""),
        (20, 45, "no command of this attempt has ended for 25 s"),
    ],
)
def test_how_long_nothing_came_from_a_node_is_told_where_that_is_long(
    began: float, now: float, words: str
) -> None:
    """A node whose cable was pulled looks busy until the timeout: the last command alone is no news."""
    transcript = Transcript([CommandDone("srv-1", "unit", "look at the unit", 14.0, 1.0, 0, 0, False)], [])
    reasons = Run().after(began).begin("srv-1", "stage").reasons(now=now, transcript=transcript)
    assert reasons.of("srv-1").now == words


def test_a_node_that_nothing_ever_came_from_is_told_too() -> None:
    """The others' commands show that a transcript is kept."""
    transcript = Transcript([CommandDone("srv-1", "unit", "look at the unit", 14.0, 1.0, 0, 0, False)], [])
    reasons = Run().begin("srv-2", "stage").reasons(now=30, transcript=transcript)
    assert reasons.of("srv-2").now == "no command of this attempt has ended for 30 s"


def test_without_a_transcript_nothing_is_guessed_about_steps() -> None:
    """The first step of the list may be over long ago."""
    reasons = Run().begin("srv-1", "stage").reasons(titles=lambda _node, _edge: {"a": "a"})
    assert reasons.of("srv-1").now == ""


def test_between_attempts_it_is_told_when_the_next_begins() -> None:
    """And what went wrong."""
    run = Run().begin("srv-1", "stage").after(20).error("srv-1", "stage", "it broke", remedy="glue it")
    reason = run.retry("srv-1", "stage", 30.0).after(1).add("signal", signal="x").reasons().of("srv-1")
    assert (reason.kind, reason.since) == ("back-off", 20)
    assert (reason.bounds[0].words, reason.bounds[0].at) == ("attempt 2 begins", 50)
    assert (reason.message, reason.remedy) == ("it broke", "glue it")
    assert [(t.attempt, t.words, t.delay) for t in reason.tried] == [(1, "it broke", 30.0)]


def test_who_backs_off_tells_how_many_tries_are_used_up() -> None:
    """By the clause that is charged, and what begins its count anew."""
    run = Run().begin("srv-1", "stage").after(20)
    lost = {"edge": "stage", "lineage": ("connection.lost", "connection"), "clause": 0}
    for attempt, reached in enumerate([7, 7, 9, 9, 2], 1):
        run.add("error", "srv-1", attempt=attempt, reached=reached, **lost)
    reason = run.retry("srv-1", "stage", 30.0).reasons().of("srv-1")
    anew = "an attempt that gets further than all before it begins the count anew"
    assert reason.tries == f"3 of 20 are used up; {anew}"


def test_where_only_the_deadline_counts_no_tries_are_told() -> None:
    """The bound is told as a time."""
    run = Run().primary_there().begin("srv-2", "join-server").after(5)
    run.add("error", "srv-2", edge="join-server", attempt=1, lineage=("connection",), clause=1)
    assert run.retry("srv-2", "join-server", 10).reasons().of("srv-2").tries == ""


def test_who_waits_for_a_signal_knows_who_brought_it_and_who_is_missing() -> None:
    """Counted from the states that were reached."""
    reason = Run().primary_there().reasons().of("agent-1")
    assert (reason.kind, reason.words) == ("signal", "waits for servers-healthy")
    assert (reason.have, reason.behind, reason.need) == (("srv-1",), ("srv-2", "srv-3"), 3)


def test_who_queues_waits_for_those_who_have_the_places() -> None:
    """One server joins at a time; who has no place says who has."""
    reason = Run().primary_there().begin("srv-2", "join-server").reasons().of("srv-3")
    assert reason.kind == "queue"
    assert reason.words == "queues for etcd-joins (1 at a time), behind srv-2"
    assert reason.behind == ("srv-2",)


def test_a_wait_between_attempts_keeps_no_place() -> None:
    """The next one may go on: the limit is of attempts."""
    run = Run().primary_there().begin("srv-2", "join-server").after(5)
    run.error("srv-2", "join-server", "no").retry("srv-2", "join-server", 10)
    assert run.reasons().of("srv-3").kind == "ready"


def test_a_wait_that_is_over_waits_for_its_place_again() -> None:
    """The other server has it by now."""
    run = Run().primary_there().begin("srv-2", "join-server").after(5)
    run.error("srv-2", "join-server", "no").retry("srv-2", "join-server", 10).after(1)
    run.begin("srv-3", "join-server")
    assert run.reasons(now=10.0).of("srv-2").kind == "back-off"
    late = run.reasons(now=16.0).of("srv-2")
    assert (late.kind, late.since, late.behind) == ("queue", 15, ("srv-3",))


def test_the_place_in_the_queue_is_that_of_the_plan() -> None:
    """Not of arrival."""
    run = Run(servers=5).primary_there().begin("srv-3", "join-server")
    assert [run.reasons().of(f"srv-{n}").place for n in (2, 4, 5)] == [0, 1, 2]


def test_where_places_are_free_nothing_holds_a_node_back() -> None:
    """It is about to begin, or the next run begins with it."""
    assert Run().reasons().of("srv-1").kind == "ready"


def test_a_failed_node_says_what_went_wrong_and_where_it_starts_over() -> None:
    """Set aside, with the remedy."""
    run = Run().begin("srv-3", "stage").error("srv-3", "stage", "disk full", remedy="make room")
    reason = run.move("srv-3", "stage", "quarantined").reasons().of("srv-3")
    assert (reason.kind, reason.words) == ("failed", "is set aside, at: put the release on the node")
    assert (reason.message, reason.remedy, reason.edge) == ("disk full", "make room", "stage")
    assert reason.next == ("mend it, then run again: it starts over at stage",)


def test_a_node_blocked_by_a_lost_signal_waits_for_those_who_cannot_bring_it() -> None:
    """The ones that are missing."""
    run = Run().ready("agent-1").begin("srv-3", "stage").error("srv-3", "stage", "no")
    run.move("srv-3", "stage", "failed").add("blocked", "agent-1", signal="servers-healthy", reason="lost")
    reason = run.reasons().of("agent-1")
    assert reason.words == "is blocked: servers-healthy can no longer come"
    assert "srv-3" in reason.behind


def test_a_node_blocked_by_a_budget_waits_for_those_who_spent_it() -> None:
    """The failed ones of its role."""
    run = Run().begin("agent-2", "stage").error("agent-2", "stage", "no").move("agent-2", "stage", "failed")
    reason = run.add("blocked", "agent-1", reason="the budget is spent").reasons().of("agent-1")
    assert (reason.words, reason.behind) == ("is blocked: the budget is spent", ("agent-2",))


def test_a_node_that_the_manifest_got_since_is_new() -> None:
    """It is in no run yet."""
    run = Run()
    scene = Run(agents=3).scene()
    assert run.reasons().of("agent-3").kind == "new"
    assert scene.history.missing(["srv-1"]) != []


def test_a_node_that_the_manifest_has_lost_is_named() -> None:
    """A run would refuse it."""
    run = Run(agents=2)
    run.cluster = Run(agents=1).cluster
    assert [reason.kind for reason in run.reasons().all()][-1] == "gone"


def test_a_healthy_node_has_nothing_ahead() -> None:
    """Its way is over."""
    reason = Run().primary_there().reasons().of("srv-1")
    assert (reason.kind, reason.next, reason.is_well) == ("healthy", (), True)


@pytest.mark.parametrize(
    ("started", "second"), [("2026-01-02T03:04:05+00:00", 90.0), ("", None), ("now", None)]
)
def test_the_second_that_is_now_comes_from_the_header(started: str, second: float | None) -> None:
    """Where its text is a time with a zone; else it is not known."""
    import msgspec

    records = Run().records
    assert records[0].header is not None
    header = msgspec.structs.replace(records[0].header, started=started)
    records[0] = msgspec.structs.replace(records[0], header=header)
    wall = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=90)
    assert second_now(records, wall) == second


def test_a_resumed_run_counts_from_where_it_went_on() -> None:
    """The clock of the run stood still in between."""
    run = Run().after(100)
    header = run.records[0].header
    run.add("resumed", header=header)
    wall = datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC)
    assert second_now(run.records, wall) == 110
