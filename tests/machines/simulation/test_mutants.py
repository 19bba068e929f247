"""Each invariant can fail: an engine that is broken on purpose is caught, and by the intended one."""

from __future__ import annotations

import pytest

from machines.simulation import INVARIANTS, Broken
from machines.supervisor import Supervisor
from tests.machines.simulation.mutants import MUTANTS, SECRET, Mutant

OF_THE_WORLD = {
    "one-cluster",
    "one-learner",
    "well-first",
    "world-sound",
}  # their mutants stand in tests/mk8s/invariants


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.broken.replace(" ", "-"))
def test_a_broken_engine_is_caught_by_the_intended_invariant(mutant: Mutant) -> None:
    """The first breach is of the law that the mutant breaks, and no other one comes before it."""
    with pytest.raises(Broken) as caught:
        mutant.run()
    assert caught.value.invariant == mutant.invariant
    assert caught.value.evidence
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "mutant",
    [each for each in MUTANTS if each.engine is not Supervisor],
    ids=lambda mutant: mutant.broken.replace(" ", "-"),
)
def test_the_same_group_on_the_real_engine_breaks_nothing(mutant: Mutant) -> None:
    """Or the test above would show nothing but a strange group."""
    mutant.run(engine=Supervisor)


def test_every_invariant_of_the_engine_is_proven_by_a_mutant() -> None:
    """A law that nothing can break is no law."""
    assert {mutant.invariant for mutant in MUTANTS} == {law.name for law in INVARIANTS} - OF_THE_WORLD
