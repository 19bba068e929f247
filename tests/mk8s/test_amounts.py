"""Amounts as people say them."""

from __future__ import annotations

import pytest

from mk8s.amounts import bytes_in_words, duration


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
