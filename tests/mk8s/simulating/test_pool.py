"""mk8s.simulating.pool: the same work for many seeds on several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable

import pytest

from mk8s.simulating.pool import PoolError, over_seeds


def squares() -> Callable[[int], int]:
    return _square


def _square(seed: int) -> int:
    return seed * seed


def deadly() -> Callable[[int], str]:
    return _dies_at_three


def _dies_at_three(seed: int) -> str:
    if seed == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"answered {seed}"


def hopeless() -> Callable[[int], str]:
    raise OSError("there is no such manifest")


class Impatient:
    """Presses Ctrl-C while a process is being started: that is when it is made ready for its journey."""

    def __call__(self) -> Callable[[int], int]:
        return _square

    def __reduce__(self) -> tuple[type, tuple[()]]:
        os.kill(os.getpid(), signal.SIGINT)
        return Impatient, ()


def _lost_number(seed: int, _said: str) -> int:
    return -seed


def _lost(seed: int, said: str) -> str:
    return f"lost {seed}: {said}"


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_every_seed_has_one_answer_with_any_number_of_jobs(jobs: int) -> None:
    """The order is nobody's promise."""
    answers = list(over_seeds(squares, range(20), jobs=jobs, lost=_lost_number))
    assert sorted(answers) == [seed * seed for seed in range(20)]


def test_a_process_that_dies_costs_the_one_seed_that_it_was_at() -> None:
    """And says by what it died."""
    answers = list(over_seeds(deadly, range(8), jobs=2, lost=_lost))
    assert sorted(answers) == sorted(
        [f"answered {seed}" for seed in range(8) if seed != 3]
        + ["lost 3: its process ended with signal SIGKILL"]
    )


def test_work_that_cannot_begin_ends_all_with_its_reason() -> None:
    """Every process would fail alike."""
    with pytest.raises(PoolError, match="there is no such manifest"):
        list(over_seeds(hopeless, range(8), jobs=2, lost=_lost))


def test_who_stops_listening_leaves_no_process_behind() -> None:
    """As Ctrl-C does in the middle of a thousand runs."""
    answers = over_seeds(squares, range(1000), jobs=2, lost=_lost_number)
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert multiprocessing.active_children() == []


def test_ctrl_c_while_a_process_is_started_is_heard_and_leaves_no_process_behind() -> None:
    """The new process has to be deaf to it, its owner never is."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(over_seeds(Impatient(), range(1000), jobs=2, lost=_lost_number))
    finally:
        signal.signal(signal.SIGINT, before)
    assert multiprocessing.active_children() == []
