"""Preflight done: every node asked at once, the release looked into, all checks over what came back.

The only module here that waits for nodes or reads files. It changes nothing anywhere. A node that says
nothing within the patience is told as not asked, so one dead machine costs a run that long and no more;
meanwhile it is said who is waited for (`waiting`). Those that answered are asked a second question: what
they see of each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from machines.beside import run_beside
from machines.errors import ActionError, Failure
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro, Requirements, Situation
from mk8s.executor import Executor
from mk8s.images import IMAGES, image_names, is_cut
from mk8s.needs import pretend
from mk8s.preflight.base import Host, ReleaseView, Scene
from mk8s.preflight.checks import findings
from mk8s.preflight.found import Found, Reached
from mk8s.preflight.gathering import gather
from mk8s.preflight.planning import attempts, command_for
from mk8s.preflight.reaching import read_reached
from mk8s.preflight.reading import read
from mk8s.preflight.report import Report
from mk8s.preflight.rights import refusal
from mk8s.preflight.versions import version_faults
from mk8s.preflight.waiting import Waiting
from mk8s.release import Inspection
from mk8s.secrets import HIDDEN
from mk8s.steps import Upload
from transports.base import Command, Outcome

__all__ = ["Answers", "ask_all", "look_around", "preflight", "view_release", "wants_of"]

PATIENCE = 20.0  # seconds that a node may take to answer, connecting included
AT_ONCE = 64  # nodes that are asked at the same time
LARGEST_APPLIED = 16 << 20  # bytes that are read of one file of manifests
SHARP = 1.0  # seconds: a slower answer says little about the clock, and is asked for again


@dataclass(slots=True)
class Answers:
    """What came back, by the node's name: an answer, or why there is none."""

    found: dict[str, Found] = field(default_factory=dict)
    unasked: dict[str, str] = field(default_factory=dict)
    remedies: dict[str, str] = field(default_factory=dict)  # of those who were not asked
    refused: dict[str, Failure] = field(default_factory=dict)  # root's rights


async def preflight(
    executor: Executor,
    cluster: Cluster,
    distro: Distro,
    states: Mapping[str, str],
    release: ReleaseView,
    *,
    patience: float = PATIENCE,
    now: Callable[[], float] = time.time,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Ask every node at once, and judge. `states`: where nodes are by the journal.

    `say` is told of nodes that keep the rest waiting.
    """
    wants = wants_of(cluster, distro)
    waiting = Waiting(say, patience)
    ask = partial(ask_all, executor, wants, patience=patience, now=now, waiting=waiting)
    answers = await run_beside(waiting.tell, ask)
    refused = {name: refusal(failure, cluster, name) for name, failure in answers.refused.items()}
    to_stage = _bytes_to_stage(cluster, distro, release.inspection)
    hosts = tuple(
        Host(
            node,
            answers.found[node.name],
            wants[node.name],
            states.get(node.name, "pending"),
            to_stage.get(node.name, 0),
        )
        for node in cluster.nodes
        if node.name in answers.found
    )
    around = Scene(cluster, hosts, answers.unasked, answers.remedies, refused, wants, release)
    scene = await look_around(executor, around)
    return Report(tuple(findings(scene)), tuple(node.name for node in cluster.nodes))


async def ask_all(
    executor: Executor,
    wants: Mapping[str, Requirements],
    *,
    patience: float,
    now: Callable[[], float],
    waiting: Waiting,
) -> Answers:
    """Ask all nodes at once; a node's patience begins when its turn comes. `waiting` knows who is asked."""
    answers = Answers()
    turns = anyio.CapacityLimiter(AT_ONCE)

    async def ask(name: str) -> None:
        answers.unasked[name] = f"no answer within {patience:g} s"
        async with turns:
            with waiting.on(name), anyio.move_on_after(patience):
                try:
                    answers.found[name] = await _look_at(executor, name, wants[name], now)
                except (ActionError, ValueError) as error:
                    answers.unasked[name] = executor.redact(str(error))
                    if isinstance(error, ActionError):
                        answers.remedies[name] = executor.redact(error.failure.remedy)
                        if "sudo" in error.failure.lineage:
                            answers.refused[name] = error.failure
        if name in answers.found or name in answers.refused:
            del answers.unasked[name]

    async with anyio.create_task_group() as tasks:
        for name in wants:
            tasks.start_soon(ask, name)
    return answers


async def _look_at(executor: Executor, node: str, wants: Requirements, now: Callable[[], float]) -> Found:
    """One answer, or a second one where the first took long: it had to connect, and clocks were compared."""
    found = await _ask_once(executor, node, wants, now)
    if found.moment and found.moment.after - found.moment.before > SHARP:
        found = await _ask_once(executor, node, wants, now)
    return found


async def _ask_once(executor: Executor, node: str, wants: Requirements, now: Callable[[], float]) -> Found:
    """Raises ActionError where no answer came, ValueError where it is none."""
    before = now()
    outcome = await executor.ask(node, gather(wants))
    return read(_text_of(outcome), before, now())


async def look_around(executor: Executor, scene: Scene) -> Scene:
    """The scene with what each host sees of the others. Who does not answer has tried nothing."""
    between = attempts(scene)
    turns = anyio.CapacityLimiter(AT_ONCE)
    seen: dict[str, Reached] = {}

    async def ask(name: str, command: Command) -> None:
        seen[name] = Reached()
        async with turns:
            with anyio.move_on_after(command.timeout), suppress(ActionError, ValueError):
                seen[name] = read_reached(_text_of(await executor.ask(name, command)))

    async with anyio.create_task_group() as tasks:
        for host in scene.hosts:
            if command := command_for(host, scene, between):
                tasks.start_soon(ask, host.node.name, command)
    return replace(scene, hosts=tuple(replace(h, reached=seen.get(h.node.name)) for h in scene.hosts))


def _text_of(outcome: Outcome) -> str:
    """Only the answer's own end proves that it is whole; a status that is not 0 is the shell's complaint."""
    if not outcome.ok:
        raise ValueError(f"it could not look at itself: {outcome.complaint}")
    return outcome.text


def wants_of(cluster: Cluster, distro: Distro) -> dict[str, Requirements]:
    """What each node must offer, by its name."""
    return {node.name: distro.requirements(node, cluster) for node in cluster.nodes}


def view_release(cluster: Cluster, distro: Distro, inspection: Inspection) -> ReleaseView:
    """Look into the files that are here. Reads the archives only where a distro names images."""
    named = any(wants.images for wants in wants_of(cluster, distro).values())
    arches = tuple(dict.fromkeys(node.arch for node in cluster.nodes))
    own = "" if cluster.joins else distro.tools(cluster.primary, cluster).smoke_image
    smoke = cluster.smoke_image or own
    return ReleaseView(
        inspection,
        _tags(inspection) if named else None,
        version_faults(inspection.files, cluster.version, arches),
        smoke,
        _cut(inspection) if named else (),
        _applied(cluster),
    )


def _applied(cluster: Cluster) -> tuple[tuple[str, str], ...]:
    """The files that are applied to the cluster; one that cannot be read is told as missing elsewhere."""
    found = []
    for path in cluster.manifests:
        try:
            with path.open("rb") as stream:
                found.append((str(path), stream.read(LARGEST_APPLIED).decode("utf-8", "replace")))
        except OSError:
            continue
    return tuple(found)


def _archives(inspection: Inspection) -> list[Path]:
    return [file.path for name, file in inspection.files.items() if name.startswith(IMAGES)]


def _cut(inspection: Inspection) -> tuple[str, ...]:
    return tuple(path.name for path in _archives(inspection) if is_cut(path))


def _tags(inspection: Inspection) -> tuple[str, ...] | None:
    """Every image of every archive; None where one cannot be read: it may hold what the others lack."""
    archives = [image_names(path) for path in _archives(inspection)]
    known = [names for names in archives if names is not None]
    if not archives or len(known) < len(archives):
        return None
    return tuple(dict.fromkeys(name for names in known for name in names))


def _bytes_to_stage(cluster: Cluster, distro: Distro, inspection: Inspection) -> dict[str, int]:
    """How much each node is sent at most. Nothing is known of a release that is not all here.

    Keys and images are nominal: this is about sizes, and the archive may lack some.
    """
    if inspection.missing or inspection.unreadable:
        return {}
    kept = pretend(distro.needs(cluster))
    return {
        node.name: sum(
            step.source.size
            for step in distro.stage(Situation(cluster, node, None, inspection.files, HIDDEN, kept))
            if isinstance(step, Upload)
        )
        for node in cluster.nodes
    }
