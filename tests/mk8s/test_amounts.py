"""Amounts as people say them."""

from __future__ import annotations

import pytest

from mk8s.amounts import bytes_in_words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (850 << 20, "850.0 MiB"), (3 << 40, "3072.0 GiB")],
)
def test_bytes_read_in_a_fitting_unit(count: int, words: str) -> None:
    """Never more than the unit's next, up to GiB."""
    assert bytes_in_words(count) == words
