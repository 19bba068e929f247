"""Ctrl-C, once and twice; a terminal that goes away counts as one.

Signals are received by a task. `KeyboardInterrupt` is never relied on: it would leave a nursery
inside an exception group, from wherever it happened to strike.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from functools import partial

import trio

from machines.beside import run_beside
from machines.supervisor import Result, Supervisor

__all__ = ["run_with_signals"]


async def run_with_signals(supervisor: Supervisor, told: Callable[[bool], None] | None = None) -> Result:
    """Run; SIGINT, SIGTERM or SIGHUP stops gracefully, a second one at once. Raises what `run` raises.

    `told` is called at each, with whether it is to be at once: somebody waits for a sign of life.
    `Result.interrupted` says whether there is something left to resume.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as arrivals:
        return await run_beside(partial(_obey, arrivals, supervisor, told or _silently), supervisor.run)


async def _obey(arrivals: AsyncIterator[int], supervisor: Supervisor, told: Callable[[bool], None]) -> None:
    asked_before = False
    async for _number in arrivals:
        if asked_before:
            supervisor.abort()
        else:
            supervisor.stop()
        told(asked_before)
        asked_before = True


def _silently(_at_once: bool) -> None:
    """Nobody is to be told."""
