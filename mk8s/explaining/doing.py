"""What an operator can do, as commands that can be pasted. Pure. Never more than three things."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from mk8s.explaining.chains import Root, roots_of
from mk8s.explaining.reasons import Reasons
from mk8s.explaining.scene import Scene
from mk8s.explaining.values import Reason

__all__ = ["to_do"]

MOST = 3
LONG = 0.8  # of an attempt's time: from then on it is worth a look


def to_do(scene: Scene, reasons: Reasons, node: str = "") -> list[str]:
    """For one node, or for the whole cluster. Nothing is to be mended on hosts that a simulation modelled."""
    if scene.simulation is not None:
        return [
            f"move {scene.simulation.journal} {scene.simulation.remedy}: no run goes on from a simulation"
        ]
    if node and reasons.of(node).is_well:
        return ["nothing"]
    if all(reason.is_well for reason in reasons.all()):
        return ["nothing: all are healthy"]
    steps = _for_roots(scene, _roots_behind(node, reasons), node)
    return list(dict.fromkeys([*steps, *_of_the_run(scene, node)]))[:MOST]


def _roots_behind(node: str, reasons: Reasons) -> list[Root]:
    """Those of the node, itself among them where it waits for nobody; all where none is named."""
    roots = roots_of(reasons)
    return [r for r in roots if not node or node in r.group.nodes or node in r.holds_back]


def _for_roots(scene: Scene, roots: list[Root], node: str) -> Iterator[str]:
    for root in roots:
        reason = root.group.reason
        if reason.kind == "failed":
            yield f"mend {_some(root)}: {reason.remedy or 'what went wrong stands above'}".split("\n")[0]
        elif reason.kind == "back-off" and reason.remedy:
            yield f"for {_some(root)}: {reason.remedy}".split("\n")[0]
        elif reason.kind == "gone":
            yield f"put {_some(root)} back into the manifest"
    for root in roots:
        reason = root.group.reason
        if reason.kind in ("working", "back-off", "undoing") and scene.going is not None:
            yield _look(scene, reason, node)


def _some(root: Root) -> str:
    first, *others = root.group.nodes
    return f"{first} and {len(others)} more" if others else first


def _look(scene: Scene, reason: Reason, node: str) -> str:
    """At what is going on: the commands behind it, or its own explanation."""
    if node and reason.node != node:
        return f"mk8s explain {scene.words} {shlex.quote(reason.node)}"
    return f"mk8s journal {scene.words} --node {shlex.quote(reason.node)} --steps --follow"


def _of_the_run(scene: Scene, node: str) -> Iterator[str]:
    if scene.going is None:
        yield f"mk8s run {scene.words}"
    elif not node:
        yield f"mk8s journal {scene.words} --follow"
    else:
        yield f"nothing by itself: the run goes on with it; mk8s explain {scene.words} shows the whole"
