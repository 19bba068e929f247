"""What is wrong with a machine, all at once. Pure: no text, no positions, no compiled table.

`check` takes a whole `MachineSpec`. `check_parts` takes what is sound of one, so that a document
with a mistake in its form still hears what else is wrong with it. Here stand the checks that look
at one part and the names it uses; `routes` holds those that follow the edges through the machine.

A fault of a document is never an exception of a run: whatever can be known from the table alone is
known here. docs/machines.md lists every check.

Begin reading at `check_parts`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from machines.documents import Path
from machines.errors import ANY
from machines.registry import Registry
from machines.routes import Problem, check_routes
from machines.spec import Catch, EdgeSpec, MachineSpec, Retry, SignalSpec, StateSpec
from machines.words import did_you_mean

__all__ = ["Parts", "Problem", "check", "check_parts"]

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_COUNT = re.compile(r"[0-9]{1,9}")
_SHARE = re.compile(r"([0-9]{1,3})%")


@dataclass(frozen=True, slots=True)
class Parts:
    """A machine in parts. A part that has a name and is not sound is None; an edge that is not, is absent."""

    edges: Mapping[int, EdgeSpec]
    states: Mapping[str, StateSpec | None]
    signals: Mapping[str, SignalSpec | None]
    limits: Mapping[str, int | None]
    budgets: Mapping[str, str | None]
    initial: str | None = None

    @classmethod
    def of(cls, spec: MachineSpec) -> Parts:
        edges = dict(enumerate(spec.edges))
        return cls(edges, spec.states, spec.signals, spec.limits, spec.budgets, spec.initial)


def check(spec: MachineSpec, registry: Registry | None = None) -> list[Problem]:
    """Everything that is wrong with a machine. Names in code are checked when a registry is given."""
    problems = [*_head(spec), *check_parts(Parts.of(spec), registry)]
    return [*problems, *check_routes(spec)]


def check_parts(parts: Parts, registry: Registry | None = None) -> list[Problem]:
    """What is wrong with each part by itself, and with the names it uses."""
    problems: list[Problem] = []
    if parts.initial is not None:
        problems += _unknown("state", parts.initial, parts.states, ("initial",))
    problems += _names(parts)
    problems += _duplicate_edges(parts)
    for index, edge in parts.edges.items():
        problems += _edge(parts, edge, ("edges", index), registry)
    for name, signal in parts.signals.items():
        problems += _signal(parts, signal, ("signals", name)) if signal else []
    problems += _amounts(parts)
    return problems


def _head(spec: MachineSpec) -> Iterator[Problem]:
    yield from _malformed([(spec.machine, ("machine",))])
    if spec.version < 1:
        yield Problem(("version",), f"the version is {spec.version}, and versions count from 1")


def _names(parts: Parts) -> Iterator[Problem]:
    """Documents cannot say such names; specs that a program builds can."""
    edges = [(edge.name, ("edges", index, "name")) for index, edge in parts.edges.items()]
    kinds = {
        "states": parts.states,
        "signals": parts.signals,
        "limits": parts.limits,
        "budgets": parts.budgets,
    }
    others = [(name, (kind, name)) for kind, names in kinds.items() for name in names]
    yield from _malformed([*edges, *others])


def _malformed(names: Iterable[tuple[str, Path]]) -> Iterator[Problem]:
    for name, path in names:
        if not _NAME.fullmatch(name):
            hint = "lower-case letters, digits, '-' and '_', a letter first; '~' and '.' are the table's own"
            yield Problem(path, f"{name!r} is not a name", hint)


def _duplicate_edges(parts: Parts) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, edge in parts.edges.items():
        if edge.name in first:
            message = f"the edge {edge.name!r} stands twice"
            yield Problem(("edges", index, "name"), message, f"it is edges[{first[edge.name]}] already")
        first.setdefault(edge.name, index)


def _edge(parts: Parts, edge: EdgeSpec, path: Path, registry: Registry | None) -> Iterator[Problem]:
    yield from _ends(parts, edge, path)
    yield from _openings(parts, edge, path)
    yield from _registered(edge, path, registry)
    if edge.do is None:
        yield from _needs_action(edge, path)
    else:
        yield from _has_catch_all(edge, path)
    yield from _clauses("retry", edge.retry, path)
    yield from _clauses("catch", edge.catch, path)
    yield from _times(edge, path)


def _ends(parts: Parts, edge: EdgeSpec, path: Path) -> Iterator[Problem]:
    yield from _sources(parts, edge, path)
    yield from _unknown("state", edge.to, parts.states, (*path, "to"))
    for index, clause in enumerate(edge.catch):
        yield from _unknown("state", clause.to, parts.states, (*path, "catch", index, "to"))


def _sources(parts: Parts, edge: EdgeSpec, path: Path) -> Iterator[Problem]:
    if not edge.sources:
        yield Problem((*path, "from"), f"edge {edge.name!r} leaves no state", "name one or more")
    seen: set[str] = set()
    for index, source in enumerate(edge.sources):
        place = (*path, "from", index) if isinstance(edge.source, list) else (*path, "from")
        yield from _unknown("state", source, parts.states, place)
        state = parts.states.get(source)
        if state is not None and state.outcome:
            message = f"{source!r} is an outcome, and no edge can leave it"
            yield Problem(place, message, "a node's life ends there: remove the edge or the outcome")
        if source in seen:
            yield Problem(place, f"the state {source!r} stands twice", "keep one")
        seen.add(source)


def _openings(parts: Parts, edge: EdgeSpec, path: Path) -> Iterator[Problem]:
    """Signal, guards and limit: what must be given before the edge is entered."""
    if edge.signal is not None:
        yield from _unknown("signal", edge.signal, parts.signals, (*path, "signal"))
    if edge.limit is not None:
        yield from _unknown("limit", edge.limit, parts.limits, (*path, "limit"))
    for index, guard in enumerate(edge.guard):
        place = (*path, "guard", index)
        name = guard.removeprefix("!")
        yield from _malformed([(name, place)])
        opposite = name if guard.startswith("!") else f"!{name}"
        if opposite in edge.guard[:index]:
            yield Problem(place, f"{name!r} and '!{name}' never hold together", "this edge could never open")


def _registered(edge: EdgeSpec, path: Path, registry: Registry | None) -> Iterator[Problem]:
    """The names that lead to code, against what the program can do."""
    if registry is None:
        return
    if edge.do is not None:
        yield from _unknown("action", edge.do, registry.actions, (*path, "do"))
    if edge.probe is not None:
        yield from _unknown("probe", edge.probe, registry.probes, (*path, "probe"))
    for index, guard in enumerate(edge.guard):
        name = guard.removeprefix("!")
        if _NAME.fullmatch(name):  # else that is told already
            yield from _unknown("guard", name, registry.guards, (*path, "guard", index))
    for index, undo in enumerate(edge.undo):
        yield from _unknown("undo", undo, registry.undos, (*path, "undo", index))


_OF_ACTIONS = ("args", "limit", "timeout", "deadline", "probe", "retry", "catch", "undo")


def _needs_action(edge: EdgeSpec, path: Path) -> Iterator[Problem]:
    for key in _OF_ACTIONS:
        if getattr(edge, key) not in (None, [], {}):
            message = f"{key!r} means nothing on edge {edge.name!r}: it has no action"
            yield Problem((*path, key), message, "add 'do', or remove this key")


def _has_catch_all(edge: EdgeSpec, path: Path) -> Iterator[Problem]:
    if not any(ANY in clause.match for clause in edge.catch):
        message = f"edge {edge.name!r} has an action and no catch for '*': a failure may lead nowhere"
        place = (*path, "catch") if edge.catch else path
        yield Problem(place, message, "end its catch list with {match: ['*'], to: <a failure outcome>}")


def _clauses(kind: str, clauses: Sequence[Retry | Catch], path: Path) -> Iterator[Problem]:
    """The first clause that matches decides, so what an earlier one takes never reaches a later one."""
    taken: dict[str, int] = {}
    for index, clause in enumerate(clauses):
        place = (*path, kind, index)
        if not clause.match:
            yield Problem(
                (*place, "match"), f"this {kind} clause matches nothing", "name one or more classes"
            )
        for position, wanted in enumerate(clause.match):
            earlier = _taken_by(wanted, taken)
            if earlier is not None:
                message = f"{wanted!r} never gets here: {kind}[{taken[earlier]}] takes {earlier!r} before"
                yield Problem(
                    (*place, "match", position), message, "put the more special clause first, or remove it"
                )
            taken.setdefault(wanted, index)


def _taken_by(wanted: str, taken: Mapping[str, int]) -> str | None:
    """The class or ancestor (``exit`` of ``exit.17``) that an earlier entry matches already."""
    parts = wanted.split(".")
    ancestors = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((name for name in [*ancestors, ANY] if name in taken), None)


def _times(edge: EdgeSpec, path: Path) -> Iterator[Problem]:
    for key, seconds in (("timeout", edge.timeout), ("deadline", edge.deadline)):
        if seconds is not None and seconds <= 0:
            yield Problem(
                (*path, key), f"a {key} of {seconds:g} seconds leaves no time", "give it more, or remove it"
            )
    if edge.timeout is not None and edge.deadline is not None and edge.timeout > edge.deadline:
        message = f"one attempt may take {edge.timeout:g} seconds, and all of them only {edge.deadline:g}"
        yield Problem((*path, "timeout"), message, "make the timeout shorter than the deadline")
    for index, retry in enumerate(edge.retry):
        yield from _retry(edge, retry, (*path, "retry", index))


def _retry(edge: EdgeSpec, retry: Retry, path: Path) -> Iterator[Problem]:
    if retry.attempts is not None and retry.attempts < 1:
        hint = "attempts count tries: 1 means that nothing is repeated"
        yield Problem((*path, "attempts"), f"{retry.attempts} attempts are less than one", hint)
    if retry.attempts is None and edge.deadline is None:
        yield Problem(path, "this clause repeats for ever", "give it attempts, or the edge a deadline")
    if retry.renew == "progress" and edge.deadline is None and retry.attempts is not None:
        message = "nothing bounds this clause: its count begins anew whenever an attempt gets further"
        yield Problem((*path, "renew"), message, "give the edge a deadline")
    if retry.delay < 0:
        yield Problem((*path, "delay"), f"a delay of {retry.delay:g} seconds lies in the past")
    if retry.backoff < 1:
        yield Problem(
            (*path, "backoff"), f"a backoff of {retry.backoff:g} shortens the delay", "1 keeps it the same"
        )
    if retry.max_delay < retry.delay:
        message = f"the delay of {retry.delay:g} seconds is longer than max_delay, {retry.max_delay:g}"
        yield Problem((*path, "delay"), message, "raise max_delay")


def _signal(parts: Parts, signal: SignalSpec, path: Path) -> Iterator[Problem]:
    yield from _unknown("state", signal.state, parts.states, (*path, "state"))
    if not signal.role:
        yield Problem((*path, "role"), "this signal counts no role", "name one or more")
    if not _is_amount(signal.at_least, least=1):
        message = f"{signal.at_least!r} is not an amount that can be reached"
        yield Problem((*path, "at_least"), message, "a count from 1 such as 3, or a share from 1% to 100%")


def _amounts(parts: Parts) -> Iterator[Problem]:
    for name, capacity in parts.limits.items():
        if capacity is not None and capacity < 1:
            yield Problem(("limits", name), f"a limit of {capacity} lets nobody through", "1 or more")
    for role, amount in parts.budgets.items():
        if amount is not None and not _is_amount(amount, least=0):
            hint = "a count such as 1, or a share from 0% to 100%"
            yield Problem(("budgets", role), f"{amount!r} is not an amount of failures", hint)


def _is_amount(text: str, *, least: int) -> bool:
    share = _SHARE.fullmatch(text)
    if share:
        return least <= int(share[1]) <= 100
    return _COUNT.fullmatch(text) is not None and int(text) >= least


def _unknown(kind: str, name: str, known: Collection[str], path: Path) -> Iterator[Problem]:
    if name not in known:
        yield Problem(path, f"there is no {kind} {name!r}", did_you_mean(name, known))
