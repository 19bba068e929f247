"""Verbs that ask end well after a signal: the first one cancels, so that they can clean up."""

from __future__ import annotations

import signal

import pytest
import trio

from mk8s.asking import STOPPING, until_interrupted


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_lets_the_work_clean_up_and_ends_as_an_interrupt(number: signal.Signals) -> None:
    """What is shielded from cancelling is done to its end."""
    cleaned: list[str] = []

    async def work() -> None:
        try:
            signal.raise_signal(number)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
                cleaned.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        trio.run(until_interrupted, work)
    assert cleaned == ["all of it"]


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in STOPPING]

    async def work() -> int:
        await trio.sleep(0)
        return 7

    assert trio.run(until_interrupted, work) == 7
    assert [signal.getsignal(number) for number in STOPPING] == before
