"""mk8s.report.scale: ticks at round times, and labels that do not cover each other."""

from __future__ import annotations

import pytest

from mk8s.amounts import duration, length
from mk8s.report.scale import Scale, spread


@pytest.mark.parametrize(
    ("end", "labels"),
    [
        (4.0, ["0", "0.5 s", "1.0 s", "1.5 s", "2.0 s", "2.5 s", "3.0 s", "3.5 s", "4.0 s"]),
        (45.0, ["0", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s", "35 s", "40 s", "45 s"]),
        (150.0, ["0", "15 s", "30 s", "45 s", "1:00", "1:15", "1:30", "1:45", "2:00", "2:15", "2:30"]),
        (1100.0, ["0", *(f"{minute}:00" for minute in range(2, 20, 2))]),
        (3901.0, ["0", "10:00", "20:00", "30:00", "40:00", "50:00", "1:00:00"]),
        (
            15000.0,
            ["0", "30:00", *(f"{hour}:{half}:00" for hour in (1, 2, 3) for half in ("00", "30")), "4:00:00"],
        ),
    ],
)
def test_ticks_are_at_round_times_and_read_as_any_other_time(end: float, labels: list[str]) -> None:
    """Never more than eleven, whatever the length of the run."""
    assert [tick.label for tick in Scale(end).ticks] == labels


def test_a_run_without_length_has_one_tick() -> None:
    """Such as one that was stopped at once."""
    assert [(tick.share, tick.label) for tick in Scale(0.0).ticks] == [(0.0, "0")]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.001, "<0.01 s"), (0.0096, "<0.01 s"), (0.034, "0.034 s"), (4.25, "4.2 s"),
     (44.4, "44 s"), (125, "2:05"), (4200, "1:10:00")],
)  # fmt: skip
def test_a_length_has_the_digits_that_matter(seconds: float, words: str) -> None:
    """Tenths of a second matter for a step, not for a run."""
    assert length(seconds) == words


@pytest.mark.parametrize("seconds", [21.7, 59.6, 586.9, 3723.5])
def test_a_length_is_the_one_that_the_run_itself_said(seconds: float) -> None:
    """A run that ended with 21 s is not one of 22 s on its page."""
    assert length(seconds) == duration(seconds)


def test_labels_that_would_meet_stand_on_different_lines() -> None:
    """The first line that is free is taken."""
    assert spread([(0.0, 0.2), (0.1, 0.2), (0.25, 0.2), (0.9, 0.1)]) == [0, 1, 0, 0]
