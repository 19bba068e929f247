"""machines.simulation.faults: which fault, where and when, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines.simulation import FAULT_KINDS, FaultKind, FaultPlan, PlannedFault, ScriptedFault

EVEN: dict[FaultKind, float] = dict.fromkeys(FAULT_KINDS, 0.05)


@given(st.integers(), st.text(), st.text(), st.integers(1, 99))
def test_a_decision_depends_on_its_key_alone(seed: int, node: str, operation: str, attempt: int) -> None:
    """Asked again, or after a thousand others, the answer is the same."""
    plan = FaultPlan(seed, EVEN)
    first = plan.decide(node, operation, attempt)
    plan.decide("another", operation, attempt)
    assert plan.decide(node, operation, attempt) == first


def test_rates_are_kept_over_many_attempts() -> None:
    """Each kind strikes about as often as asked for, at any point of the operation."""
    plan = FaultPlan(1, EVEN)
    faults = [plan.decide(f"n{i}", "build", 1) for i in range(10_000)]
    counts = Counter(fault.kind for fault in faults if fault)
    assert set(counts) == set(FAULT_KINDS)
    assert all(400 < count < 600 for count in counts.values())
    assert all(0 <= fault.fraction < 1 for fault in faults if fault)


def test_a_scripted_fault_strikes_where_it_was_told_to() -> None:
    """And only there."""
    plan = FaultPlan(scripted=(ScriptedFault("n1", "join", "reboot", attempt=2, fraction=0.25),))
    assert plan.decide("n1", "join", 2) == PlannedFault("reboot", 0.25)
    assert [plan.decide(*key) for key in [("n1", "join", 1), ("n1", "build", 2), ("n2", "join", 2)]] == [
        None
    ] * 3


def test_a_star_stands_for_every_node_and_operation() -> None:
    """A whole group with a bad day."""
    plan = FaultPlan(scripted=(ScriptedFault("*", "*", "drop", attempt=None),))
    assert plan.decide("any", "thing", 7) == PlannedFault("drop", 0.5)


@pytest.mark.parametrize(
    "plan", [FaultPlan(1, {"exit": 1.0}, until=50.0), FaultPlan(1, {"exit": 1.0}, until_attempt=3)]
)
def test_faults_end_when_they_are_told_to(plan: FaultPlan) -> None:
    """What follows shows whether everyone recovers."""
    assert plan.decide("n", "op", 3, at=49.0) is not None
    assert plan.decide("n", "op", 4, at=50.0) is None


@pytest.mark.parametrize("rates", [{"gremlins": 0.1}, {"exit": 0.6, "drop": 0.6}, {"exit": -0.1}])
def test_rates_that_make_no_sense_are_refused(rates: dict[FaultKind, float]) -> None:
    """A misspelt kind would otherwise be a fault that never strikes."""
    with pytest.raises(ValueError, match=r"gremlins|chances"):
        FaultPlan(1, rates)
