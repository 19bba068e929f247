"""Ask the nodes themselves whether they are healthy now. Changes nothing on any of them."""

from __future__ import annotations

import trio

from mk8s.errors import Mk8sError
from mk8s.project import Project
from mk8s.rollout import Rollout
from mk8s.session import open_journal, real_rollout
from mk8s.state import StateFolder
from mk8s.steps import Verdict

__all__ = ["audit", "audit_now"]

PATIENCE = 120.0  # seconds for all nodes together; they are asked at once


def audit(rollout: Rollout) -> dict[str, Verdict]:
    """Every node's answer, by name. Raises Mk8sError when they do not all answer in time."""

    async def main() -> dict[str, Verdict]:
        try:
            with trio.fail_after(PATIENCE):
                return await rollout.audit()
        finally:
            await rollout.close()

    try:
        return trio.run(main)
    except trio.TooSlowError:
        raise Mk8sError(f"the nodes did not all answer within {PATIENCE:g} s", remedy="try again") from None


def audit_now(project: Project, state: StateFolder) -> dict[str, Verdict]:
    """The same for a verb that has no rollout open yet. Takes the cluster's lock meanwhile."""
    with open_journal(state) as journal:
        return audit(real_rollout(project, state, journal, {}))
