"""The files that a run writes on each node, kept here for reference: as they are sent, but for the secrets.

The same driver renders them, from the manifest alone. Nothing reads them back.
"""

from __future__ import annotations

from collections.abc import Iterator

from mk8s.distros.base import Situation
from mk8s.rollout import Rollout
from mk8s.state import StateFolder
from mk8s.steps import WriteFile

__all__ = ["keep_rendered"]


def keep_rendered(rollout: Rollout, state: StateFolder) -> None:
    """Write them to the state folder, one folder a node. Raises Mk8sError when the disk refuses."""
    for node, step in _written(rollout):
        content = rollout.around.redact(step.content.decode("utf-8", "replace"))
        state.write_private(state.rendered(node) / step.target.name, content.encode())


def _written(rollout: Rollout) -> Iterator[tuple[str, WriteFile]]:
    around, distro = rollout.around, rollout.binding.distro
    for node in rollout.cluster.nodes:
        situation = Situation(
            rollout.cluster, node, None, around.release, around.token, around.kept, around.images
        )
        for step in distro.bootstrap(situation):
            if isinstance(step, WriteFile):
                yield node.name, step
