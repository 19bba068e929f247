"""Bytes, rates and times left: pure, with times as arguments."""

from __future__ import annotations

from pathlib import Path

from mk8s.traffic import Moving, Rate, Traffic
from transports.base import File

MIB = 1 << 20
IMAGES = File(Path("images.tar"), 800 * MIB, "a" * 64)
BINARY = File(Path("rke2"), 50 * MIB, "b" * 64)


def test_how_far_a_file_is_in_words() -> None:
    """With its rate and the time left while it moves; without them at the end, and where nothing moves."""
    assert Moving(38 * MIB, 800 * MIB, 12.1 * MIB).words == "38.0 MiB of 800.0 MiB, 12.1 MiB/s, 1:03 left"
    assert Moving(800 * MIB, 800 * MIB, 12.1 * MIB).words == "800.0 MiB of 800.0 MiB"
    assert Moving(0, 800 * MIB).words == "0 B of 800.0 MiB"


def test_a_rate_is_that_of_the_last_seconds() -> None:
    """A line that got slow shows within ten seconds; one that stands still shows nothing."""
    rate = Rate(0.0)
    for second in range(1, 21):
        rate.add(100 if second <= 10 else 10, float(second))

    assert rate.at(20.0) == (100 + 10 * 10) / 10
    assert rate.at(40.0) == 0


def test_what_was_there_already_is_done_and_no_rate() -> None:
    """On one node half a file; the other half comes in ten seconds."""
    traffic = Traffic()
    traffic.told("a", "/x", IMAGES, 400 * MIB, 0.0, begins=True)
    traffic.told("a", "/x", IMAGES, 500 * MIB, 10.0, begins=False)

    assert traffic.total(10.0) == Moving(500 * MIB, 800 * MIB, 10 * MIB)


def test_a_run_counts_what_all_nodes_will_want() -> None:
    """Also those of which nothing was heard yet; each file once, however often its delivery begins."""
    traffic = Traffic(lambda: {IMAGES.sha256: (IMAGES, 3), BINARY.sha256: (BINARY, 3)})
    assert traffic.total(0.0) is None

    traffic.told("a", "/x", IMAGES, 0, 0.0, begins=True)
    traffic.told("a", "/x", IMAGES, 80 * MIB, 10.0, begins=False)
    traffic.told("a", "/x", IMAGES, 79 * MIB, 11.0, begins=True)
    traffic.told("b", "/x", IMAGES, IMAGES.size, 11.0, begins=True)
    moving = traffic.total(11.0)

    assert moving is not None
    assert (moving.done, moving.size) == (879 * MIB, 3 * 850 * MIB)
    assert moving.rate == 8 * MIB


def test_a_file_that_nobody_expected_counts_too() -> None:
    """Such as one that a node lost after it was staged."""
    traffic = Traffic()
    traffic.told("a", "/y", BINARY, 0, 0.0, begins=True)

    assert traffic.total(1.0) == Moving(0, BINARY.size)
