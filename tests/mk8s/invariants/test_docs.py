"""docs/invariants.md says what the code does: every law, and every mutant that proves one."""

from __future__ import annotations

import re
from pathlib import Path

from machines.simulation import INVARIANTS
from tests.machines.simulation.mutants import MUTANTS as OF_THE_ENGINE
from tests.mk8s.invariants.test_driver_mutants import MUTANTS as OF_DRIVERS
from tests.mk8s.invariants.test_mutants import MUTANTS as OF_ROLLOUTS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8")


def test_every_invariant_stands_there_in_its_own_words() -> None:
    """Name, claim and reason, in the order of the code."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(law.name, law.claim, law.reason) for law in INVARIANTS]


def test_every_mutant_stands_there_with_the_law_that_notices_it() -> None:
    """And no other."""
    rows = re.findall(r"^\| ([^`|]+) \| `([a-z-]+)` \|$", PAGE, re.MULTILINE)
    engine = [(mutant.broken, mutant.invariant) for mutant in OF_THE_ENGINE]
    rollouts = [(broken, law) for broken, (law, _, _) in OF_ROLLOUTS.items()]
    assert rows == [*engine, *rollouts, *((broken, name) for broken, (name, _) in OF_DRIVERS.items())]


def test_every_test_that_it_names_is_there() -> None:
    """Paths of a whole row stand in full once."""
    for path in re.findall(r"`(tests/[\w/]+\.py)`", PAGE):
        assert (ROOT / path).is_file(), path
