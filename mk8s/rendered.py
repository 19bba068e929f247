"""The files that a run writes on each node, kept here for reference: as they are sent, but for the secrets.

The same driver renders them, from the manifest and what was kept. Nothing reads them back. No private
key is among them: a file that is one is left out, in others ``***`` stands for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from mk8s.distros.base import Situation
from mk8s.rollout import Rollout
from mk8s.secrets import HIDDEN
from mk8s.state import StateFolder
from mk8s.steps import WriteFile

__all__ = ["keep_rendered"]


def keep_rendered(rollout: Rollout, state: StateFolder) -> None:
    """Write them to the state folder, one folder a node. Raises Mk8sError when the disk refuses."""
    for node, steps in _written(rollout):
        for step, place in zip(steps, _places(steps), strict=True):
            text = _shown(step, rollout)
            if text is not None:
                _keep(state, state.rendered(node) / place, text.encode())


def _written(rollout: Rollout) -> Iterator[tuple[str, list[WriteFile]]]:
    around, distro = rollout.around, rollout.binding.distro
    for node in rollout.cluster.nodes:
        situation = Situation(
            rollout.cluster, node, None, around.release, around.token, around.kept, around.images
        )
        yield node.name, [step for step in distro.bootstrap(situation) if isinstance(step, WriteFile)]


def _places(steps: Sequence[WriteFile]) -> Iterator[PurePosixPath]:
    """Where each is kept: by its bare name, or by its whole path where several have that name."""
    names = Counter(step.target.name for step in steps)
    for step in steps:
        alone = names[step.target.name] == 1
        yield PurePosixPath(step.target.name) if alone else step.target.relative_to("/")


def _shown(step: WriteFile, rollout: Rollout) -> str | None:
    """The content without its secrets; None where there is nothing else in it, or it is no text."""
    try:
        content = step.content.decode()
    except UnicodeDecodeError:
        if step.secret:
            return None
        content = step.content.decode("utf-8", "replace")
    text = rollout.around.redact(content)
    return None if text != content and text.strip() == HIDDEN else text


def _keep(state: StateFolder, path: Path, content: bytes) -> None:
    """Most files are the same as in the run before: a large cluster has thousands of them."""
    try:
        same = not path.is_symlink() and path.read_bytes() == content
    except OSError:
        same = False
    if not same:
        state.write_private(path, content)
