"""Amounts as people say them."""

from __future__ import annotations

import pytest

from mk8s.amounts import bytes_in_words, duration, time_left


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (850 << 20, "850.0 MiB"), (3 << 40, "3072.0 GiB")],
)
def test_bytes_read_in_a_fitting_unit(count: int, words: str) -> None:
    """Never more than the unit's next, up to GiB."""
    assert bytes_in_words(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1:00"), (971.6, "16:11"), (4200, "1:10:00")]
)
def test_a_second_of_a_run_is_told_as_a_clock_tells_it(seconds: float, words: str) -> None:
    """Whole seconds that are over: the same in the plan, the simulation, the journal and on each page."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.2, "1 s"),
        (59, "59 s"),
        (59.1, "1:00"),
        (63, "1:03"),
        (3599, "59:59"),
        (7500, "2:05:00"),
    ],
)
def test_time_that_is_left_is_written_as_any_other_and_never_too_short(seconds: float, words: str) -> None:
    """A begun second counts: whoever waits for 0.2 s more is not told that nothing is left."""
    assert time_left(seconds) == words
