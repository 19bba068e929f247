"""Ask the nodes themselves whether they are healthy now. Changes nothing on any of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from mk8s.project import Project
from mk8s.rollout import Rollout
from mk8s.session import open_journal, real_rollout
from mk8s.state import StateFolder
from mk8s.steps import Verdict

__all__ = ["audit", "audit_now"]

PATIENCE = 120.0  # seconds for each node; they are asked at once


def audit(
    rollout: Rollout, *, first: Callable[[], Awaitable[None]] | None = None, fetch_kubeconfig: bool = False
) -> dict[str, Verdict]:
    """Every node's answer, by name. With `fetch_kubeconfig` it is read again where the primary is well.

    `first` is done over the same connections, before the nodes are asked.
    """

    async def main() -> dict[str, Verdict]:
        try:
            if first:
                await first()
            verdicts = await rollout.audit(PATIENCE)
            if fetch_kubeconfig:
                await rollout.fetch_kubeconfig(verdicts)
            return verdicts
        finally:
            await rollout.close()

    return trio.run(main)


def audit_now(project: Project, state: StateFolder) -> dict[str, Verdict]:
    """The same for a verb that has no rollout open yet. Takes the cluster's lock meanwhile."""
    with open_journal(state) as journal:
        return audit(real_rollout(project, state, journal, {}, make=False))
