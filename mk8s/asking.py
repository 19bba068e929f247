"""Open a cluster for verbs that ask it and do not run it: real transports, and the cluster's lock."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from mk8s.project import Project
from mk8s.rollout import Rollout
from mk8s.session import open_journal, real_rollout, states_in
from mk8s.state import StateFolder

__all__ = ["ask_cluster", "until_interrupted"]

T = TypeVar("T")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ask_cluster(project: Project, state: StateFolder, ask: Callable[[Rollout], Awaitable[T]]) -> T:
    """What `ask` finds out. Takes the cluster's lock meanwhile; makes no keys; closes every connection.

    Raises KeyboardInterrupt after a signal, when what `ask` cleans up is done; UsageError, and asks nobody,
    when the folder is another cluster's.
    """

    async def main(rollout: Rollout) -> T:
        try:
            return await until_interrupted(lambda: ask(rollout))
        finally:
            await rollout.close()

    with open_journal(state) as journal:
        states_in(journal, project.cluster)
        return trio.run(main, real_rollout(project, state, journal, {}, make=False))


async def until_interrupted(work: Callable[[], Awaitable[T]]) -> T:
    """Do the work; the first signal cancels it, so that it can clean up. A second one is not held back."""
    with trio.CancelScope() as scope, _cancelled_by_signals(scope):
        return await work()
    raise KeyboardInterrupt


@contextmanager
def _cancelled_by_signals(scope: trio.CancelScope) -> Iterator[None]:
    token = trio.lowlevel.current_trio_token()
    before = {number: signal.getsignal(number) for number in STOPPING}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(_number: int, _frame: object) -> None:
        put_back()
        token.run_sync_soon(scope.cancel)

    for number in STOPPING:
        signal.signal(number, stop)
    try:
        yield
    finally:
        put_back()
