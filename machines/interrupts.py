"""Ctrl-C, once and twice.

Signals are received by a task. `KeyboardInterrupt` is never relied on: it would leave a nursery
inside an exception group, from wherever it happened to strike.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from functools import partial

import trio

from machines.beside import run_beside
from machines.supervisor import Result, Supervisor

__all__ = ["run_with_signals"]


async def run_with_signals(supervisor: Supervisor) -> Result:
    """Run; SIGINT or SIGTERM stops gracefully, a second one at once. Raises what `run` raises.

    `Result.interrupted` says whether there is something left to resume.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as arrivals:
        return await run_beside(partial(_obey, arrivals, supervisor), supervisor.run)


async def _obey(arrivals: AsyncIterator[int], supervisor: Supervisor) -> None:
    asked_before = False
    async for _number in arrivals:
        if asked_before:
            supervisor.abort()
        else:
            supervisor.stop()
        asked_before = True
