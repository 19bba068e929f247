"""The engine: a table run over a group, in virtual time. One claim a test."""

from __future__ import annotations

import errno
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from machines.errors import ActionError
from machines.journal import JournalError, MemoryJournal
from machines.logbook import Silent
from machines.records import Header, Kind, Record
from machines.registry import Context, Evidence, Member
from machines.simulation import run_simulated, simulate
from machines.spec import Catch, EdgeSpec, Retry, SignalSpec
from machines.supervisor import Supervisor
from machines.table import Table
from tests.machines.groups import (
    FAIL,
    FOLLOW,
    GUARDS,
    LEAD,
    ROLL_BACK,
    SPEC,
    Person,
    kinds,
    people,
    refuse,
    registry,
    run,
    table,
    with_edge,
    with_spec,
)


class Answers:
    """An action whose answers are given in advance, per node; after them it succeeds."""

    def __init__(self, *answers: ActionError | float | None, node: str = "lead") -> None:
        self._answers = list(answers)
        self._node = node
        self.attempts: list[int] = []

    async def __call__(self, context: Context) -> Evidence | None:
        if context.member.name != self._node:
            return None
        self.attempts.append(context.attempt)
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, ActionError):
            raise answer
        await trio.sleep(answer or 0)
        return {"answer": "yes"}


MEMBERS = (("lead", "lead"), ("f0", "follower"))
LOST = ("connection.lost", "connection")


def lost() -> ActionError:
    return ActionError(*LOST, message="the line went dead", ambiguous=True)


def no() -> ActionError:
    return ActionError("exit.1", "exit", message="no")


def of(records: list[Record], kind: Kind, node: str = "lead") -> list[Record]:
    return [record for record in records if record.kind == kind and record.node == node]


def test_everyone_gets_home_and_the_journal_says_how() -> None:
    """The happy path of one node, record by record."""
    done = run(people(0))
    assert done.result.ok
    assert done.result.states == {"lead": "home"}
    assert kinds(done.records, "lead") == [
        *("state", "intent", "done", "state"),
        *("state", "intent", "done", "state"),
        "state",
    ]
    assert kinds(done.records) == ["header", "signal", "finished"]


def test_evidence_of_an_action_is_kept() -> None:
    """What was seen is in the journal."""
    done = run(people(0), registry(build=Answers()))
    assert of(done.records, "done")[0].evidence == {"answer": "yes"}


def test_nobody_follows_before_the_signal() -> None:
    """Followers wait for the lead, however long it takes; the record holds the evidence."""
    done = run(people(3), registry(join=Answers(1000.0), build=Answers()), with_edge("lead", timeout=None))
    latched = next(record for record in done.records if record.kind == "signal")
    begun = [r for r in done.records if r.kind == "state" and r.to == "built~follow"]
    assert latched.at == 1000.0
    assert latched.evidence == {"have": 1, "need": 1, "members": ["lead"]}
    assert len(begun) == 3
    assert all(record.seq > latched.seq for record in begun)


def test_queueing_for_a_limiter_is_not_counted_as_time() -> None:
    """Ten nodes of 90 s each, one at a time, none over its deadline of 100 s."""

    async def build(_context: Context) -> None:
        await trio.sleep(90)

    spec = with_edge("build", deadline=100.0)
    done = run(people(9), registry(build=build), spec, limits={"builders": 1})
    assert done.result.ok
    assert done.result.at >= 900


def test_members_are_served_in_the_order_of_the_plan() -> None:
    """Who stands first in the plan gets the first place."""
    done = run(people(6), limits={"builders": 1}, seed=5)
    begun = [record.node for record in done.records if record.kind == "intent" and record.edge == "build"]
    assert begun == ["lead", "f0", "f1", "f2", "f3", "f4", "f5"]


def test_each_retry_clause_counts_its_own_tries() -> None:
    """Two kinds of trouble do not use up each other's tries."""
    retry = [
        Retry(match=["connection"], attempts=3, delay=1, jitter="none"),
        Retry(match=["exit"], attempts=3, delay=1, jitter="none"),
    ]
    build = Answers(lost(), no(), lost(), no())
    done = run(people(0), registry(build=build), with_edge("build", retry=retry))
    assert done.result.ok
    assert build.attempts == [1, 2, 3, 4, 5]


def test_a_clause_without_tries_left_lets_the_catch_take_it() -> None:
    """`attempts` counts tries: after the second one it is over."""
    retry = [Retry(match=["exit"], attempts=2, delay=1)]
    build = Answers(no(), no(), no())
    done = run(people(0), registry(build=build), with_edge("build", retry=retry))
    assert build.attempts == [1, 2]
    assert done.result.states == {"lead": "failed"}
    assert done.result.failures["lead"].edge == "build"
    assert done.result.failures["lead"].failure.message == "no"


def test_the_first_catch_clause_that_matches_says_where_the_node_goes() -> None:
    """In order, by class."""
    catch = [Catch(match=["disk"], to="rolled-back"), Catch(match=["*"], to="failed")]
    build = Answers(ActionError("disk.full", "disk"))
    done = run(people(0), registry(build=build), with_edge("build", retry=[], catch=catch))
    assert done.result.states == {"lead": "rolled-back"}


def test_a_final_failure_is_not_repeated() -> None:
    """Whoever raised it knows that repeating cannot help."""
    build = Answers(ActionError(*LOST, final=True))
    run(people(0), registry(build=build))
    assert build.attempts == [1]


def test_waits_between_attempts_grow_and_are_written() -> None:
    """What is written is what is waited."""
    retry = [Retry(match=["exit"], delay=2, backoff=3, jitter="none")]
    done = run(people(0), registry(build=Answers(no(), no())), with_edge("build", retry=retry))
    assert [record.delay for record in of(done.records, "retry")] == [2.0, 6.0]
    assert [record.at for record in of(done.records, "intent")][:3] == [0.0, 2.0, 8.0]


def test_an_attempt_that_takes_too_long_is_an_ambiguous_timeout() -> None:
    """Its effect may have happened all the same."""
    done = run(people(0), registry(build=Answers(500.0)))
    (error,) = of(done.records, "error")
    assert (error.at, error.lineage, error.ambiguous) == (100.0, ("timeout",), True)
    assert error.message == "no end after 100 s"
    assert done.result.ok


def test_the_deadline_bounds_all_attempts_and_the_waits_between_them() -> None:
    """No attempt begins that the deadline leaves no time for, and the message says so."""
    retry = [Retry(match=["exit"], delay=40, backoff=1, jitter="none")]
    build = Answers(*[no() for _ in range(9)])
    done = run(people(0), registry(build=build), with_edge("build", retry=retry, deadline=100.0))
    failure = done.result.failures["lead"].failure
    assert build.attempts == [1, 2, 3]
    assert failure.lineage == ("exit.1", "exit")
    assert failure.message == "no; the deadline of 100 s leaves no time to try again"


def test_what_a_message_quotes_in_further_lines_stays_behind_the_words_of_the_deadline() -> None:
    """The first line is what people read first, and programs show alone."""
    retry = [Retry(match=["exit"], delay=40, backoff=1, jitter="none")]
    told = ActionError("exit.1", "exit", message="no\n    | it said so")
    build = Answers(*[told for _ in range(9)])
    done = run(people(0), registry(build=build), with_edge("build", retry=retry, deadline=100.0))
    failure = done.result.failures["lead"].failure
    assert failure.message == "no; the deadline of 100 s leaves no time to try again\n    | it said so"


def test_an_attempt_is_cut_off_by_what_is_left_of_the_deadline() -> None:
    """Not by its own timeout alone."""
    retry = [Retry(match=["*"], delay=10, backoff=1, jitter="none")]
    spec = with_edge("build", retry=retry, deadline=70.0, timeout=50.0)
    done = run(people(0), registry(build=Answers(500.0, 500.0)), spec)
    assert [record.at for record in of(done.records, "error")] == [50.0, 70.0]


def test_a_place_of_scope_attempt_is_free_during_the_wait() -> None:
    """One who waits to try again does not hold up the others."""
    retry = [Retry(match=["exit"], delay=100, jitter="none", max_delay=100)]
    done = run(
        people(1), registry(build=Answers(no())), with_edge("build", retry=retry), limits={"builders": 1}
    )
    assert of(done.records, "intent", "f0")[0].at == 0.0


def test_a_place_of_scope_edge_is_held_through_the_wait() -> None:
    """A learner that tries again is still a learner."""
    retry = [Retry(match=["exit"], delay=100, jitter="none", max_delay=100)]
    spec = with_edge("follow", retry=retry)
    done = run(people(2), registry(join=Answers(no(), node="f0")), spec)
    assert of(done.records, "intent", "f1")[1].at == 100.0


class Ear(Silent):
    """Remembers what an observer is told."""

    def __init__(self) -> None:
        self.bugs: list[tuple[str, str]] = []
        self.notes: list[tuple[str, str]] = []
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        self.records.append(record)

    def note(self, member: Member, text: str) -> None:
        self.notes.append((member.name, text))

    def bug(self, member: Member, error: Exception) -> None:
        self.bugs.append((member.name, repr(error)))


async def bug(context: Context) -> Evidence | None:
    if context.member.name == "f0":
        raise KeyError("hunter2")
    return None


def test_a_bug_in_an_action_costs_one_node_one_edge() -> None:
    """It ends in its catch clause; the others get home; its text goes to the observer alone."""
    ear = Ear()
    done = run(people(2), registry(build=bug), observer=ear)
    assert done.result.states == {"lead": "home", "f0": "failed", "f1": "home"}
    assert ear.bugs == [("f0", "KeyError('hunter2')")]
    assert done.result.failures["f0"].failure.lineage == ("internal",)
    assert b"hunter2" not in done.journal.data


def test_evidence_that_no_journal_can_hold_is_a_bug_of_the_action() -> None:
    """It must not take the run with it."""

    async def build(_context: Context) -> Evidence:
        return {"what": object()}

    assert run(people(0), registry(build=build)).result.failures["lead"].failure.kind == "internal"


def test_words_that_were_never_text_do_not_stop_the_run() -> None:
    """A node's answer may hold any bytes."""
    build = Answers(ActionError("exit", message="caf\udce9", final=True))
    assert run(people(0), registry(build=build)).result.failures["lead"].failure.message == "caf?"


def test_refusals_in_a_group_are_a_refusal() -> None:
    """An action may run tasks of its own; the first no counts."""

    async def build(_context: Context) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse, _context)

    assert run(people(0), registry(build=build)).result.failures["lead"].failure.kind == "exit.1"


def test_a_long_answer_is_cut_before_it_is_kept() -> None:
    """A node may answer with megabytes."""
    build = Answers(ActionError("exit", message="x" * 1_000_000, final=True))
    assert len(run(people(0), registry(build=build)).result.failures["lead"].failure.message) < 5000


def test_a_bug_in_a_digest_costs_one_edge_and_nothing_is_done() -> None:
    """It comes before the intent."""
    build = Answers()
    actions = registry(build=build)
    actions.digests["build"] = lambda context: str(1 / 0)
    done = run(people(0), actions)
    assert done.result.failures["lead"].failure.kind == "internal"
    assert build.attempts == []


def test_a_bug_in_a_guard_blocks_one_node() -> None:
    """The others get home."""

    def guard(member: Any) -> bool:
        if member.name == "f0":
            raise KeyError("hunter2")
        return bool(member.role == "lead")

    ear = Ear()
    done = simulate(Table(SPEC, {**GUARDS, "is_lead": guard}), registry(), people(2), observer=ear)
    assert list(done.result.blocked) == ["f0"]
    assert "KeyError" in done.result.blocked["f0"]
    assert ear.bugs == [("f0", "KeyError('hunter2')")]
    assert done.result.states["f1"] == "home"


# -- probes -----------------------------------------------------------------------------------------


def test_an_effect_whose_answer_was_lost_is_found_and_not_repeated() -> None:
    """The probe's evidence settles the edge."""
    join = Answers(lost())

    async def has_joined(context: Context) -> Evidence | None:
        return {"seen": context.attempt}

    done = run(people(0), registry(join=join, has_joined=has_joined))
    assert join.attempts == [1]
    (probed,) = of(done.records, "probed")
    assert (probed.found, probed.evidence, probed.attempt) == (True, {"seen": 2}, 2)
    assert done.result.ok


def test_an_effect_that_the_probe_does_not_find_is_tried_again() -> None:
    """None is an answer: not there."""
    join = Answers(lost())
    done = run(people(0), registry(join=join))
    assert join.attempts == [1, 2]
    assert [record.found for record in of(done.records, "probed")] == [False]


def test_a_plain_refusal_needs_no_probe() -> None:
    """It was heard: nothing happened."""
    done = run(people(0), registry(join=Answers(no())))
    assert of(done.records, "probed") == []
    assert done.result.ok


def test_a_probe_that_cannot_tell_counts_as_that_failure_and_is_asked_again() -> None:
    """Not hearing an answer never means no."""
    asked = Answers(ActionError(*LOST), ActionError(*LOST))
    join = Answers(lost())
    done = run(people(0), registry(join=join, has_joined=asked))
    assert len(of(done.records, "error")) == 3
    assert asked.attempts == [2, 3, 4]
    assert join.attempts == [1]
    assert done.result.ok


def test_a_probe_may_outlast_the_deadline_and_then_nothing_is_begun() -> None:
    """Whether it happened is worth knowing; there is no time to do it again."""

    async def has_joined(_context: Context) -> None:
        await trio.sleep(60)

    join = Answers(lost())
    spec = with_edge("lead", deadline=50.0)
    done = run(people(0), registry(join=join, has_joined=has_joined), spec)
    assert join.attempts == [1]
    assert done.result.failures["lead"].failure.kind == "timeout"
    assert done.result.failures["lead"].failure.message.startswith("no time left for an attempt")


# -- rollback ---------------------------------------------------------------------------------------


class Undos:
    """Remembers which undo ran for which edge; the named ones refuse."""

    def __init__(self, *refusing: str) -> None:
        self.ran: list[str] = []
        self._refusing = refusing

    async def __call__(self, context: Context) -> Evidence | None:
        self.ran.append(context.edge)
        if context.edge in self._refusing:
            raise ActionError("exit.3", "exit", message="it is stuck")
        return None


def test_a_rollback_takes_back_this_edge_and_all_finished_ones_newest_first() -> None:
    """Before the node is called rolled back."""
    undos = Undos()
    actions = registry(join=Answers(no(), no()), tear_down=undos, leave=undos)
    done = run(people(0), actions, with_edge("lead", retry=[]))
    assert undos.ran == ["lead", "build"]
    assert done.result.states == {"lead": "rolled-back"}
    assert kinds(done.records, "lead")[-6:] == ["error", "undo", "undone", "undo", "undone", "state"]


def test_finished_edges_are_taken_back_in_reverse_order() -> None:
    """What was built last stands on what was built before."""
    undos = Undos()
    settle: dict[str, Any] = {"do": "join", "timeout": 10.0, "catch": ROLL_BACK}

    async def join(context: Context) -> None:
        if context.edge == "settle":
            raise no()

    actions = registry(join=join, tear_down=undos, leave=undos)
    done = run(people(0), actions, with_edge("settle", **settle))
    assert undos.ran == ["lead", "build"]
    assert done.result.states == {"lead": "rolled-back"}


def test_an_undo_that_fails_is_written_down_and_the_rest_still_run() -> None:
    """A half-done rollback helps nobody."""
    undos = Undos("lead")
    actions = registry(join=Answers(no(), no()), tear_down=undos, leave=undos)
    done = run(people(0), actions, with_edge("lead", retry=[]))
    assert [record.lineage for record in of(done.records, "undone")] == [("exit.3", "exit"), ()]
    assert done.result.states == {"lead": "rolled-back"}


def test_a_catch_without_rollback_takes_nothing_back() -> None:
    """The host is left as it is, for a person to look at."""
    done = run(people(0), registry(build=Answers(no())), with_edge("build", retry=[]))
    assert of(done.records, "undo") == []


# -- what holds nodes back ---------------------------------------------------------------------------


def test_when_a_signal_is_lost_its_waiters_are_blocked_and_told_why() -> None:
    """They do not hang; they are not called failed."""
    done = run(people(2), registry(build=Answers(no())), with_edge("build", retry=[]))
    assert done.result.states == {"lead": "failed", "f0": "built", "f1": "built"}
    assert list(done.result.blocked) == ["f0", "f1"]
    assert "signal 'lead-joined' can no longer come" in done.result.blocked["f0"]
    assert "lead can no longer come" in done.result.blocked["f0"]
    assert not done.result.interrupted
    assert not done.result.ok


def test_a_blocked_member_counts_as_gone_for_other_signals() -> None:
    """One loss leads to the next, until everyone has ended."""
    signals = {**SPEC.signals, "all-joined": SignalSpec(role=["follower"], state="joined")}
    wash_up = EdgeSpec(name="wash-up", source="built", to="home", guard=["is_cook"], signal="all-joined")
    follow = msgspec.structs.replace(FOLLOW, guard=["!is_lead", "!is_cook"])
    lead = msgspec.structs.replace(LEAD, retry=[])
    spec = with_spec(signals=signals, edges=[SPEC.edges[0], lead, follow, SPEC.edges[3], wash_up])
    guards = {**GUARDS, "is_cook": lambda member: bool(member.role == "cook")}
    members = [*people(2), Person("c", "cook")]
    done = simulate(Table(spec, guards), registry(join=Answers(no())), members)
    assert [record.signal for record in done.records if record.kind == "lost"] == [
        "lead-joined",
        "all-joined",
    ]
    assert list(done.result.blocked) == ["f0", "f1", "c"]
    assert "can no longer come (0 had come by then)" in done.result.blocked["c"]


def test_a_signal_over_a_role_that_nobody_has_holds_nobody_back() -> None:
    """A group without a lead does not wait for one."""
    assert run([Person("f0", "follower")]).result.ok


def test_members_that_wait_for_each_other_are_blocked() -> None:
    """Nobody is left who could bring it: that is said instead of waiting for ever."""
    spec = with_edge("lead", with_edge("build", signal=None), signal="lead-joined")
    done = run(people(2), spec=spec)
    assert set(done.result.blocked) == {"lead", "f0", "f1"}
    assert "everyone who could still bring it is waiting too" in done.result.blocked["lead"]


def either_signal(lead_is: str) -> dict[str, str]:
    """Followers may go home when a lead is home, or when a lead has failed. Where do they end?"""
    signals = {
        "lead-home": SignalSpec(role=["lead"], state="home"),
        "lead-failed": SignalSpec(role=["lead"], state="failed"),
    }
    edges = [
        EdgeSpec(name="lead", source="new", to="home", guard=["is_lead"], do="build", catch=FAIL),
        EdgeSpec(name="cheer", source="new", to="home", guard=["!is_lead"], signal="lead-home"),
        EdgeSpec(name="mourn", source="new", to="rolled-back", guard=["!is_lead"], signal="lead-failed"),
    ]
    build = Answers(10.0 if lead_is == "home" else no())
    actions = registry(build=build)
    return dict(run(people(1), actions, with_spec(edges=edges, signals=signals)).result.states)


def test_a_node_with_two_ways_takes_the_one_whose_signal_comes() -> None:
    """Losing one signal does not block whoever waits for another as well."""
    assert either_signal("home") == {"lead": "home", "f0": "home"}
    assert either_signal("failed") == {"lead": "failed", "f0": "rolled-back"}


def test_a_node_that_all_guards_refuse_is_blocked() -> None:
    """Guards look at what never changes, so waiting would not help."""
    done = run(people(0), spec=with_edge("lead", guard=["is_nobody"]))
    assert done.result.blocked == {"lead": "the guards of every edge out of 'built' refuse it"}


def test_a_spent_budget_lets_no_member_of_the_role_begin_anything() -> None:
    """The others of the role are blocked with the reason; other roles go on."""

    async def build(context: Context) -> None:
        await trio.sleep(1)
        if context.member.role == "follower":
            raise no()

    done = run(
        people(8),
        registry(build=build),
        with_edge("build", retry=[]),
        limits={"builders": 2},
        budgets={"follower": "25%"},
    )
    states = list(done.result.states.values())
    assert done.result.states["lead"] == "home"
    assert states.count("failed") in (3, 4)
    assert len(done.result.blocked) == 8 - states.count("failed")
    assert "the failure budget of role 'follower' is spent: 2 may fail, 3 did" in done.result.blocked["f7"]
    assert [record.evidence["allowed"] for record in done.records if record.kind == "budget"] == [2]


def test_a_member_that_waits_for_a_signal_learns_of_a_spent_budget_at_once() -> None:
    """It does not wait for a signal that it could not use."""

    async def build(context: Context) -> None:
        if context.member.name == "f0":
            await trio.sleep(10)
            raise no()

    actions = registry(build=build, join=Answers(50.0))
    done = run(people(2), actions, with_edge("build", retry=[]), budgets={"follower": "0"})
    (blocked,) = of(done.records, "blocked", "f1")
    assert blocked.at == 10.0


# -- stopping ----------------------------------------------------------------------------------------


def test_after_a_stop_nothing_begins_and_what_runs_may_end() -> None:
    """The attempt that runs ends within the grace period; the next edge is not opened."""
    done = run(people(1), registry(build=Answers(20.0)), stop_at=10.0, grace=30.0)
    assert done.result.interrupted
    assert done.result.states["lead"] == "built"
    assert done.result.at == 20.0
    assert kinds(done.records)[-1] == "stopped"


def test_after_the_grace_period_what_still_runs_is_cancelled_and_written_down() -> None:
    """Resumable: an intent without an end, and a record that says why."""
    done = run(people(0), registry(build=Answers(90.0)), stop_at=10.0, grace=30.0)
    (stopped,) = of(done.records, "stopped")
    assert (stopped.at, stopped.edge, stopped.attempt) == (40.0, "build", 1)
    assert done.result.states == {"lead": "new~build"}


def test_a_stop_ends_waits_at_once() -> None:
    """Backoff, queues and signals are no work."""
    retry = [Retry(match=["exit"], delay=1000, max_delay=1000, jitter="none")]
    done = run(
        people(9),
        registry(build=Answers(no())),
        with_edge("build", retry=retry),
        limits={"builders": 1},
        stop_at=10.0,
    )
    assert done.result.at == 10.0
    assert done.result.interrupted


def test_a_stop_makes_nobody_believe_that_a_signal_is_lost() -> None:
    """Silence while stopping proves nothing."""
    done = run(people(3), registry(join=Answers(50.0)), stop_at=10.0)
    assert [record for record in done.records if record.kind in ("lost", "blocked")] == []


def test_a_run_that_is_stopped_before_it_begins_begins_nothing() -> None:
    """Ctrl-C can come early."""
    journal = MemoryJournal()

    async def main() -> bool:
        supervisor = Supervisor(table(), registry(), people(2), journal)
        supervisor.stop()
        return (await supervisor.run()).interrupted

    assert run_simulated(main, seed=0)
    assert kinds(journal.records()) == ["header", "stopped"]


def test_a_rollback_that_a_stop_meets_may_end() -> None:
    """It is work like any other: half of it helps nobody."""

    async def undo(_context: Context) -> None:
        await trio.sleep(10)

    actions = registry(join=refuse, leave=undo, tear_down=undo)
    done = run(people(0), actions, with_edge("lead", retry=[]), stop_at=5.0)
    assert done.result.states == {"lead": "rolled-back"}
    assert done.result.at == 20.0


def test_a_closed_gate_concludes_nothing_from_silence() -> None:
    """Whoever still stands parked while a run is being stopped has not lost anything."""
    journal = MemoryJournal()

    async def main() -> None:
        supervisor = Supervisor(table(), registry(), people(1), journal)
        supervisor.logbook.open(
            Header(schema=1, machine="group", version=1, machine_digest="", members=MEMBERS)
        )
        supervisor.gate.start(people(1), [])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.gate.park, people(1)[1], ["lead-joined"])
            await trio.sleep(1)
            supervisor.stop()
            supervisor.gate.left()
            nursery.cancel_scope.cancel()

    run_simulated(main, seed=0)
    assert kinds(journal.records()) == ["header"]


def test_an_abort_cancels_at_once() -> None:
    """The second Ctrl-C."""
    journal = MemoryJournal()

    async def main() -> tuple[float, bool]:
        actions = registry(build=Answers(90.0))
        supervisor = Supervisor(table(), actions, people(0), journal)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(abort_at, 10.0, supervisor)
            result = await supervisor.run()
        return trio.current_time(), result.interrupted

    assert run_simulated(main, seed=0) == (10.0, True)
    assert kinds(journal.records(), "lead")[-1] == "stopped"


async def abort_at(seconds: float, supervisor: Supervisor) -> None:
    await trio.sleep(seconds)
    supervisor.stop()
    supervisor.abort()


def test_a_run_that_is_cancelled_from_outside_ends_its_journal_all_the_same() -> None:
    """The last record is written and durable."""
    journal = MemoryJournal()

    async def main() -> None:
        supervisor = Supervisor(table(), registry(build=Answers(90.0)), people(0), journal)
        with trio.move_on_after(5):
            await supervisor.run()

    run_simulated(main, seed=0)
    assert kinds(journal.records())[-1] == "stopped"
    assert journal.durable_seq == len(journal.records())


# -- the outside world -------------------------------------------------------------------------------


class FullJournal(MemoryJournal):
    """A journal whose disk is full after so many records."""

    room = 6

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        if not self.room:
            raise JournalError(f"disk full ({errno.ENOSPC})")
        self.room -= 1
        return super().append(at, kind, **fields)


def test_a_journal_that_cannot_be_written_ends_the_run_with_one_plain_error() -> None:
    """No exception group, and no effect without an intent."""
    with pytest.raises(JournalError, match="disk full"):
        run(people(5), journal=FullJournal())


class Clumsy(Silent):
    """An observer that stumbles over everything."""

    def record(self, record: Record) -> None:
        raise RuntimeError("the terminal is gone")

    def note(self, member: Member, text: str) -> None:
        raise RuntimeError("the terminal is gone")

    def bug(self, member: Member, error: Exception) -> None:
        raise RuntimeError("the terminal is gone")


def test_an_observer_that_fails_does_not_hurt_the_run() -> None:
    """Whoever looks on, the run is the same."""
    actions = registry(build=bug)
    assert run(people(2), actions, observer=Clumsy()).digest == run(people(2), actions).digest


def test_an_observer_sees_every_record_and_what_nodes_wait_for() -> None:
    """A screen needs no other source."""
    ear = Ear()
    done = run(people(1), registry(join=Answers(5.0)), observer=ear, limits={"builders": 1})
    assert ear.records == done.records
    assert ("f0", "waiting for lead-joined") in ear.notes
    assert ("f0", "queueing for builders (1 at a time)") in ear.notes


def test_progress_that_an_action_notes_reaches_the_observer() -> None:
    """It is shown, not journalled."""

    async def build(context: Context) -> None:
        context.note("half-way")

    ear = Ear()
    done = run(people(0), registry(build=build), observer=ear)
    assert ("lead", "half-way") in ear.notes
    assert b"half-way" not in done.journal.data


def test_an_intent_names_in_one_word_what_it_is_about_to_do() -> None:
    """The digest that the action was registered with."""
    actions = registry()
    actions.digests["build"] = lambda context: f"{context.member.name}-v1"
    assert of(run(people(0), actions).records, "intent")[0].digest == "lead-v1"


def test_everything_that_makes_no_sense_is_said_at_once_and_before_the_run() -> None:
    """Members, limits and names."""
    actions = registry()
    del actions.probes["has_joined"]
    members = [Person("a", "lead"), Person("a", "follower")]
    with pytest.raises(ValueError, match=r"'a' stands twice.*'lifts'.*probe 'has_joined'"):
        Supervisor(table(), actions, members, MemoryJournal(), limits={"lifts": 1})


def test_a_group_of_nobody_is_done_at_once() -> None:
    """An empty plan is a plan."""
    assert run([]).result.ok
