"""machines.budgets: how many of a role may fail."""

from __future__ import annotations

from machines.budgets import Budgets
from tests.machines.groups import Person

TEN = [Person(f"n{i}", "agent") for i in range(10)]


def test_the_failure_after_the_allowed_ones_spends_the_budget_and_says_who_failed() -> None:
    """20 % of ten may fail; the third is one too many."""
    budgets = Budgets({"agent": "20%"}, TEN)
    assert budgets.failed(TEN[0]) is None
    assert budgets.failed(TEN[1]) is None
    assert budgets.spent("agent") is None
    spent = budgets.failed(TEN[2])
    assert spent is not None
    assert "2 may fail, 3 did (n0, n1, n2)" in spent.reason
    assert budgets.spent("agent") is spent


def test_a_budget_is_spent_once() -> None:
    """The news comes once, however many follow."""
    budgets = Budgets({"agent": "0"}, TEN)
    assert budgets.failed(TEN[0]) is not None
    assert budgets.failed(TEN[1]) is None


def test_the_same_member_failing_twice_counts_once() -> None:
    """A budget is over members."""
    budgets = Budgets({"agent": "1"}, TEN)
    assert budgets.failed(TEN[0]) is None
    assert budgets.failed(TEN[0]) is None
    assert budgets.spent("agent") is None


def test_a_role_without_a_budget_may_fail_to_the_last_member() -> None:
    """Absent is unlimited."""
    budgets = Budgets({"server": "0"}, TEN)
    assert [budgets.failed(member) for member in TEN] == [None] * 10
    assert budgets.spent("agent") is None
