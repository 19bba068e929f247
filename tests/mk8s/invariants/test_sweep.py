"""Two thousand seeds of fifty nodes with all kinds of fault, and other distros and shapes: nothing breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from tests.mk8s.invariants.sweep import DISTROS, Case, End, drawn, ended, of_fifty

SEEDS, SHARE = 2000, 40  # a test has so many of them, so that they spread over the cores
DRAWN, DRAWN_SHARE = 200, 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def ends(case: Callable[[int], Case], seeds: Iterable[int]) -> list[End]:
    """Every end; the first that is wrong fails the test with its case, which repeats it."""
    found = [ended(case(seed)) for seed in seeds]
    wrong = [f"{end.case}: {end.wrong}" for end in found if end.wrong]
    assert not wrong, "\n".join(wrong)
    return found


@pytest.mark.parametrize("first", range(0, SEEDS, SHARE))
def test_fifty_nodes_with_faults_break_no_invariant(first: int) -> None:
    """Everyone ends in an outcome or blocked, nothing is a bug of ours, and most become healthy."""
    healthy: Counter[str] = Counter()
    for end in ends(of_fifty, range(first, first + SHARE)):
        assert sum(end.states.values()) == 50
        healthy.update(end.states)
    assert healthy["healthy"] > SHARE * 25


@pytest.mark.parametrize("first", range(0, DRAWN, DRAWN_SHARE))
def test_clusters_of_any_distro_and_shape_break_no_invariant(first: int) -> None:
    """Limits, budgets, bandwidth, fan-out and rates of faults drawn as well."""
    found = ends(drawn, range(first, first + DRAWN_SHARE))
    assert {end.case.distro for end in found} == {*DISTROS}
