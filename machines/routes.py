"""Checks that follow the edges through a machine: what is reached, what ends, what waits for ever.

Pure. Only what the table alone can prove is a problem: guards are never evaluated, so an edge with
guards may open, and a signal counts as possible as soon as the state that it counts can be reached.

Begin reading at `check_routes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from machines.documents import Path
from machines.spec import EdgeSpec, MachineSpec

__all__ = ["Problem", "check_routes"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a machine, and the path of the key that says it."""

    path: Path
    message: str
    hint: str = ""


def check_routes(spec: MachineSpec) -> list[Problem]:
    """What is wrong with the machine as a whole.

    Where an edge names a state that does not exist, `checks` tells that, and nothing is told here
    that may only follow from it.
    """
    problems = [*_outcomes(spec), *_shadowed(spec), *_circles(spec), *_rollbacks_without_undo(spec)]
    problems += _unused(spec)
    if _is_closed(spec):
        problems += [*_unreachable(spec), *_dead_ends(spec), *_signals_that_never_come(spec)]
    return problems


def _is_closed(spec: MachineSpec) -> bool:
    """Whether every state that is named exists."""
    named = [spec.initial, *(signal.state for signal in spec.signals.values())]
    for edge in spec.edges:
        named += [*edge.sources, *_targets(edge)]
    return all(name in spec.states for name in named)


def _targets(edge: EdgeSpec) -> list[str]:
    """Where the edge may lead: its target, and where its failures lead."""
    return [edge.to, *(clause.to for clause in edge.catch)]


def _reach(start: str, edges: Iterable[EdgeSpec]) -> set[str]:
    """Every state that can be reached from `start` along these edges, itself included."""
    ways: dict[str, list[str]] = {}
    for edge in edges:
        for source in edge.sources:
            ways.setdefault(source, []).extend(_targets(edge))
    return _closure({start}, ways)


def _leading_to(ends: set[str], edges: Iterable[EdgeSpec]) -> set[str]:
    """Every state from which one of `ends` can be reached, themselves included."""
    ways: dict[str, list[str]] = {}
    for edge in edges:
        for target in _targets(edge):
            ways.setdefault(target, []).extend(edge.sources)
    return _closure(ends, ways)


def _closure(start: set[str], ways: Mapping[str, list[str]]) -> set[str]:
    reached, found = set(start), list(start)
    while found:
        new = [target for target in ways.get(found.pop(), []) if target not in reached]
        reached.update(new)
        found.extend(new)
    return reached


def _outcomes(spec: MachineSpec) -> Iterator[Problem]:
    outcomes = [state.outcome for state in spec.states.values()]
    if "success" not in outcomes:
        hint = "mark the state that a node is meant to reach: {outcome: success}"
        yield Problem(("states",), "no state has the outcome success", hint)


def _unreachable(spec: MachineSpec) -> Iterator[Problem]:
    reached = _reach(spec.initial, spec.edges)
    for name in spec.states:
        if name not in reached:
            message = f"the state {name!r} cannot be reached from {spec.initial!r}"
            yield Problem(("states", name), message, "let an edge or a catch clause lead there, or remove it")


def _dead_ends(spec: MachineSpec) -> Iterator[Problem]:
    left = {source for edge in spec.edges for source in edge.sources}
    ends = {name for name, state in spec.states.items() if state.outcome}
    dead = set(spec.states) - left - ends
    ending = _leading_to(ends | dead, spec.edges)
    for name in sorted(_reach(spec.initial, spec.edges)):
        if name in dead:
            hint = "let an edge leave it, or say {outcome: success} or {outcome: failure}"
            yield Problem(("states", name), f"the state {name!r} is a dead end without an outcome", hint)
        elif name not in ending:
            yield Problem(
                ("states", name), f"no way from the state {name!r} leads to an outcome", "let one edge do so"
            )


def _shadowed(spec: MachineSpec) -> Iterator[Problem]:
    """The first edge that is open is taken: one that is open whenever a later one is, hides it."""
    leaving: dict[str, list[EdgeSpec]] = {}
    for index, edge in enumerate(spec.edges):
        for source in edge.sources:
            earlier = next((one for one in leaving.get(source, []) if _is_open_whenever(one, edge)), None)
            if earlier is not None:
                message = f"from {source!r} this edge is never taken: {earlier.name!r} is open before it"
                yield Problem(
                    ("edges", index), message, "put it first, or give the other a guard or a signal"
                )
                break
        for source in edge.sources:
            leaving.setdefault(source, []).append(edge)


def _is_open_whenever(one: EdgeSpec, other: EdgeSpec) -> bool:
    return set(one.guard) <= set(other.guard) and one.signal in (None, other.signal)


def _circles(spec: MachineSpec) -> Iterator[Problem]:
    """Edges that do nothing and wait for nothing, round in a circle: a node would never stand still."""
    ways: dict[str, tuple[int, str]] = {}
    for index, edge in enumerate(spec.edges):
        if edge.do is None and edge.signal is None and not edge.guard:
            for source in edge.sources:
                ways.setdefault(source, (index, edge.to))
    done: set[str] = set()
    for start in ways:
        circle = _walk(start, ways, done)
        if circle:
            index = min(ways[state][0] for state in circle)
            message = f"nodes would run in a circle for ever: {' -> '.join([*circle, circle[0]])}"
            yield Problem(("edges", index), message, "give one of these edges an action, a guard or a signal")


def _walk(start: str, ways: Mapping[str, tuple[int, str]], done: set[str]) -> list[str]:
    """The circle that a walk from `start` ends in, unless it ends or meets what was walked before."""
    places: dict[str, int] = {}
    state = start
    while state in ways and state not in done and state not in places:
        places[state] = len(places)
        state = ways[state][1]
    done.update(places)
    return list(places)[places[state] :] if state in places else []


def _signals_that_never_come(spec: MachineSpec) -> Iterator[Problem]:
    """A signal whose state lies behind the signal itself, or behind another that waits for this one.

    Signals are granted one after the other as the states they count come into reach; those that
    are never granted wait for each other, whatever the guards say.
    """
    granted: set[str] = set()
    while True:
        open_edges = [edge for edge in spec.edges if edge.signal is None or edge.signal in granted]
        reached = _reach(spec.initial, open_edges)
        new = {name for name, signal in spec.signals.items() if signal.state in reached} - granted
        if not new:
            break
        granted |= new
    everywhere = _reach(spec.initial, spec.edges)
    for name, signal in spec.signals.items():
        if name not in granted and signal.state in everywhere:
            message = f"the signal {name!r} can never come: the state {signal.state!r} lies behind it"
            yield Problem(
                ("signals", name), message, "let it count a state that is reached without waiting for it"
            )


def _rollbacks_without_undo(spec: MachineSpec) -> Iterator[Problem]:
    if any(edge.undo for edge in spec.edges):
        return
    for index, edge in enumerate(spec.edges):
        for position, clause in enumerate(edge.catch):
            if clause.rollback:
                path = ("edges", index, "catch", position, "rollback")
                yield Problem(
                    path, "there is nothing to roll back: no edge has an undo", "add 'undo' to an edge"
                )


def _unused(spec: MachineSpec) -> Iterator[Problem]:
    """What nobody refers to is a rest of something that was removed, if no edge misspells it."""
    signals = {edge.signal for edge in spec.edges}
    limits = {edge.limit for edge in spec.edges}
    for name in spec.signals if signals <= {None, *spec.signals} else ():
        if name not in signals:
            yield Problem(("signals", name), f"no edge waits for the signal {name!r}", "use it, or remove it")
    for name in spec.limits if limits <= {None, *spec.limits} else ():
        if name not in limits:
            yield Problem(("limits", name), f"no edge uses the limit {name!r}", "use it, or remove it")
