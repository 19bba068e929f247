"""transports.base: what an outcome says of itself."""

from __future__ import annotations

from transports.base import LONGEST_COMPLAINT, Outcome


def test_a_complaint_is_the_last_line_of_stderr() -> None:
    """Or of stdout where stderr is silent, or the status where both are."""
    assert Outcome(status=1, stdout=b"out", stderr=b"first\nlast\n").complaint == "last"
    assert Outcome(status=1, stdout=b"out\n").complaint == "out"
    assert Outcome(status=7).complaint == "exit status 7"


def test_a_complaint_without_an_end_is_cut() -> None:
    """A node may say anything; people read this, and it is journalled."""
    said = Outcome(status=1, stderr=b"x" * 3_000_000 + b"no space").complaint
    assert len(said) == LONGEST_COMPLAINT
    assert said.endswith("no space")
