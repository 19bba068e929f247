"""All invariants over one run: who looks at what, and how they come to see it.

Begin reading at `Watch`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import trio

from machines.journal import MemoryJournal
from machines.records import Kind, Record
from machines.registry import Action, Context, Evidence, Probe, Registry
from machines.simulation.invariants.law import Broken, Invariant, Rules
from machines.simulation.invariants.lives import EveryoneEnds

__all__ = ["CheckedJournal", "Checker", "Watch", "watched"]

See = Callable[[Record], None]


class Watch:
    """The invariants that look on while a run goes on. One watch may see several runs of one journal."""

    def __init__(self, rules: Rules, laws: Iterable[type[Invariant]]) -> None:
        self._laws = [law(rules) for law in laws]
        self._sees: tuple[See, ...] = tuple(law.see for law in self._laws if _has_own(law, "see"))
        self._effects = [law.effect for law in self._laws if _has_own(law, "effect")]
        self._probes = [law.probe for law in self._laws if _has_own(law, "probe")]
        self._reached = [law.reached for law in self._laws if _has_own(law, "reached")]
        self._cuts = [law.cut_off for law in self._laws if _has_own(law, "cut_off")]
        self._began = 0.0  # what trio's clock showed at second 0 of the run
        self._found: Broken | None = None  # by a call; inside it an engine takes it for a bug of the call

    def see(self, record: Record) -> None:
        """A record was appended. Raises `Broken`."""
        if self._found is not None:
            raise self._found
        if record.header is not None and trio.lowlevel.in_trio_run():
            self._began = trio.current_time() - record.at
        for see in self._sees:
            see(record)

    def effect(self, node: str, edge: str, attempt: int) -> None:
        """An action begins now. Raises `Broken`."""
        for effect in self._effects:
            effect(node, edge, attempt)

    def probe(self, node: str, edge: str) -> None:
        """A probe begins now. Raises `Broken`, and again at the next record."""
        at = trio.current_time() - self._began
        try:
            for probe in self._probes:
                probe(node, edge, at)
        except Broken as broken:
            self._found = broken
            raise

    def reached(self, node: str, mark: int) -> None:
        """An action told how far it is."""
        for reached in self._reached:
            reached(node, mark)

    def cut_off(self, node: str, edge: str, seconds: float) -> None:
        """An action was ended from outside. Raises `Broken`."""
        for cut_off in self._cuts:
            cut_off(node, edge, seconds)

    def stop(self) -> None:
        """Somebody asked the run to stop."""
        for law in self._laws:
            law.stop()

    def end(self) -> None:
        """The run is over. Raises `Broken`."""
        if self._found is not None:
            raise self._found
        for law in self._laws:
            law.end()

    def stuck(self, words: str) -> Broken:
        """The breach of a run that came to no end."""
        for law in self._laws:
            if isinstance(law, EveryoneEnds):
                return law.stuck(words)
        return Broken(EveryoneEnds.name, words)


class Checker(Protocol):
    """Anyone who looks at every record: a watch, or a program's own."""

    def see(self, record: Record) -> None:
        """A record was appended. May raise `Broken`."""
        ...

    def end(self) -> None:
        """The run is over. May raise `Broken`."""
        ...


class CheckedJournal:
    """A journal in memory that shows every record to the checkers. Raises `Broken` from `append`."""

    def __init__(self, journal: MemoryJournal, checkers: Sequence[Checker]) -> None:
        self.journal = journal
        self._sees = tuple(checker.see for checker in checkers)
        for record in journal.records():
            self._check(record)

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        record = self.journal.append(at, kind, **fields)
        self._check(record)
        return record

    async def durable(self, seq: int) -> None:
        await self.journal.durable(seq)

    def records(self) -> list[Record]:
        return self.journal.records()

    def close(self) -> None:
        self.journal.close()

    def _check(self, record: Record) -> None:
        for see in self._sees:
            see(record)


def watched(registry: Registry, watch: Watch) -> Registry:
    """The same names, with a watch that sees each probe and action begin, and actions be cut off.

    Changes nothing else. Without it the laws of places and clocks do not know who asks his probe.
    """
    seen = Registry()
    seen.digests, seen.guards, seen.undos = registry.digests, registry.guards, registry.undos
    seen.probes = {name: _watched_probe(ask, watch) for name, ask in registry.probes.items()}
    seen.actions = {name: _watched_action(act, watch) for name, act in registry.actions.items()}
    return seen


def _watched_probe(ask: Probe, watch: Watch) -> Probe:
    async def asking(context: Context) -> Evidence | None:
        watch.probe(context.member.name, context.edge)
        return await ask(context)

    return asking


def _watched_action(act: Action, watch: Watch) -> Action:
    async def acting(context: Context) -> Evidence | None:
        watch.effect(context.member.name, context.edge, context.attempt)
        began, name = trio.current_time(), context.member.name

        def reached(mark: int) -> None:
            watch.reached(name, mark)
            context.reached(mark)

        try:
            return await act(replace(context, reached=reached))
        except trio.Cancelled:
            watch.cut_off(context.member.name, context.edge, trio.current_time() - began)
            raise

    return acting


def _has_own(law: Invariant, method: str) -> bool:
    return getattr(type(law), method) is not getattr(Invariant, method)
