"""An explanation as JSON values: stable keys, listed in docs/explain.md. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mk8s.explaining.chains import Group, chain_of, grouped, roots_of
from mk8s.explaining.doing import to_do
from mk8s.explaining.reasons import Reasons
from mk8s.explaining.scene import Scene
from mk8s.explaining.values import Reason

__all__ = ["cluster_as_data", "node_as_data", "reason_as_data"]


def node_as_data(node: str, scene: Scene, reasons: Reasons) -> dict[str, Any]:
    """One node, with everyone that it waits for, layer by layer."""
    return {
        **_run(scene),
        **reason_as_data(reasons.of(node)),
        "because": [[_group(group) for group in layer] for layer in chain_of(node, reasons)],
        "do": to_do(scene, reasons, node),
    }


def cluster_as_data(scene: Scene, reasons: Reasons) -> dict[str, Any]:
    """Roots, groups and every node's own reason."""
    every = reasons.all()
    roots = roots_of(reasons)
    return {
        **_run(scene),
        "cluster": scene.cluster.name,
        "healthy": sum(reason.is_well for reason in every),
        "roots": [{**_group(root.group), "holds_back": list(root.holds_back)} for root in roots],
        "groups": [_group(group) for group in grouped(every)],
        "nodes": [reason_as_data(reason) for reason in every],
        "do": to_do(scene, reasons),
    }


def reason_as_data(reason: Reason) -> dict[str, Any]:
    """One node's reason."""
    data = asdict(reason)
    del data["plural"]
    return data


def _run(scene: Scene) -> dict[str, Any]:
    return {
        "run": {
            "goes_on": scene.going is not None,
            "finished": scene.history.finished,
            "simulated": scene.simulation is not None,
            "at": scene.history.at,
            "now": scene.now if scene.is_now_known else None,
        }
    }


def _group(group: Group) -> dict[str, Any]:
    reason = group.reason
    return {
        "kind": reason.kind,
        "words": reason.words,
        "nodes": list(group.nodes),
        "behind": list(reason.behind),
    }
