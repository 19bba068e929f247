"""The plan as JSON values: stable keys, listed in docs/plan.md. Secret contents are left out. Pure.

Begin reading at `plan_as_data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mk8s.forecast.basis import basis_as_data
from mk8s.forecast.predicting import Forecast, PathLeg, Range
from mk8s.planning.expected import Expected, expected_of
from mk8s.planning.values import EdgePlan, Look, NodePlan, Plan, StepPlan
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from mk8s.transcript import StepDone
from mk8s.working import KINDS

__all__ = ["FORMAT", "plan_as_data"]

FORMAT = 2  # 1 was a bare list of nodes
FACTS = ("hostname", "arch", "kernel", "os_id", "os_version", "memory", "free")


def plan_as_data(plan: Plan) -> dict[str, Any]:
    """All of it. Seconds are those of the run, sizes are bytes; what is not known is null."""
    spans = expected_of(plan.forecast)
    return {
        "format": FORMAT,
        "cluster": plan.cluster.name,
        "nodes": [_node(node, spans) for node in plan.nodes],
        "forecast": None if plan.forecast is None else _forecast(plan.forecast),
        "assumed_sizes": dict(plan.stock.assumed),
        "notes": list(plan.notes),
    }


def _node(plan: NodePlan, spans: Mapping[tuple[str, str], Expected]) -> dict[str, Any]:
    return {
        "node": plan.node.name,
        "role": plan.node.role,
        "address": plan.node.address,
        "state": plan.state,
        "nothing_to_do": plan.nothing_to_do,
        "bytes_to_send": plan.bytes_to_send,
        "done": list(plan.done),
        "found": None if plan.look is None else _look(plan.look),
        "edges": [_edge(edge, spans.get((plan.node.name, edge.name))) for edge in plan.edges],
    }


def _look(look: Look) -> dict[str, Any]:
    return {
        "error": look.error,
        "remedy": look.remedy,
        "unfit": look.unfit,
        "healthy": None if look.health is None else look.health.met,
        "facts": None if look.facts is None else {key: getattr(look.facts, key) for key in FACTS},
        "drift": [{"title": step.title, "why": seen.why, "diff": seen.diff} for step, seen in look.drift],
    }


def _edge(edge: EdgePlan, expected: Expected | None) -> dict[str, Any]:
    times = expected.of(edge) if expected else [None] * len(edge.steps)
    return {
        "name": edge.name,
        "title": edge.title,
        "signal": edge.signal,
        "begins": expected.began if expected else None,
        "ends": expected.ended if expected else None,
        "steps": [_step(step, done) for step, done in zip(edge.steps, times, strict=True)],
    }


def _step(plan: StepPlan, done: StepDone | None) -> dict[str, Any]:
    look = plan.look
    return {
        "kind": KINDS[type(plan.step)],
        "title": plan.step.title,
        "standing": look.standing,
        "why": look.why,
        "there": look.there,
        "diff": look.diff,
        "seconds": done.seconds if done else None,
        **_content(plan.step),
    }


def _content(step: Step) -> dict[str, Any]:
    match step:
        case Upload(source=source, target=target, mode=mode):
            return {
                "source": str(source.path), "target": str(target), "mode": f"{mode:04o}",
                "size": source.size, "sha256": source.sha256,
            }  # fmt: skip
        case WriteFile(target=target, mode=mode, secret=secret, content=content):
            about = {"target": str(target), "mode": f"{mode:04o}", "secret": secret}
            return about if secret else {**about, "content": content.decode("utf-8", "replace")}
        case Run(command=command) | WaitFor(command=command):
            return {
                "operation": command.operation, "script": command.script, "args": list(command.args),
            }  # fmt: skip


def _forecast(seen: Forecast) -> dict[str, Any]:
    return {
        "seeds": seen.seeds,
        "middle_seed": seen.middle_seed,
        "ends": _range(seen.ends),
        "to_ha": _range(seen.to_ha),
        "to_all": _range(seen.to_all),
        "rests_on": seen.source,
        "basis": basis_as_data(seen.basis),
        "bytes": {
            "from_here": seen.from_here,
            "from_nodes": seen.from_nodes,
            "by_node": {name: asdict(moved) for name, moved in seen.moved.items()},
        },
        "bounds": [asdict(bound) for bound in seen.bounds],
        "troubles": dict(seen.troubles),
        "critical_path": [_leg(leg) for leg in seen.path],
    }


def _range(found: Range | None) -> dict[str, float] | None:
    return None if found is None else asdict(found)


def _leg(leg: PathLeg) -> dict[str, Any]:
    return {
        "node": leg.node,
        "edge": leg.edge,
        "title": leg.title,
        "begins": leg.began,
        "ends": leg.ended,
        "after": leg.after,
        "steps": [{"title": step.title, "kind": step.kind, "seconds": step.seconds} for step in leg.steps],
    }
