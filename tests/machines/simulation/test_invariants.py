"""machines.simulation.invariants: each checker, broken on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from machines.journal import MemoryJournal
from machines.records import Header, Kind, Record
from machines.simulation.invariants import (
    Broken,
    BudgetsKept,
    Checker,
    EveryoneEnds,
    IntentFirst,
    LimitsKept,
    NoSecret,
    OneLife,
    SignalFirst,
)
from tests.machines.groups import Group, people, run, table

HEADER = Header(
    schema=1,
    machine="group",
    version=1,
    machine_digest="",
    members=(("lead", "lead"), ("f0", "follower"), ("f1", "follower")),
)


class Script:
    """Feeds a checker records, numbered by itself."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._seq = 0
        self("header", header=HEADER)

    def __call__(self, kind: Kind, node: str = "", **fields: Any) -> None:
        self._seq += 1
        self._checker.see(Record(**{"seq": self._seq, "at": 0.0, "kind": kind, "node": node, **fields}))


def test_an_end_without_a_beginning_is_broken() -> None:
    """No `done` without its intent."""
    see = Script(IntentFirst(lambda: 99))
    see("intent", "f0", edge="build", attempt=1)
    see("done", "f0", edge="build", attempt=1)
    with pytest.raises(Broken, match="done, and never begun"):
        see("done", "f0", edge="build", attempt=2)


def test_an_effect_before_its_intent_is_durable_is_broken() -> None:
    """Written is not enough."""
    durable = 1
    checker = IntentFirst(lambda: durable)
    Script(checker)("intent", "f0", edge="build", attempt=1)
    with pytest.raises(Broken, match="f0 build attempt 1 has an intent that is not durable"):
        checker.effect("f0", "build", 1)
    durable = 2
    with pytest.raises(Broken, match="is not durable"):
        checker.end()


def test_an_effect_without_any_intent_is_broken() -> None:
    """And one whose intent is durable is not."""
    checker = IntentFirst(lambda: 99)
    Script(checker)("intent", "f0", edge="build", attempt=1)
    checker.effect("f0", "build", 1)
    with pytest.raises(Broken, match="f0 build attempt 2 has no intent"):
        checker.effect("f0", "build", 2)


def test_two_in_a_place_for_one_are_broken() -> None:
    """And one after the other are not."""
    see = Script(LimitsKept(table(), {"builders": 4, "joins": 1}))
    see("intent", "f0", edge="follow", attempt=1)
    see("error", "f0", edge="follow", attempt=1)
    see("intent", "f1", edge="follow", attempt=1)
    with pytest.raises(Broken, match="joins: f1, f0 at the same time"):
        see("intent", "f0", edge="follow", attempt=2)


def test_a_new_run_begins_with_empty_places() -> None:
    """Who was cut off does not hold his place for ever."""
    see = Script(LimitsKept(table(), {"builders": 4, "joins": 1}))
    see("intent", "f0", edge="follow", attempt=1)
    see("resumed", header=HEADER)
    see("intent", "f1", edge="follow", attempt=1)


def test_an_edge_before_its_signal_is_broken() -> None:
    """The record of the signal must stand before it."""
    see = Script(SignalFirst(table()))
    with pytest.raises(Broken, match="follow needs lead-joined"):
        see("state", "f0", edge="follow", source="built", to="built~follow")
    see("signal", signal="lead-joined")
    see("state", "f1", edge="follow", source="built", to="built~follow")


def test_an_edge_after_the_budget_is_spent_is_broken() -> None:
    """For the role whose budget it is; and a member that was put back has not failed."""
    see = Script(BudgetsKept(table(), {"follower": "0"}))
    see("state", "f0", edge="build", source="new", to="new~build")
    see("state", "f0", edge="build", source="new~build", to="failed")
    see("state", "lead", edge="build", source="new", to="new~build")
    with pytest.raises(Broken, match="of 'follower' f0 have failed"):
        see("state", "f1", edge="build", source="new", to="new~build")
    see("resumed", "f0", edge="build", source="failed", to="new")
    see("state", "f1", edge="build", source="new", to="new~build")


def test_anything_after_an_end_is_broken() -> None:
    """An outcome is one."""
    see = Script(OneLife(table()))
    see("state", "f0", edge="settle", source="new", to="home")
    with pytest.raises(Broken, match="f0 has ended in home"):
        see("intent", "f0", edge="build", attempt=1)


def test_a_blocked_node_has_ended_too() -> None:
    """Until it is resumed."""
    see = Script(OneLife(table()))
    see("blocked", "f0", reason="why")
    with pytest.raises(Broken, match="nothing follows an end"):
        see("state", "f0", edge="build", source="new", to="new~build")


def test_a_state_that_does_not_follow_the_one_before_is_broken() -> None:
    """Nobody jumps."""
    with pytest.raises(Broken, match="f0 was in new"):
        Script(OneLife(table()))("state", "f0", edge="settle", source="joined", to="home")


@pytest.mark.parametrize("wrong", [{"seq": 4}, {"at": -1.0}])
def test_records_out_of_order_are_broken(wrong: dict[str, Any]) -> None:
    """Neither numbers nor time go astray."""
    with pytest.raises(Broken, match="records are in order"):
        Script(OneLife(table()))("signal", signal="s", **wrong)


def test_a_secret_in_any_field_is_broken_and_not_repeated() -> None:
    """The message names the record, not the secret."""
    with pytest.raises(Broken, match="no secret is written") as caught:
        Script(NoSecret(["hunter2"]))("done", "f0", evidence={"deep": ["down", "hunter2!"]})
    assert "hunter2" not in str(caught.value)


def test_a_run_that_leaves_someone_on_the_way_is_broken() -> None:
    """Unless it was stopped."""
    checker = EveryoneEnds(table())
    see = Script(checker)
    see("state", "lead", edge="settle", source="joined", to="home")
    see("blocked", "f0", reason="why")
    see("finished")
    with pytest.raises(Broken, match="f1 in new"):
        checker.end()
    see("stopped")
    checker.end()


class Liar(MemoryJournal):
    """A journal that says durable and is not."""

    async def durable(self, seq: int) -> None:
        return


def test_a_journal_that_lies_about_durability_is_caught() -> None:
    """Although it happens inside an action, it is not taken for a failure of the node."""
    with pytest.raises(Broken, match="has an intent that is not durable"):
        Group(people(2)).run(Liar())


def test_a_checker_that_breaks_ends_the_run_it_watches() -> None:
    """As one plain exception that says where."""
    with pytest.raises(Broken, match="no secret is written"):
        run(people(2), secrets=["lead-joined"])
