"""machines.simulation.clock: virtual time, one order for one seed, and nothing left behind."""

from __future__ import annotations

import gc

import pytest
import trio
from trio._core import _run as trio_internals

from machines.simulation import DAY, SimulationStuck, run_simulated, self_test


def test_a_day_passes_in_no_time() -> None:
    """Sleeping moves the clock."""

    async def main() -> float:
        await trio.sleep(DAY)
        return trio.current_time()

    assert run_simulated(main, seed=0) == DAY


def test_one_seed_gives_one_order_and_another_seed_another() -> None:
    """The self-test raises when a new trio no longer keeps to it."""
    self_test()


def test_what_will_never_happen_ends_the_simulation_with_its_seed() -> None:
    """A deadlock would otherwise spin for ever."""
    with pytest.raises(SimulationStuck, match=r"no end after 60 virtual seconds \(seed 9\)"):
        run_simulated(trio.sleep_forever, seed=9, limit=60)


def test_a_timeout_of_the_program_is_its_own_affair() -> None:
    """It is not taken for a simulation that is stuck."""

    async def main() -> None:
        with trio.fail_after(1):
            await trio.sleep(2)

    with pytest.raises(trio.TooSlowError):
        run_simulated(main, seed=0)


def test_trio_is_left_as_it_was() -> None:
    """Also after a failure: the private names belong to trio."""

    async def fail() -> None:
        raise ValueError

    before = trio_internals._r.getstate(), trio_internals._ALLOW_DETERMINISTIC_SCHEDULING
    with pytest.raises(ValueError):
        run_simulated(fail, seed=5)
    assert (trio_internals._r.getstate(), trio_internals._ALLOW_DETERMINISTIC_SCHEDULING) == before


def test_python_looks_for_garbage_as_before_when_a_run_is_over() -> None:
    """Also after one that fails; while it goes on, far more seldom."""
    before, during = gc.get_threshold(), []

    async def main() -> None:
        during.append(gc.get_threshold())
        raise KeyError

    with pytest.raises(KeyError):
        run_simulated(main, seed=1)

    assert gc.get_threshold() == before
    assert during[0][0] > before[0]
