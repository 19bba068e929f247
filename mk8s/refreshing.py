"""Healthy nodes learn of those that were added: at the beginning of each run, before the engine.

Nothing of it stands in the journal: it changes no node's state, and the next run does it again. A node
that does not answer is told of and stops nobody. Where a distro has nothing to tell, no node is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import anyio

from machines import ActionError
from mk8s.distros.base import Situation
from mk8s.errors import Mk8sError
from mk8s.rollout import Rollout
from mk8s.tables import HEALTHY

__all__ = ["refresh_healthy"]

PATIENCE = 120.0  # seconds for each node; they are told at once, and a dead one is noticed sooner
AGAIN = "the next `mk8s run` tells it again; look whether the machine is up and the way to it is open"


async def refresh_healthy(
    rollout: Rollout, states: Mapping[str, str], patience: float = PATIENCE
) -> list[str]:
    """Tell every node that is healthy by the journal what is new.

    Gives what people should know: a line about those that were changed, and one for each in trouble.
    """
    done: dict[str, str] = {}
    troubles: dict[str, str] = {}

    async def tell(name: str) -> None:
        troubles[name] = _trouble(name, f"no answer within {patience:g} s", "")
        with anyio.move_on_after(patience):
            try:
                report = await rollout.binding.refresh(name)
            except ActionError as error:
                troubles[name] = _trouble(name, str(error), error.failure.remedy)
            except Mk8sError as error:
                troubles[name] = _trouble(name, error.problem, error.remedy)
            else:
                del troubles[name]
                if report.changed:
                    done[name] = "; ".join(report.titles)

    async with anyio.create_task_group() as tasks:
        for name in _to_tell(rollout, states):
            tasks.start_soon(tell, name)
    order = [node.name for node in rollout.cluster.nodes]
    changed = [(name, done[name]) for name in order if name in done]
    return [*_told(changed), *(troubles[name] for name in order if name in troubles)]


def _to_tell(rollout: Rollout, states: Mapping[str, str]) -> Iterable[str]:
    """Healthy nodes for which the distro has anything to say."""
    around = rollout.around
    for node in rollout.cluster.nodes:
        if states[node.name] == HEALTHY:
            situation = Situation(
                rollout.cluster, node, None, around.release, around.token, around.kept, around.images
            )
            if rollout.binding.distro.refresh(situation):
                yield node.name


def _told(changed: list[tuple[str, str]]) -> list[str]:
    nodes = ", ".join(f"{name} ({what})" for name, what in changed)
    noun = "node" if len(changed) == 1 else "nodes"
    return [f"told {len(changed)} healthy {noun} of the new ones: {nodes}"] if changed else []


def _trouble(name: str, reason: str, remedy: str) -> str:
    reason = reason.removeprefix(f"{name}: ")
    return f"{name} could not be told of new nodes: {reason}\n    hint: {remedy or AGAIN}"
