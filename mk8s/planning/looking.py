"""What nodes are and have now, asked without changing anything: facts, files, and the checks of steps.

Laws:

1. Only questions: `facts.gather`, `file.state`, a step's own `check`, the driver's health questions, and the
   content of files that hold no secret: not in what is wanted, nor in what is there, which everybody on
   the node must be free to read. No command of a step is run, and no wait is begun.
2. A node that does not answer costs its own patience and nobody else's; what it said before is forgotten.
3. A lookup whose answer is a secret is not asked: it may make a token. What depends on it is unknown.

Begin reading at `look_at_all`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import anyio

from machines import ActionError, EdgeSpec
from machines.words import one_line
from mk8s.amounts import bytes_in_words
from mk8s.answers import FileState, read_file_state
from mk8s.binding import Binding, refuse_unfit
from mk8s.cluster import Node
from mk8s.commands import file_state
from mk8s.delivery import part_of
from mk8s.distros.base import Lookup, Situation
from mk8s.executor import Executor
from mk8s.parts import read_room, room_for
from mk8s.planning.diffs import LARGEST, difference
from mk8s.planning.making import REFRESH, Ground, edges_ahead, edges_behind, is_done, steps_of
from mk8s.planning.values import Look, StepLook
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from mk8s.working import ROOT, answered
from transports.base import Bytes

__all__ = ["look_at_all"]

FIRST_WORD = 20.0  # seconds that a node may take to say what it is, connecting included
PATIENCE = 600.0  # seconds for all that it is asked: it may hash files of several GB
AT_ONCE = 64  # nodes that are asked at the same time
NOT_KNOWN = StepLook("unknown", "not known before the cluster is there")
HIDES = "its content is another; it holds secrets, so it is not shown"
PRIVATE = "its content is another; not everybody may read it there, so it is not shown"
FOR_ALL = 0o004  # without it a file may hold a secret that is wanted no more: a token, a password
SILENT = "look whether the machine is up and the way to it is open"
MARKS = ("a-mark", "K10" + "0" * 64)
"""Answers that no cluster gives: steps that change with them depend on the real one."""


async def look_at_all(executor: Executor, ground: Ground) -> dict[str, Look]:
    """Ask every node, many at once. Nobody's silence raises anything."""
    looks: dict[str, Look] = {}
    turns = anyio.CapacityLimiter(AT_ONCE)
    binding = Binding(
        ground.cluster,
        ground.distro,
        executor,
        ground.release,
        ground.token,
        _forget,
        kept=ground.situation(ground.cluster.nodes[0]).kept,
        images=ground.images,
    )

    async def look(node: Node) -> None:
        async with turns:
            looks[node.name] = await _NodeLook(executor, binding, ground, node).made()

    async with anyio.create_task_group() as tasks:
        for node in ground.cluster.nodes:
            tasks.start_soon(look, node)
    return {node.name: looks[node.name] for node in ground.cluster.nodes}


@dataclass(slots=True)
class _NodeLook:
    """One look at one node."""

    executor: Executor
    binding: Binding
    ground: Ground
    node: Node
    _states: dict[PurePosixPath, FileState | None] = field(default_factory=dict)  # asked once each

    async def made(self) -> Look:
        try:
            return await self._looked()
        except ActionError as error:
            return self._silence(str(error), error.failure.remedy)

    async def _looked(self) -> Look:
        """Raises ActionError where the node does not answer, or not any more."""
        look = self._silence(f"no answer within {FIRST_WORD:g} s", SILENT)
        with anyio.move_on_after(FIRST_WORD):
            await self.binding.facts_of(self.node.name)
            look = self._silence(f"it has not told all within {PATIENCE:g} s", SILENT)
        if self.node.name in self.binding.facts:
            with anyio.move_on_after(PATIENCE):
                look = await self._all()
        return look

    async def _all(self) -> Look:
        health = await self.binding.is_healthy(self.node.name) if is_done(self.ground, self.node) else None
        return Look(
            self.binding.facts[self.node.name],
            unfit=self._unfit(),
            health=health,
            steps=await self._all_steps(),
            drift=tuple(await self._drift()),
        )

    def _silence(self, words: str, remedy: str) -> Look:
        redact = self.executor.redact
        shown = words.removeprefix(f"{self.node.name}: ")
        return Look(error=one_line(redact(shown)), remedy=one_line(redact(remedy or SILENT)))

    def _unfit(self) -> str:
        try:
            refuse_unfit(self.node, self.binding.facts[self.node.name])
        except ActionError as error:
            return f"{error.failure.message}; {error.failure.remedy}"
        return ""

    # The steps ahead

    async def _all_steps(self) -> dict[str, tuple[StepLook, ...]]:
        """By edge: as they are now, but for what earlier steps will have undone."""
        situation = self._situation()
        found = {}
        changes: dict[PurePosixPath, str] = {}  # files that earlier steps write, with their new hashes
        for edge in edges_ahead(self.ground, self.node):
            if edge.do:
                steps, open_ones = await self._informed(edge, situation)
                found[edge.name] = await self._looks(steps, open_ones, changes)
        if is_done(self.ground, self.node):
            found[REFRESH] = await self._looks(self.ground.distro.refresh(situation), frozenset(), changes)
        return found

    async def _looks(
        self, steps: Sequence[Step], open_ones: frozenset[int], changes: dict[PurePosixPath, str]
    ) -> tuple[StepLook, ...]:
        found = []
        for place, step in enumerate(steps):
            look = NOT_KNOWN if place in open_ones else await self._step(step)
            found.append(_by_then(step, look, changes))
        return tuple(found)

    def _situation(self) -> Situation:
        return self.ground.situation(self.node, self.binding.facts[self.node.name])

    async def _informed(self, edge: EdgeSpec, situation: Situation) -> tuple[Sequence[Step], frozenset[int]]:
        """The steps with what can be learned now, and the places of those that depend on what cannot."""
        distro = self.ground.distro
        plain = steps_of(distro, edge, situation)
        if edge.do not in ("start", "join"):
            return plain, frozenset()
        lookups = distro.lookups(situation)
        learned = await self._learned(lookups)
        if learned is None:
            return plain, _dependent(self.ground, edge, situation, lookups, plain)
        steps = steps_of(distro, edge, replace(situation, learned=learned))
        return (steps if len(steps) == len(plain) else plain), frozenset()

    async def _learned(self, lookups: Sequence[Lookup]) -> Mapping[str, str] | None:
        """The answers of a cluster that is there; None where one cannot be had without changing anything."""
        learned: dict[str, str] = {}
        for lookup in lookups:
            answer = await self._look_up(lookup) if lookup.wanted(learned) else ""
            if answer is None:
                return None
            learned[lookup.name] = answer
        return learned

    async def _look_up(self, lookup: Lookup) -> str | None:
        if lookup.secret:
            return None
        with anyio.move_on_after(FIRST_WORD), suppress(ActionError, ValueError):
            outcome = await self.executor.ask(lookup.on, lookup.command)
            return lookup.read(outcome) if outcome.ok else None
        return None

    # One step

    async def _step(self, step: Step) -> StepLook:
        match step:
            case WaitFor():
                return StepLook("wait")
            case Upload():
                return await self._upload(step)
            case WriteFile():
                return await self._file(step)
            case Run(check=None):
                return StepLook("to-do", "it has no check: a run does it each time")
            case Run():
                return await self._check(step)

    async def _check(self, step: Run) -> StepLook:
        if step.check is None or (step.on and step.on != self.node.name):
            return StepLook("unknown", f"it is asked of {step.on} when its turn comes")
        outcome = await self.executor.ask(self.node.name, step.check)
        return StepLook("true") if outcome.ok else StepLook("to-do")

    async def _upload(self, step: Upload) -> StepLook:
        there = await self._state(step.target)
        if there is None:
            return await self._part(step, "it is not there")
        if there.sha256 != step.source.sha256:
            return await self._part(step, "another file is there")
        return _like(there, step.mode, there.owner)

    async def _part(self, step: Upload, why: str) -> StepLook:
        """What arrived of it before; a run verifies it, and sends the rest."""
        command = room_for([(step.target, part_of(step))])
        outcome = await self.executor.ask(self.node.name, command)
        (room,) = answered(self.executor, command, outcome, read_room) if outcome.ok else (None,)
        arrived = min(room.part, step.source.size) if room else 0
        words = f"; {bytes_in_words(arrived)} of {bytes_in_words(step.source.size)} have arrived"
        return StepLook("to-do", why + words if arrived else why, arrived)

    async def _file(self, step: WriteFile) -> StepLook:
        there = await self._state(step.target)
        if there is None:
            return StepLook("to-do", "it is not there")
        if there.sha256 == Bytes(step.content).sha256:
            return _like(there, step.mode, ROOT)
        if step.secret:
            return StepLook("to-do", HIDES)
        if not there.mode & FOR_ALL:
            return StepLook("to-do", PRIVATE)
        return StepLook("to-do", "its content is another", diff=await self._difference(step))

    async def _difference(self, step: WriteFile) -> str:
        """Never of a secret. A file that cannot be read, or is huge, costs nothing but its difference."""
        try:
            content = await self.executor.get(self.node.name, step.target)
        except ActionError as error:
            if "exit" in error.failure.lineage:
                return one_line(self.executor.redact(f"it cannot be shown: {error.failure.message}"))
            raise
        return self.executor.redact(difference(content[: LARGEST + 1], step.content))

    async def _state(self, path: PurePosixPath) -> FileState | None:
        if path not in self._states:
            command = file_state(path)
            outcome = await self.executor.ask(self.node.name, command)
            if not outcome.ok:
                raise self.executor.failure(outcome, command, self.ground.distro.classify)
            self._states[path] = answered(self.executor, command, outcome, read_file_state)
        return self._states[path]

    # Files of edges that are done

    async def _drift(self) -> list[tuple[Step, StepLook]]:
        """Files that are not any more as they were last written. A run leaves them: their edges are done."""
        last: dict[PurePosixPath, WriteFile | None] = {}
        situation = self._situation()
        for edge in edges_behind(self.ground, self.node):
            if edge.do:
                known, open_ones = await self._informed(edge, situation)
                for place, step in enumerate(known):
                    if isinstance(step, WriteFile):
                        last[step.target] = None if place in open_ones else step
        looks = [(step, await self._step(step)) for step in last.values() if step is not None]
        return [(step, look) for step, look in looks if look.standing != "true"]


def _like(there: FileState, mode: int, owner: str) -> StepLook:
    """The content is right; are mode and owner?"""
    if there.mode != mode:
        return StepLook("to-do", f"its mode is {there.mode:04o}, and should be {mode:04o}")
    if there.owner != owner:
        return StepLook("to-do", f"it belongs to {there.owner}, and should to {owner}")
    return StepLook("true")


def _by_then(step: Step, look: StepLook, changes: dict[PurePosixPath, str]) -> StepLook:
    """A file that is right now is not any more when its turn comes, if an earlier step writes another."""
    if not isinstance(step, Upload | WriteFile):
        return look
    wanted = step.source.sha256 if isinstance(step, Upload) else Bytes(step.content).sha256
    if look.standing != "true":
        changes[step.target] = wanted
    elif changes.get(step.target, wanted) != wanted:
        return StepLook("to-do", "an earlier step changes it")
    return look


def _dependent(
    ground: Ground, edge: EdgeSpec, situation: Situation, lookups: Sequence[Lookup], plain: Sequence[Step]
) -> frozenset[int]:
    """Places of steps that are others with other answers; all but waits where made-up ones are refused."""
    for mark in MARKS:
        with suppress(Exception):
            learned = {lookup.name: mark for lookup in lookups}
            marked = steps_of(ground.distro, edge, replace(situation, learned=learned))
            if len(marked) == len(plain):
                pairs = enumerate(zip(marked, plain, strict=True))
                return frozenset(place for place, (one, other) in pairs if not _same(one, other))
    return frozenset(place for place, step in enumerate(plain) if not isinstance(step, WaitFor))


def _same(one: Step, other: Step) -> bool:
    """Waits have judges, which are never equal; they are not asked anyway."""
    return isinstance(one, WaitFor) or one == other


def _forget(_text: str) -> None:
    """No kubeconfig is fetched."""
