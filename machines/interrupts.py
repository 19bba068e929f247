"""Ctrl-C, once and twice.

Signals are received by a task. `KeyboardInterrupt` is never relied on: it would leave a nursery
inside an exception group, from wherever it happened to strike.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import trio

from machines.supervisor import Result, Supervisor

__all__ = ["run_with_signals"]


async def run_with_signals(supervisor: Supervisor) -> Result:
    """Run; SIGINT or SIGTERM stops gracefully, a second one at once. Raises what `run` raises.

    `Result.interrupted` says whether there is something left to resume.
    """
    error: Exception | None = None
    result: Result | None = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as arrivals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, arrivals, supervisor)
            try:
                result = await supervisor.run()
            except Exception as raised:  # carried past the nursery, which would wrap it in a group
                error = raised
            nursery.cancel_scope.cancel()
    if error is not None:
        raise error
    if result is None:
        raise trio.TrioInternalError("the run ended without a result")
    return result


async def _obey(arrivals: AsyncIterator[int], supervisor: Supervisor) -> None:
    asked_before = False
    async for _number in arrivals:
        if asked_before:
            supervisor.abort()
        else:
            supervisor.stop()
        asked_before = True
