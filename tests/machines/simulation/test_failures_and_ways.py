"""machines.simulation.invariants: the laws of failure, doubt, the way and stops, record by record."""

from __future__ import annotations

from typing import Any

import pytest

from machines.simulation.invariants import (
    BackOffKept,
    Broken,
    CatchKept,
    EffectKnown,
    FirstWay,
    OneLife,
    SignalFirst,
    StopKept,
)
from machines.spec import Retry
from tests.machines.groups import ROLL_BACK, SPEC, with_edge, with_spec
from tests.machines.simulation.scripts import HEADER, Script, rules

ON = {"edge": "follow", "source": "built", "to": "built~follow"}
BACK = {"edge": "follow", "source": "built~follow", "to": "rolled-back"}


def built(see: Script, node: str = "f0") -> None:
    """The node has built, and is on its way to join."""
    see("state", node, edge="build", source="new", to="new~build")
    see("intent", node, edge="build", attempt=1)
    see("done", node, edge="build", attempt=1)
    see("state", node, edge="build", source="new~build", to="built")
    see("state", node, **ON)


@pytest.mark.parametrize(
    ("jitter", "delay", "is_kept"),
    [("none", 10.0, True), ("none", 9.0, False), ("equal", 5.0, True), ("equal", 4.9, False),
     ("full", 0.0, True), ("full", 10.1, False)],
)  # fmt: skip
def test_a_second_wait_is_twice_as_long_less_its_jitter(jitter: Any, delay: float, is_kept: bool) -> None:
    """A delay of five seconds that doubles."""
    clause = Retry(match=["exit"], delay=5.0, jitter=jitter)
    see = Script(BackOffKept(rules(with_edge("build", retry=[clause]))))
    see("error", "f0", edge="build", attempt=1, lineage=("exit",), clause=0)
    see("error", "f0", edge="build", attempt=2, lineage=("exit",), clause=0)
    if is_kept:
        see("retry", "f0", edge="build", attempt=2, delay=delay, clause=0)
    else:
        with pytest.raises(Broken, match="s after failure 2"):
            see("retry", "f0", edge="build", attempt=2, delay=delay, clause=0)


def test_failures_of_an_older_table_are_counted_by_their_class() -> None:
    """Its clauses stood elsewhere: the number in its record means another one now."""
    clauses = [
        Retry(match=["timeout"], delay=5.0, jitter="none"),
        Retry(match=["exit"], delay=5.0, jitter="none"),
    ]
    see = Script(BackOffKept(rules(with_edge("build", retry=clauses), before=1)))
    see("error", "f0", edge="build", attempt=1, lineage=("exit",), clause=0)
    see("error", "f0", edge="build", attempt=2, lineage=("timeout",), clause=0)
    see("retry", "f0", edge="build", attempt=2, delay=5.0, clause=0)


def test_a_probe_before_its_back_off_is_over_is_broken_too() -> None:
    """It is the first thing that the next attempt does. A run that goes on does so at once."""
    law = BackOffKept(rules())
    see = Script(law)
    see("retry", "f0", edge="follow", attempt=1, delay=5.0, clause=0)
    with pytest.raises(Broken, match="f0 went on at second 4, and was to wait until 5"):
        law.probe("f0", "follow", 4.0)
    see("retry", "f0", edge="follow", attempt=1, delay=5.0, clause=0)
    see("resumed", header=HEADER)
    law.probe("f0", "follow", 0.0)


def test_a_rollback_goes_on_where_it_was_cut_off() -> None:
    """What was written off is not taken back again; the rest is, newest first."""
    spec = with_edge("follow", catch=ROLL_BACK, undo=["leave", "tear_down"])
    see = Script(CatchKept(rules(spec)))
    built(see)
    see("error", "f0", edge="follow", attempt=1, lineage=("exit",))
    see("undo", "f0", edge="follow", undo="leave")
    see("undone", "f0", edge="follow", undo="leave")
    see("undo", "f0", edge="follow", undo="tear_down")
    see("resumed", header=HEADER)
    see("resumed", "f0", edge="follow", source="built~follow", to="built~follow")
    see("undo", "f0", edge="follow", undo="tear_down")
    see("undone", "f0", edge="follow", undo="tear_down")
    with pytest.raises(Broken, match="tear_down of build has not been run"):
        see("state", "f0", **BACK)


def test_nothing_is_taken_back_where_no_catch_clause_says_so() -> None:
    """`build` has undos, and leads to `failed` without them."""
    see = Script(CatchKept(rules()))
    see("error", "f0", edge="build", attempt=1, lineage=("exit",))
    with pytest.raises(Broken, match="nothing was to be taken back"):
        see("undo", "f0", edge="build", undo="tear_down")


def test_an_attempt_that_was_cut_off_is_in_doubt_until_its_probe_has_answered() -> None:
    """As one whose answer was lost; and one that failed plainly is not."""
    see = Script(EffectKnown(rules()))
    built(see)
    see("intent", "f0", edge="follow", attempt=1)
    see("error", "f0", edge="follow", attempt=1, lineage=("exit",))
    see("intent", "f0", edge="follow", attempt=2)
    see("resumed", header=HEADER)
    see("resumed", "f0", edge="follow", source="built~follow", to="built~follow", attempt=2)
    see("error", "f0", edge="follow", attempt=3, lineage=("connection",))  # the probe's own
    with pytest.raises(Broken, match="follow was in doubt, and nobody asked has_joined"):
        see("intent", "f0", edge="follow", attempt=4)


def test_an_edge_that_nobody_has_seen_the_effect_of_does_not_lead_on() -> None:
    """And one whose effect was seen does not lead elsewhere."""
    see = Script(EffectKnown(rules()))
    built(see)
    see("intent", "f0", edge="follow", attempt=1)
    see("error", "f0", edge="follow", attempt=1, lineage=("connection",), ambiguous=True)
    with pytest.raises(Broken, match="nobody has seen the effect of follow"):
        see("state", "f0", edge="follow", source="built~follow", to="joined")
    see("probed", "f0", edge="follow", attempt=2, found=True)
    with pytest.raises(Broken, match="the effect of follow had been seen"):
        see("state", "f0", **BACK)


def test_a_way_that_opens_while_a_node_queues_on_another_comes_too_late_for_it() -> None:
    """Had it been open before, it would have been the first."""
    late = with_edge("build", signal="lead-joined").edges[0]
    other = with_edge("build", name="rebuild").edges[0]
    spec = with_spec(edges=[late, other, *SPEC.edges[1:]])
    for looks_anew in (True, False):
        see = Script(FirstWay(rules(spec)))
        if looks_anew:
            see("signal", signal="lead-joined")
            see("resumed", header=HEADER)
            with pytest.raises(Broken, match="build stands before rebuild and was open"):
                see("state", "f0", edge="rebuild", source="new", to="new~rebuild")
        else:
            see("signal", signal="lead-joined")
            see("state", "f0", edge="rebuild", source="new", to="new~rebuild")


def test_an_edge_that_a_guard_refuses_is_not_open() -> None:
    """`lead` is for the lead."""
    see = Script(FirstWay(rules()))
    with pytest.raises(Broken, match="lead is not open to f0"):
        see("state", "f0", edge="lead", source="built", to="built~lead")


def test_who_asks_his_probe_when_a_run_is_told_to_stop_may_end_his_attempt() -> None:
    """Nobody else may begin one, and nobody may ask any more."""
    law = StopKept(rules())
    see = Script(law)
    law.probe("f0", "follow", 1.0)
    law.stop()
    see("intent", "f0", edge="follow", attempt=2)
    with pytest.raises(Broken, match="an attempt begins"):
        see("intent", "f1", edge="follow", attempt=1)
    with pytest.raises(Broken, match="at second 3 f1 asks the probe of follow"):
        law.probe("f1", "follow", 3.0)
    with pytest.raises(Broken, match="an edge begins"):
        see("state", "f1", **ON)


@pytest.mark.parametrize("attempt", [1, 3])
def test_attempts_count_on_over_a_resume(attempt: int) -> None:
    """None is left out, and none is made twice; a probe and an intent share theirs."""
    see = Script(OneLife(rules()))
    built(see)
    see("probed", "f0", edge="follow", attempt=1)
    see("intent", "f0", edge="follow", attempt=1)
    see("resumed", header=HEADER)
    see("resumed", "f0", edge="follow", source="built~follow", to="built~follow", attempt=1)
    with pytest.raises(Broken, match="it was to be attempt 2 of follow"):
        see("intent", "f0", edge="follow", attempt=attempt)


def test_a_node_is_put_back_to_the_oldest_edge_that_was_taken_back() -> None:
    """And where nothing was, to the edge that failed."""
    for undone, back in ((("follow", "build"), "new"), (("follow",), "built")):
        see = Script(OneLife(rules()))
        built(see)
        for edge in undone:
            see("undone", "f0", edge=edge, undo="any")
        see("state", "f0", **BACK)
        wrong = {"new": "built", "built": "new"}[back]
        with pytest.raises(Broken, match=f"f0 was to go on from {back}"):
            see("resumed", "f0", edge="follow", source="rolled-back", to=wrong)
        see("resumed", "f0", edge="follow", source="rolled-back", to=back)


def test_a_signal_that_all_wait_for_may_be_given_up() -> None:
    """Nobody is on his way then."""
    see = Script(SignalFirst(rules()))
    see("state", "lead", edge="build", source="new", to="new~build")
    with pytest.raises(Broken, match="lead-joined is given up: lead could bring it, and lead went on"):
        see("lost", signal="lead-joined")
    see = Script(SignalFirst(rules()))
    see("lost", signal="lead-joined")
    see("resumed", header=HEADER)
    see("lost", signal="lead-joined")
    with pytest.raises(Broken, match="lead-joined was settled before"):
        see("lost", signal="lead-joined")
