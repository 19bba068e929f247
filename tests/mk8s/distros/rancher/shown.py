"""A driver's steps as text for golden files, and all that it can send, for the tests of both engines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mk8s.cluster import Cluster
from mk8s.distros.base import Distro, Question, Situation
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from tests.mk8s.distros.situations import commands_of, situation
from transports.base import EXEC, Command

__all__ = ["compare", "every_command", "every_situation", "every_step", "rendered"]

GOLDEN = Path(__file__).parent.parent / "golden"


def compare(name: str, text: str) -> tuple[str, str]:
    """The text and the golden file of that name, which UPDATE_GOLDEN=1 writes anew."""
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    return text, golden.read_text(encoding="utf-8")


def rendered(distro: Distro, cluster: Cluster, usr_local: str = "writable") -> Iterator[str]:
    for node in cluster.nodes:
        yield f"== {node.name}, {node.role}"
        yield from _node(distro, situation(cluster, node, distro, usr_local=usr_local))


def _node(distro: Distro, s: Situation) -> Iterator[str]:
    edges = {
        "stage": distro.stage,
        "bootstrap": distro.bootstrap,
        "start" if s.node.role == "primary" else "join": distro.start
        if s.node.role == "primary"
        else distro.join,
        "verify": distro.verify,
        "stop_unit": distro.stop_unit,
    }
    for name, steps in edges.items():
        yield f"  {name}"
        for step in steps(s):
            yield from (f"    {line}" for line in _step(step))
    yield "  has_joined"
    for question in distro.has_joined(s):
        yield f"    ask {question.title}: {_command(question.command)}{_on(question)}"


def _step(step: Step) -> Iterator[str]:
    match step:
        case Upload(source=source, target=target, mode=mode):
            yield f"upload {source.path} -> {target} {mode:04o}"
        case WriteFile(target=target, mode=mode, secret=secret, content=content):
            yield f"write {target} {mode:04o}{' secret' if secret else ''}"
            lines = content.decode().splitlines()
            shown = lines[1:2] if lines and lines[0].startswith("#!") else lines  # scripts are run elsewhere
            yield from (f"  | {line}" for line in shown)
        case Run(title=title, command=command, check=check):
            yield f"run {title}: {_command(command)}"
            if check:
                yield f"  unless {_command(check)}"
        case WaitFor(title=title, command=command, interval=interval):
            yield f"wait {title}, every {interval:g} s: {_command(command)}{_on(step)}"


def _on(step: WaitFor | Question) -> str:
    return f" on {step.on}" if step.on else ""


def _command(command: Command) -> str:
    words = command.args if command.script == EXEC else (command.operation, *command.args)
    return " ".join(words)


def every_situation(distro: Distro, clusters: Iterable[Cluster]) -> Iterator[Situation]:
    """Each node of each cluster, looked at and not."""
    for cluster in clusters:
        for node in cluster.nodes:
            looked_at = situation(cluster, node, distro)
            yield looked_at
            yield replace(looked_at, facts=None)


def every_step(distro: Distro, s: Situation) -> list[Step]:
    edges = (
        distro.stage,
        distro.bootstrap,
        distro.start,
        distro.join,
        distro.verify,
        distro.refresh,
        distro.stop_unit,
    )
    return [step for edge in edges for step in edge(s)]


def begun_early(distro: Distro, situations: Iterable[Situation]) -> set[str]:
    """What is run before anything may be started."""
    return {
        step.command.operation
        for s in situations
        for step in (*distro.stage(s), *distro.bootstrap(s))
        if isinstance(step, Run)
    }


def every_command(distro: Distro, situations: Iterable[Situation]) -> Iterator[Command]:
    """Whatever the driver can send to a node."""
    for s in situations:
        yield from commands_of(distro, s, every_step(distro, s))
