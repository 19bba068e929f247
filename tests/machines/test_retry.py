"""machines.retry: how long to wait before an attempt is repeated."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines.retry import jitter_key, wait_before_retry
from machines.spec import Retry


def clause(**changes: object) -> Retry:
    return Retry(match=["*"], **{"delay": 2.0, "backoff": 3.0, "max_delay": 50.0, **changes})  # type: ignore[arg-type]


def test_without_jitter_the_wait_grows_by_the_backoff_up_to_its_maximum() -> None:
    """delay * backoff ** (tries - 1), at most max_delay."""
    waits = [wait_before_retry(clause(jitter="none"), tries, "key") for tries in (1, 2, 3, 4, 5)]
    assert waits == [2.0, 6.0, 18.0, 50.0, 50.0]


def test_a_million_tries_still_give_a_finite_wait() -> None:
    """The growth must not overflow."""
    assert wait_before_retry(clause(jitter="none"), 1_000_000, "key") == 50.0


@given(st.integers(1, 40), st.text())
def test_equal_jitter_waits_at_least_half(tries: int, key: str) -> None:
    """Equal jitter draws from half of the wait up to all of it."""
    full_wait = wait_before_retry(clause(jitter="none"), tries, key)
    assert full_wait / 2 <= wait_before_retry(clause(jitter="equal"), tries, key) <= full_wait


@given(st.integers(1, 40), st.text())
def test_full_jitter_never_waits_longer_than_the_plain_wait(tries: int, key: str) -> None:
    """Full jitter draws from nothing up to all of the wait."""
    assert (
        0 <= wait_before_retry(clause(), tries, key) <= wait_before_retry(clause(jitter="none"), tries, key)
    )


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_jitter_depends_on_its_key_alone(hash_seed: str) -> None:
    """Another process with another hash seed waits the same time for the same key."""
    code = (
        "from machines.retry import *; from machines.spec import Retry;"
        "print(wait_before_retry(Retry(match=['*']), 3, jitter_key(7, 'n1', 'join', 3)))"
    )
    env = {"PYTHONHASHSEED": hash_seed}
    answer = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert float(answer.stdout) == wait_before_retry(Retry(match=["*"]), 3, jitter_key(7, "n1", "join", 3))


def test_nodes_of_one_seed_wait_differently() -> None:
    """Jitter spreads them, or they would all come back at the same moment."""
    waits = {wait_before_retry(clause(), 3, jitter_key(1, f"n{i}", "join", 3)) for i in range(20)}
    assert len(waits) == 20
