"""machines.simulation.invariants: each checker, broken on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from machines.records import Kind
from machines.simulation.invariants import (
    INVARIANTS,
    Broken,
    BudgetsKept,
    ClockAfterQueue,
    DeadlineKept,
    EveryoneEnds,
    IntentFirst,
    Invariant,
    LimitsKept,
    NoIdlePlace,
    NoSecret,
    OneCluster,
    OneLearner,
    OneLife,
    PlanOrder,
    SignalFirst,
    WellFirst,
    WorldSound,
)
from tests.machines.groups import people, run, with_edge
from tests.machines.simulation.scripts import HEADER, Script, rules


def test_every_invariant_has_a_name_a_claim_and_a_reason() -> None:
    """Names are short words with hyphens, and no two are the same."""
    names = [law.name for law in INVARIANTS]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalpha() and name.islower() for name in names)
    assert all(law.claim and law.reason and "\n" not in law.claim + law.reason for law in INVARIANTS)


def test_an_end_without_a_beginning_is_broken() -> None:
    """No `done` without its intent."""
    see = Script(IntentFirst(rules()))
    see("intent", "f0", edge="build", attempt=1)
    see("done", "f0", edge="build", attempt=1)
    with pytest.raises(Broken, match="done, and never begun"):
        see("done", "f0", edge="build", attempt=2)


def test_an_effect_before_its_intent_is_durable_is_broken() -> None:
    """Written is not enough."""
    durable = 1
    checker = IntentFirst(rules(durable=lambda: durable))
    Script(checker)("intent", "f0", edge="build", attempt=1)
    with pytest.raises(Broken, match="f0 build attempt 1 has an intent that is not durable"):
        checker.effect("f0", "build", 1)
    durable = 2
    with pytest.raises(Broken, match="is not durable"):
        checker.end()


def test_an_effect_without_any_intent_is_broken() -> None:
    """And one whose intent is durable is not."""
    checker = IntentFirst(rules())
    Script(checker)("intent", "f0", edge="build", attempt=1)
    checker.effect("f0", "build", 1)
    with pytest.raises(Broken, match="f0 build attempt 2 has no intent"):
        checker.effect("f0", "build", 2)


def test_two_in_a_place_for_one_are_broken() -> None:
    """And one after the other are not."""
    see = Script(LimitsKept(rules()))
    see("intent", "f0", edge="follow", attempt=1)
    see("error", "f0", edge="follow", attempt=1)
    see("intent", "f1", edge="follow", attempt=1)
    with pytest.raises(Broken, match="joins: f1, f0 at the same time"):
        see("intent", "f0", edge="follow", attempt=2)


def test_a_new_run_begins_with_empty_places() -> None:
    """Who was cut off does not hold his place for ever."""
    see = Script(LimitsKept(rules()))
    see("intent", "f0", edge="follow", attempt=1)
    see("resumed", header=HEADER)
    see("intent", "f1", edge="follow", attempt=1)


def test_an_edge_before_its_signal_is_broken() -> None:
    """The record of the signal must stand before it."""
    see = Script(SignalFirst(rules()))
    with pytest.raises(Broken, match="follow needs lead-joined"):
        see("state", "f0", edge="follow", source="built", to="built~follow")
    see("state", "lead", edge="lead", source="built~lead", to="joined")
    see("signal", signal="lead-joined", evidence={"have": 1, "need": 1, "members": ["lead"]})
    see("state", "f1", edge="follow", source="built", to="built~follow")


def test_an_edge_after_the_budget_is_spent_is_broken() -> None:
    """For the role whose budget it is; and a member that was put back has not failed."""
    see = Script(BudgetsKept(rules(budgets={"follower": "0"})))
    see("state", "f0", edge="build", source="new", to="new~build")
    see("state", "f0", edge="build", source="new~build", to="failed")
    see("state", "lead", edge="build", source="new", to="new~build")
    with pytest.raises(Broken, match="of 'follower' f0 have failed"):
        see("state", "f1", edge="build", source="new", to="new~build")
    see("resumed", "f0", edge="build", source="failed", to="new")
    see("state", "f1", edge="build", source="new", to="new~build")


def test_anything_after_an_end_is_broken() -> None:
    """An outcome is one."""
    see = Script(OneLife(rules()))
    see("state", "f0", edge="settle", source="new", to="home")
    with pytest.raises(Broken, match="f0 has ended in home"):
        see("intent", "f0", edge="build", attempt=1)


def test_a_blocked_node_has_ended_too() -> None:
    """Until it is resumed."""
    see = Script(OneLife(rules()))
    see("blocked", "f0", reason="why")
    with pytest.raises(Broken, match="f0 has ended in new"):
        see("state", "f0", edge="build", source="new", to="new~build")


def test_a_state_that_does_not_follow_the_one_before_is_broken() -> None:
    """Nobody jumps."""
    with pytest.raises(Broken, match="f0 was in new"):
        Script(OneLife(rules()))("state", "f0", edge="settle", source="joined", to="home")


@pytest.mark.parametrize("wrong", [{"seq": 4}, {"at": -1.0}])
def test_records_out_of_order_are_broken(wrong: dict[str, Any]) -> None:
    """Neither numbers nor time go astray."""
    with pytest.raises(Broken, match="not in order"):
        Script(OneLife(rules()))("signal", signal="s", **wrong)


def test_a_secret_in_any_field_is_broken_and_not_repeated() -> None:
    """The message names the record, not the secret."""
    with pytest.raises(Broken, match="no-secret: record") as caught:
        Script(NoSecret(rules(secrets=["hunter2"])))("done", "f0", evidence={"deep": ["down", "hunter2!"]})
    assert "hunter2" not in str(caught.value)


def test_a_run_that_leaves_someone_on_the_way_is_broken() -> None:
    """Unless it was stopped."""
    checker = EveryoneEnds(rules())
    see = Script(checker)
    see("state", "lead", edge="settle", source="joined", to="home")
    see("blocked", "f0", reason="why")
    see("finished")
    with pytest.raises(Broken, match="f1 in new"):
        checker.end()
    checker.stop()
    checker.end()


def test_a_checker_that_breaks_ends_the_run_it_watches() -> None:
    """As one plain exception that says where."""
    with pytest.raises(Broken, match="no-secret: record"):
        run(people(2), secrets=["lead-joined"])


def test_a_signal_before_its_members_is_broken() -> None:
    """Its evidence names members that have not been in the state."""
    see = Script(SignalFirst(rules()))
    with pytest.raises(Broken, match="lead-joined without lead in joined"):
        see("signal", signal="lead-joined", evidence={"have": 1, "need": 1, "members": ["lead"]})


@pytest.mark.parametrize("members", [[], ["f0"]])
def test_a_signal_by_too_few_is_broken(members: list[str]) -> None:
    """Members of other roles do not count, and what the evidence does not name has not come."""
    see = Script(SignalFirst(rules()))
    see("state", "f0", edge="follow", source="built~follow", to="joined")
    with pytest.raises(Broken, match="lead-joined by nobody, and 1 must be in joined"):
        see("signal", signal="lead-joined", evidence={"members": members})


# -- clocks ---------------------------------------------------------------------------------------------


def begin(see: Script, node: str, **fields: Any) -> None:
    see("state", node, edge="build", source="new", to="new~build", **fields)


def test_a_clock_that_counts_the_queue_after_a_back_off_is_broken() -> None:
    """The back-off counts, and what comes after it does not."""
    for used, fine in ((15.0, True), (25.0, False)):
        see = Script(ClockAfterQueue(rules()))
        begin(see, "f0")
        see("intent", "f0", edge="build", attempt=1)
        see("error", "f0", edge="build", attempt=1, at=10.0, used=10.0, lineage=("exit",))
        see("retry", "f0", edge="build", attempt=1, at=10.0, used=10.0, delay=5.0)
        if fine:
            see("intent", "f0", edge="build", attempt=2, at=25.0, used=used)
        else:
            with pytest.raises(Broken, match="the clock must show 15 s, and shows 25 s"):
                see("intent", "f0", edge="build", attempt=2, at=25.0, used=used)


def test_a_clock_that_stands_still_while_an_attempt_goes_on_is_broken() -> None:
    """Nobody gets time for nothing either."""
    see = Script(ClockAfterQueue(rules()))
    begin(see, "f0")
    see("intent", "f0", edge="build", attempt=1)
    with pytest.raises(Broken, match="the clock must show 10 s, and shows 0 s"):
        see("error", "f0", edge="build", attempt=1, at=10.0, lineage=("exit",))


@pytest.mark.parametrize(("used", "is_kept"), [(17.0, True), (15.0, False), (19.0, False), (25.0, False)])
def test_where_a_probe_is_asked_the_clock_runs_from_that_moment_on(used: float, is_kept: bool) -> None:
    """Five seconds of back-off count, eight of a queue do not, and two of the probe do again."""
    law = ClockAfterQueue(rules(with_edge("build", probe="has_joined")))
    see = Script(law)
    begin(see, "f0")
    see("retry", "f0", edge="build", attempt=1, at=10.0, used=10.0, delay=5.0)
    law.probe("f0", "build", 23.0)
    if is_kept:
        see("probed", "f0", edge="build", attempt=2, at=25.0, used=used)
    else:
        with pytest.raises(Broken, match=f"the clock must show 17 s, and shows {used:g} s"):
            see("probed", "f0", edge="build", attempt=2, at=25.0, used=used)


def test_a_probe_that_outlasts_the_timeout_is_broken() -> None:
    """It has as long as an attempt, from the moment at which it is asked."""
    law = DeadlineKept(rules(with_edge("build", probe="has_joined")))
    see = Script(law)
    begin(see, "f0")
    law.probe("f0", "build", 5.0)
    see("probed", "f0", edge="build", attempt=2, at=105.0)
    law.probe("f0", "build", 105.0)
    with pytest.raises(Broken, match="its probe took 101 s and was allowed 100"):
        see("error", "f0", edge="build", attempt=2, at=206.0, lineage=("timeout",))


def test_a_run_that_goes_on_may_count_no_more_than_has_passed() -> None:
    """The time between two runs is none."""
    see = Script(ClockAfterQueue(rules()))
    begin(see, "f0")
    see("intent", "f0", edge="build", attempt=1)
    see("stopped", "f0", edge="build", attempt=1, at=8.0)
    see("resumed", header=HEADER, at=8.0)
    with pytest.raises(Broken, match="more than 8 s cannot have passed"):
        see("resumed", "f0", edge="build", source="new~build", to="new~build", attempt=1, at=8.0, used=60.0)


@pytest.mark.parametrize(("kind", "kept"), [("intent", 10.0), ("done", 0.0), ("probed", 2.0), ("retry", 7.0)])
def test_a_run_that_goes_on_with_less_than_is_known_to_have_passed_is_broken(kind: Kind, kept: float) -> None:
    """Or an edge had its whole deadline again with each resume. An attempt that ended well needs none."""
    for used, is_kept in ((kept, True), (kept - 1, False)):
        see = Script(ClockAfterQueue(rules(with_edge("build", probe="has_joined"))))
        begin(see, "f0")
        see("intent", "f0", edge="build", attempt=1)
        if kind == "retry":
            see("error", "f0", edge="build", attempt=1, at=2.0, used=2.0, lineage=("exit",))
        see(kind, "f0", edge="build", attempt=1, at=2.0, used=2.0, delay=5.0 if kind == "retry" else 0.0)
        see("resumed", header=HEADER, at=10.0)
        again = {"edge": "build", "source": "new~build", "to": "new~build", "attempt": 1, "at": 10.0}
        if is_kept:
            see("resumed", "f0", used=used, **again)
        else:
            with pytest.raises(Broken, match="had passed before, and the run goes on with less"):
                see("resumed", "f0", used=used, **again)


def test_an_attempt_after_its_deadline_is_broken_and_so_is_one_that_lasts_too_long() -> None:
    """`build` has an hour for all attempts and 100 s for each."""
    with pytest.raises(Broken, match="its deadline of 3600 s was over"):
        Script(DeadlineKept(rules()))("intent", "f0", edge="build", attempt=9, used=3601.0)
    see = Script(DeadlineKept(rules()))
    see("intent", "f0", edge="build", attempt=1, used=3550.0)
    with pytest.raises(Broken, match="it lasted 60 s and was allowed 50"):
        see("done", "f0", edge="build", attempt=1, at=60.0)


# -- places ---------------------------------------------------------------------------------------------


def test_a_place_that_is_free_while_someone_waits_is_broken() -> None:
    """Four may build, three are there, one of them has not begun by the time that anything else happens."""
    see = Script(NoIdlePlace(rules()))
    begin(see, "lead")
    begin(see, "f0")
    with pytest.raises(
        Broken, match="builders: 2 of 4 places were free until second 3, held by lead, f0, and f1"
    ):
        see("done", "lead", edge="build", attempt=1, at=3.0)


def test_who_waits_for_a_signal_a_place_or_a_back_off_keeps_no_place_idle() -> None:
    """And who is over his back-off does."""
    see = Script(NoIdlePlace(rules()))
    for name in ("lead", "f0", "f1"):
        begin(see, name)
    see("state", "f0", edge="build", source="new~build", to="built", at=1.0)  # its join waits for the lead
    see("retry", "f1", edge="build", attempt=1, at=2.0, used=2.0, delay=5.0)
    see("done", "lead", edge="build", attempt=1, at=7.0)
    with pytest.raises(Broken, match="until second 8, held by lead, and f1 waited"):
        see("state", "lead", edge="build", source="new~build", to="built", at=8.0)


ASKING = with_edge("build", probe="has_joined")


def test_who_asks_his_probe_holds_the_place_from_that_moment_on() -> None:
    """No record says so before the answer: one who goes on in doubt, or whose answer was lost."""
    law = NoIdlePlace(rules(ASKING, limits={"builders": 1}))
    see = Script(law)
    for name in ("lead", "f1", "f0"):
        begin(see, name)
        if name != "f0":
            see("state", name, edge="build", source="new~build", to="built")
    see("intent", "f0", edge="build", attempt=1)
    see("resumed", header=HEADER, at=1.0)
    see("resumed", "f0", edge="build", source="new~build", to="new~build", attempt=1, at=1.0)
    law.probe("f0", "build", 1.0)
    see("probed", "f0", edge="build", attempt=2, at=3.0)
    see("error", "f0", edge="build", attempt=2, at=4.0, lineage=("connection",), ambiguous=True)
    see("retry", "f0", edge="build", attempt=2, at=4.0, delay=1.0)
    law.probe("f0", "build", 5.0)
    see("probed", "f0", edge="build", attempt=3, at=8.0)


def test_a_place_beside_one_who_asks_his_probe_is_free() -> None:
    """He holds one of two, and no more."""
    law = NoIdlePlace(rules(ASKING, limits={"builders": 2}))
    see = Script(law)
    begin(see, "f0")
    see("retry", "f0", edge="build", attempt=1)
    law.probe("f0", "build", 0.0)
    begin(see, "lead")
    see("state", "lead", edge="build", source="new~build", to="built", at=2.0)
    with pytest.raises(Broken, match="builders: 1 of 2 places were free until second 9, held by f0, and f1"):
        see("probed", "f0", edge="build", attempt=2, at=9.0)


def test_a_probe_that_is_asked_later_than_it_could_be_is_broken() -> None:
    """The place was free, and nobody asked."""
    law = NoIdlePlace(rules(ASKING))
    see = Script(law)
    for name in ("lead", "f0", "f1"):
        begin(see, name)
    see("retry", "f0", edge="build", attempt=1, delay=1.0)
    with pytest.raises(Broken, match="until second 4, held by lead, f1, and f0 waited"):
        law.probe("f0", "build", 4.0)


def test_who_asks_his_probe_takes_his_turn_too() -> None:
    """The one before him in the plan had waited as well."""
    law = PlanOrder(rules(ASKING, limits={"builders": 1}))
    see = Script(law)
    begin(see, "f1")
    see("retry", "f1", edge="build", attempt=1, delay=1.0)
    begin(see, "lead")
    see("state", "lead", edge="build", source="new~build", to="built", at=5.0)
    law.probe("f1", "build", 5.0)
    with pytest.raises(Broken, match="f1 was given a place at second 5, and f0, which stands before it"):
        see("probed", "f1", edge="build", attempt=2, at=6.0)


def test_of_a_run_that_was_there_before_its_clock_and_its_queues_are_believed() -> None:
    """It may have run by a real clock, and somebody may have stopped it."""
    told = rules(before=4)
    for law in (NoIdlePlace(told), PlanOrder(told), ClockAfterQueue(told), DeadlineKept(told)):
        see = Script(law)
        begin(see, "f0")
        see("intent", "f0", edge="build", attempt=1, at=7.0, used=0.2)
        see("error", "f0", edge="build", attempt=1, at=900.0, used=899.0, lineage=("timeout",))


def two_at_once_and_one_too_early(law: Invariant) -> None:
    see = Script(law)
    for node in ("f0", "f1"):
        begin(see, node)
        see("intent", node, edge="build", attempt=1)
    see("state", "f0", edge="build", source="new~build", to="failed")
    see("state", "f1", edge="follow", source="built", to="built~follow")
    see("signal", signal="lead-joined", evidence={"members": ["lead"]})


@pytest.mark.parametrize("law", [LimitsKept, SignalFirst, BudgetsKept])
def test_of_a_run_that_was_there_before_its_limits_signals_and_budgets_are_believed(
    law: type[Invariant],
) -> None:
    """Somebody may have changed them since: that run was held to others."""
    told = rules(limits={"builders": 1}, budgets={"follower": "0"})
    two_at_once_and_one_too_early(law(replace(told, before=8)))
    with pytest.raises(Broken):
        two_at_once_and_one_too_early(law(told))


def test_a_run_that_is_told_to_stop_leaves_places_free() -> None:
    """Nothing new begins."""
    law = NoIdlePlace(rules())
    see = Script(law)
    begin(see, "lead")
    law.stop()
    see("done", "lead", edge="build", attempt=1, at=3.0)


def test_a_place_for_the_last_of_the_plan_while_the_first_waits_is_broken() -> None:
    """Both had asked before."""
    see = Script(PlanOrder(rules(limits={"builders": 1})))
    begin(see, "lead")
    see("state", "lead", edge="build", source="new~build", to="built", at=5.0)
    begin(see, "f1", at=5.0)
    with pytest.raises(Broken, match="f1 was given a place at second 5, and f0, which stands before it"):
        see("intent", "f1", edge="build", attempt=1, at=6.0)


# -- the world ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a model wrote down."""

    invariant: str
    evidence: str = "srv-2 did"
    at: float = 7.0


@pytest.mark.parametrize(
    ("law", "name"),
    [
        (OneCluster, "one-cluster"),
        (OneLearner, "one-learner"),
        (WellFirst, "well-first"),
        (WorldSound, "one-flood"),
    ],
)
def test_what_the_world_saw_is_a_breach_of_its_law_and_of_no_other(law: type[Invariant], name: str) -> None:
    """At the next record, or at the end when there is none."""
    seen: list[Seen] = []
    see = Script(law(rules(breaches=lambda: seen)))
    see("signal", signal="lead-joined")
    seen.append(Seen(name))
    with pytest.raises(Broken, match=rf"{name}: srv-2 did \(second 7 of the world\) at record 3"):
        see("signal", signal="lead-joined")
    with pytest.raises(Broken, match=name):
        law(rules(breaches=lambda: seen)).end()
    for other in {OneCluster, OneLearner, WellFirst, WorldSound} - {law}:
        other(rules(breaches=lambda: seen)).end()
