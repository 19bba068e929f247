"""When handing on is worth it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk8s.cluster import FanOut
from mk8s.fanout.plan import Demand, Forecast, Rates, forecast

MB = 10**6
GIGABIT = 125 * MB


def test_a_slow_link_and_many_nodes_make_it_quicker() -> None:
    """One GB to fifty nodes over 100 Mbit/s: over an hour for each node's own copy."""
    seen = forecast([Demand(1000 * MB, 50)], Rates(12.5 * MB, GIGABIT), FanOut())
    assert seen.is_quicker
    assert seen.direct == 50 * 80
    assert seen.fan_out < 4 * 80


def test_a_quick_link_makes_it_needless() -> None:
    """Where this machine sends as fast as all nodes together take it, sending is simpler."""
    assert not forecast([Demand(1000 * MB, 8)], Rates(8 * GIGABIT, GIGABIT), FanOut()).is_quicker


def test_slow_nodes_make_it_slower() -> None:
    """Nodes that hand on more slowly than this machine sends to all of them are no help."""
    assert not forecast([Demand(1000 * MB, 8)], Rates(100 * MB, 5 * MB), FanOut()).is_quicker


@pytest.mark.parametrize("nodes", [1, 2])
def test_two_nodes_are_too_few(nodes: int) -> None:
    """The second would only wait for the first."""
    seen = forecast([Demand(1000 * MB, nodes)], Rates(MB), FanOut())
    assert not seen.is_quicker
    assert seen.fan_out == seen.direct


def test_small_files_are_sent_from_here() -> None:
    """A file of one piece is not handed on."""
    assert not forecast([Demand(MB, 50)], Rates(MB), FanOut()).is_quicker


def test_the_words_name_both_times() -> None:
    """People see what they gain."""
    assert Forecast(21 * 60, 4 * 60, 2).words == "fan-out: 2 seeds, about 4:00 instead of 21:00"
    assert Forecast(7800, 40, 1).words == "fan-out: 1 seed, about 40 s instead of 2:10:00"


def test_a_rate_of_nothing_is_refused() -> None:
    """Nothing can be foretold of a link that carries nothing."""
    with pytest.raises(ValueError, match="above 0"):
        forecast([], Rates(0), FanOut())


@given(st.integers(3, 200), st.floats(1e5, 1e9), st.floats(1e5, 1e9))
def test_the_fan_out_never_beats_the_physical_limit(nodes: int, operator: float, node: float) -> None:
    """One copy through the operator's link is the least there is."""
    seen = forecast([Demand(10**9, nodes)], Rates(operator, node), FanOut())
    assert seen.fan_out >= 10**9 / operator
