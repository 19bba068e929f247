"""machines.signals and machines.quantities: when a condition of the group has come, or cannot come."""

from __future__ import annotations

import pytest

from machines.quantities import at_least, at_most
from machines.signals import Latched, Lost, Signals, listed
from machines.spec import SignalSpec
from tests.machines.groups import Person

CREW = [Person("a", "cook"), Person("b", "cook"), Person("c", "cook"), Person("d", "guest")]


def signals(at_least: str = "100%", role: str = "cook") -> Signals:
    return Signals({"ready": SignalSpec(role=[role], state="there", at_least=at_least)}, CREW)


@pytest.mark.parametrize(
    ("amount", "total", "need"), [("100%", 3, 3), ("67%", 3, 3), ("50%", 5, 3), ("2", 9, 2), ("33.4%", 3, 2)]
)
def test_a_demand_is_rounded_up(amount: str, total: int, need: int) -> None:
    """Two thirds of three members are all three at 67 %: never fewer than asked for."""
    assert at_least(amount, total) == need


@pytest.mark.parametrize(("amount", "total", "allowed"), [("20%", 10, 2), ("20%", 4, 0), ("1", 4, 1)])
def test_an_allowance_is_rounded_down(amount: str, total: int, allowed: int) -> None:
    """A share must be exceeded, and no fraction of a member may fail."""
    assert at_most(amount, total) == allowed


@pytest.mark.parametrize("amount", ["", "many", "-1", "1/0", "%"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    """The message names what stood there."""
    with pytest.raises(ValueError, match=r"amount|expected a count"):
        at_least(amount, 3)


def test_a_signal_latches_when_enough_members_have_come_and_says_who() -> None:
    """The evidence is what the journal keeps: have, need and the members."""
    sut = signals("2")
    assert sut.reached(CREW[0], "there") == []
    assert sut.reached(CREW[2], "there") == [Latched("ready", {"have": 2, "need": 2, "members": ["a", "c"]})]


def test_members_of_another_role_or_in_another_state_do_not_count() -> None:
    """A condition is over its roles and its state alone."""
    sut = signals("1")
    assert sut.reached(CREW[3], "there") == []
    assert sut.reached(CREW[0], "elsewhere") == []


def test_a_member_that_came_and_then_failed_still_counts() -> None:
    """Level-triggered over what was reached: what has been is not undone by what follows."""
    sut = signals("3")
    sut.reached(CREW[0], "there")
    assert sut.gone(CREW[0]) == []
    sut.reached(CREW[1], "there")
    assert [type(event) for event in sut.reached(CREW[2], "there")] == [Latched]


def test_a_signal_is_lost_as_soon_as_too_few_are_left_and_names_them() -> None:
    """Waiters must not hang, and must read who it was."""
    sut = signals("2")
    assert sut.gone(CREW[1]) == []
    (event,) = sut.gone(CREW[0])
    assert isinstance(event, Lost)
    assert "b, a can no longer come" in event.reason


def test_a_signal_is_settled_only_once() -> None:
    """Latched stays latched, whatever happens to the rest."""
    sut = signals("1")
    sut.reached(CREW[0], "there")
    assert sut.gone(CREW[1]) + sut.gone(CREW[2]) + sut.reached(CREW[1], "there") == []
    assert isinstance(sut.event("ready"), Latched)


def test_a_condition_over_nobody_is_true_at_once() -> None:
    """All of no members have come: a group without servers does not wait for them."""
    assert signals(role="pilot").settle() == [Latched("ready", {"have": 0, "need": 0, "members": []})]


def test_a_condition_that_asks_for_more_than_there_are_is_lost_at_once() -> None:
    """Nobody waits for a fourth cook."""
    (event,) = signals("4").settle()
    assert isinstance(event, Lost)
    assert "there are only 3" in event.reason


def test_what_an_earlier_run_latched_stays_latched() -> None:
    """A resume takes over what was true, without a second record of it."""
    sut = signals()
    sut.restore(["ready", "forgotten"])
    assert isinstance(sut.event("ready"), Latched)
    assert sut.settle() == []


def test_a_long_list_of_names_is_cut_for_people() -> None:
    """A reason stays readable with a thousand members."""
    assert listed(f"n{i}" for i in range(1000)).endswith("n11 and 988 more")
