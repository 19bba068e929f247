"""What a run would do, worked out from the manifest alone. Pure: it connects to nothing.

The steps come from the same driver that a run uses; what a host already has is not known here, so the
plan shows every step, and a run skips those whose check is already true.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from machines import MachineSpec
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Distro, Situation
from mk8s.needs import pretend
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from transports.base import EXEC, Command, File

__all__ = ["EdgePlan", "NodePlan", "make_plan", "plan_as_data", "plan_as_text"]

HIDDEN = "***"
INDENT = "      "


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """One edge of a node's way: its name, its words, what it waits for, its steps."""

    name: str
    title: str
    signal: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class NodePlan:
    node: Node
    edges: tuple[EdgePlan, ...]

    @property
    def bytes_to_send(self) -> int:
        """The most that this node receives: what it has already is not sent again."""
        return sum(s.source.size for e in self.edges for s in e.steps if isinstance(s, Upload))


def make_plan(
    cluster: Cluster,
    distro: Distro,
    machine: MachineSpec,
    release: Mapping[str, File],
    images: tuple[str, ...] = (),
) -> list[NodePlan]:
    """The plan of every node, in the order in which they start. `images`: those that the release holds."""
    kept = pretend(distro.needs(cluster))
    return [
        _node_plan(distro, machine, Situation(cluster, node, None, release, HIDDEN, kept, images))
        for node in cluster.nodes
    ]


def _node_plan(distro: Distro, machine: MachineSpec, situation: Situation) -> NodePlan:
    node = situation.node
    steps = {
        "stage": distro.stage,
        "bootstrap": distro.bootstrap,
        "start": distro.start,
        "join": distro.join,
        "verify": distro.verify,
    }
    edges = [
        EdgePlan(edge.name, edge.title or edge.name, edge.signal or "", tuple(steps[edge.do](situation)))
        for edge in machine.edges
        if edge.do and (not edge.guard or f"is_{node.role}" in edge.guard)
    ]
    return NodePlan(node, tuple(edges))


def plan_as_data(plans: list[NodePlan]) -> list[dict[str, Any]]:
    """The plan as JSON values. Secret contents are left out."""
    return [
        {
            "node": plan.node.name,
            "role": plan.node.role,
            "address": plan.node.address,
            "bytes_to_send": plan.bytes_to_send,
            "edges": [
                {
                    "name": edge.name,
                    "title": edge.title,
                    "signal": edge.signal,
                    "steps": [_step_as_data(step) for step in edge.steps],
                }
                for edge in plan.edges
            ],
        }
        for plan in plans
    ]


def plan_as_text(plans: list[NodePlan], *, commands: bool = False) -> str:
    """The plan for people. Nodes whose steps read the same are shown once, together."""
    groups: dict[str, list[NodePlan]] = {}
    for plan in plans:
        groups.setdefault(_node_as_text(plan, commands), []).append(plan)
    return "\n\n".join(f"{_heading(members)}\n{text}" for text, members in groups.items())


def _heading(members: list[NodePlan]) -> str:
    names = ", ".join(f"{plan.node.name} ({plan.node.address})" for plan in members)
    return f"{members[0].node.role}: {names}"


def _node_as_text(plan: NodePlan, commands: bool) -> str:
    lines: list[str] = []
    for edge in plan.edges:
        after = f", after {edge.signal}" if edge.signal else ""
        lines.append(f"  {edge.title} [{edge.name}]{after}")
        for step in edge.steps:
            lines.append(f"    - {step.title}")
            if commands:
                lines += [INDENT + line for line in _detail(step).splitlines()]
    return "\n".join(lines)


def _detail(step: Step) -> str:
    match step:
        case Upload(source=source, target=target):
            return f"{source.path} -> {target}  ({source.size} bytes, sha256 {source.sha256})"
        case WriteFile(secret=True, target=target, mode=mode):
            return f"{target}, mode {mode:04o}; it holds secrets, so it is not shown"
        case WriteFile(target=target, mode=mode, content=content):
            return f"{target}, mode {mode:04o}:\n" + content.decode("utf-8", "replace")
        case Run(command=command) | WaitFor(command=command):
            return _command_line(command)


def _command_line(command: Command) -> str:
    if command.script == EXEC:
        return "$ " + shlex.join(command.args)
    args = " ".join(shlex.quote(arg) for arg in command.args)
    return f"$ sh -c '…' {args}\n{command.script.strip()}"


def _step_as_data(step: Step) -> dict[str, Any]:
    kind = {Upload: "upload", WriteFile: "write-file", Run: "run", WaitFor: "wait-for"}[type(step)]
    data: dict[str, Any] = {"kind": kind, "title": step.title}
    match step:
        case Upload(source=source, target=target, mode=mode):
            data |= {"source": str(source.path), "target": str(target), "mode": f"{mode:04o}"}
            data |= {"size": source.size, "sha256": source.sha256}
        case WriteFile(target=target, mode=mode, secret=secret, content=content):
            data |= {"target": str(target), "mode": f"{mode:04o}", "secret": secret}
            data |= {} if secret else {"content": content.decode("utf-8", "replace")}
        case Run(command=command) | WaitFor(command=command):
            data |= {"operation": command.operation, "script": command.script, "args": list(command.args)}
    return data
