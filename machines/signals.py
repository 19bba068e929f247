"""When a condition of the whole group has come true, and when it can no longer come. Pure.

Signals are level-triggered: they are counted from the states that members have reached, never from
events, so that nothing is lost when a run is resumed. A member that reached the state and went on
still counts. A signal is settled once: *latched*, with the evidence that fired it, or *lost*, with
the members that can no longer come.

This module knows no task and no journal: the supervisor tells it what happened and acts on what it
returns. Begin reading at `Signals.reached`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from machines.quantities import at_least
from machines.registry import Member
from machines.spec import SignalSpec

__all__ = ["Latched", "Lost", "Signals"]

NAMED = 12
"""How many members a reason names before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Latched:
    """The condition came true. `evidence` holds have, need and the members that made it so."""

    signal: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lost:
    """The condition can no longer come true in this run. `reason` names who can no longer come."""

    signal: str
    reason: str


Event: TypeAlias = Latched | Lost


@dataclass(slots=True)
class _Count:
    """One signal's book-keeping. Dicts are ordered sets: the order of arrival is part of the journal."""

    spec: SignalSpec
    total: int
    need: int
    arrived: dict[str, None] = field(default_factory=dict)
    gone: dict[str, None] = field(default_factory=dict)
    event: Event | None = None


class Signals:
    """The signals of one run. Raises ValueError for an amount that is neither a count nor a share."""

    def __init__(self, specs: Mapping[str, SignalSpec], members: Sequence[Member]) -> None:
        self._counts = {name: _count(spec, members) for name, spec in specs.items()}

    def restore(self, latched: Iterable[str]) -> None:
        """Take over what an earlier run latched. What it lost is open again: its members may come now."""
        for name in latched:
            if name in self._counts:
                self._counts[name].event = Latched(name, {})

    def settle(self) -> list[Event]:
        """Settle what is settled without anyone moving: nobody is needed, or too few are there."""
        return list(self._settle(self._counts))

    def reached(self, member: Member, state: str) -> list[Event]:
        """A member entered a state."""
        touched = [name for name, count in self._of(member) if count.spec.state == state]
        for name in touched:
            self._counts[name].arrived[member.name] = None
        return list(self._settle(touched))

    def gone(self, member: Member) -> list[Event]:
        """A member failed or is blocked: what it has not reached by now it will not reach."""
        touched = [name for name, count in self._of(member) if member.name not in count.arrived]
        for name in touched:
            self._counts[name].gone[member.name] = None
        return list(self._settle(touched))

    def give_up(self, signal: str, reason: str) -> list[Event]:
        """Nobody is left who could bring it, for a reason that only the caller can see."""
        count = self._counts[signal]
        if count.event is not None:
            return []
        count.event = Lost(signal, reason)
        return [count.event]

    def event(self, signal: str) -> Event | None:
        """How the signal was settled; None while it is open."""
        return self._counts[signal].event

    def _of(self, member: Member) -> Iterator[tuple[str, _Count]]:
        return ((n, c) for n, c in self._counts.items() if member.role in c.spec.role and c.event is None)

    def _settle(self, names: Iterable[str]) -> Iterator[Event]:
        for name in names:
            count = self._counts[name]
            if count.event is None:
                count.event = _judged(name, count)
                if count.event is not None:
                    yield count.event


def _count(spec: SignalSpec, members: Sequence[Member]) -> _Count:
    total = sum(member.role in spec.role for member in members)
    return _Count(spec, total, at_least(spec.at_least, total))


def _judged(name: str, count: _Count) -> Event | None:
    have = len(count.arrived)
    if have >= count.need:
        return Latched(name, {"have": have, "need": count.need, "members": list(count.arrived)})
    if count.total - len(count.gone) < count.need:
        return Lost(name, _why_lost(count))
    return None


def _why_lost(count: _Count) -> str:
    roles = " or ".join(count.spec.role)
    wanted = f"it needs {count.need} with the role {roles} in state {count.spec.state!r}"
    if not count.gone:
        return f"{wanted}, and there are only {count.total}"
    return f"{wanted}, and {listed(count.gone)} can no longer come ({len(count.arrived)} had come by then)"


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, the first few of a long list."""
    every = list(names)
    if len(every) <= NAMED:
        return ", ".join(every)
    return f"{', '.join(every[:NAMED])} and {len(every) - NAMED} more"
