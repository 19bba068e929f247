"""Open a cluster for verbs that ask it and do not run it: real transports, and the cluster's lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from mk8s.project import Project
from mk8s.rollout import Rollout
from mk8s.session import open_journal, real_rollout
from mk8s.state import StateFolder

__all__ = ["ask_cluster"]

T = TypeVar("T")


def ask_cluster(project: Project, state: StateFolder, ask: Callable[[Rollout], Awaitable[T]]) -> T:
    """What `ask` finds out. Takes the cluster's lock meanwhile; makes no keys; closes every connection."""

    async def main(rollout: Rollout) -> T:
        try:
            return await ask(rollout)
        finally:
            await rollout.close()

    with open_journal(state) as journal:
        return trio.run(
            main,
            real_rollout(project, state, journal, {}, make=False),
            restrict_keyboard_interrupt_to_checkpoints=True,  # what has begun is cleaned up after Ctrl-C
        )
