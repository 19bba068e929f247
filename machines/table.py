"""One `MachineSpec` compiled to one pure table, shared by all nodes.

This module decides and never acts. It knows no clock, no attempt counter and no effect: the caller
brings a node (anything with a writable ``state``) and says what happened, the table says where the
node is now. Every decision is a row of a `transitions.Machine`, so that the diagram, which is drawn
from the same rows, cannot lie.

How an edge compiles. Without an action it is one row; with one, the node works *in flight*, in a
state of its own, named ``<source>~<edge>``::

    join-server.begin  waiting              -> waiting~join-server   when every guard allows it
    join-server.ok     waiting~join-server  -> running
    join-server.err    waiting~join-server  -> (stays)               one row per retry clause, in order
    join-server.err    waiting~join-server  -> catch.to              one row per catch clause, in order
    join-server.stop   waiting~join-server  -> waiting               interrupted, or found so on resume

Laws of this room:

1. Nodes are never registered as models: that costs 9 KB and a quadratic search for each, and the
   table then knows them. Events are fired as ``machine.events[name].trigger(node, question)``.
2. Callbacks are callables, never strings (`transitions` imports those), and ``on_exception`` is
   never set (it swallows cancellation). The only callbacks are conditions.
3. State names are written to journals. What this module derives from a document may not change.

Begin reading at `_rows`, then `Table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from transitions import EventData, Machine, Transition

from machines.errors import Failure, matches
from machines.registry import Guard
from machines.spec import Catch, EdgeSpec, MachineSpec, Retry

__all__ = ["IN_FLIGHT", "OutOfPlace", "Row", "Stateful", "Table"]

IN_FLIGHT = "~"
"""Stands between source and edge in the name of an in-flight state. No name in a document contains it."""

_T = TypeVar("_T")

Kind: TypeAlias = Literal["begin", "ok", "err", "stop"]


class Stateful(Protocol):
    """All that the table needs of a node."""

    state: str


class OutOfPlace(LookupError):  # noqa: N818 - it says what is wrong, like KeyError's lookups do
    """An event that the table does not hold for this state: a mistake of the caller. Nothing changed."""


@dataclass(slots=True)
class _Question:
    """What one event is about; conditions read it and the row that is taken signs it."""

    failure: Failure | None = None
    tries: Mapping[int, int] = field(default_factory=dict)
    exhausted: bool = False
    answer: Row | None = None


class Row(Transition):
    """One row of the table. `clause` is the retry or catch clause it stands for, `dest` None = stays."""

    def __init__(
        self, *args: Any, edge: EdgeSpec, kind: Kind, clause: Retry | Catch | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.edge = edge
        self.kind = kind
        self.clause = clause

    def execute(self, event_data: EventData) -> bool:
        taken = super().execute(event_data)
        if taken:
            _question(event_data).answer = self
        return taken


class _Rows(Machine):
    transition_cls = Row


class Table:
    """The compiled machine: where a node may go from where it is, and where an event takes it.

    Raises ValueError when the spec names a state, or a guard, that does not exist, or an edge twice.
    `checks` reports the same and far more, with positions; this is the last line of defence.
    """

    def __init__(self, spec: MachineSpec, guards: Mapping[str, Guard]) -> None:
        _refuse_nonsense(spec, guards)
        self.spec = spec
        self.edges: Mapping[str, EdgeSpec] = MappingProxyType({edge.name: edge for edge in spec.edges})
        rows = list(_rows(spec, guards))
        self._in_flight = {_in_flight(s, e): (s, e.name) for e in spec.edges if e.do for s in e.sources}
        self.states: frozenset[str] = frozenset(spec.states) | frozenset(self._in_flight)
        self._machine = _machine(spec, [*spec.states, *self._in_flight], rows)
        self._guards = {edge.name: _conditions(edge, guards) for edge in spec.edges}
        self._out = {state: _edges_from(spec, state) for state in self.states}

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row as `transitions` holds it, in document order."""
        return tuple(row for row in self._machine.get_transitions() if isinstance(row, Row))

    def edges_from(self, state: str) -> tuple[EdgeSpec, ...]:
        """The edges that leave this state, in document order; none from an outcome or in flight."""
        return self._known(self._out, state)

    def outcome(self, state: str) -> Literal["success", "failure"] | None:
        """How a node that is in this state has ended, or None while it has not."""
        self._known(self._out, state)
        return self.spec.states[state].outcome if state in self.spec.states else None

    def in_flight(self, state: str) -> tuple[str, str] | None:
        """The source and the edge of an in-flight state; None for any other state."""
        self._known(self._out, state)
        return self._in_flight.get(state)

    def is_open(self, node: Stateful, edge_name: str) -> bool:
        """Whether every guard of the edge allows this node. Signals are the caller's business."""
        return all(condition(node) for condition in self._known(self._guards, edge_name))

    def begin(self, node: Stateful, edge_name: str) -> bool:
        """Enter the edge: in flight, or at its target when it has no action. False = a guard refuses."""
        return self._fire(node, edge_name, "begin", _Question()) is not None

    def succeed(self, node: Stateful, edge_name: str) -> None:
        """The action is done: from in flight to the edge's target."""
        self._fire(node, edge_name, "ok", _Question())

    def interrupt(self, node: Stateful, edge_name: str) -> None:
        """The action was stopped, or is not known to have ended: from in flight back to the source."""
        self._fire(node, edge_name, "stop", _Question())

    def fail(
        self,
        node: Stateful,
        edge_name: str,
        failure: Failure,
        tries: Mapping[int, int],
        exhausted: bool,
    ) -> Retry | Catch:
        """The attempt failed: say which clause takes it, and move the node if it is a catch clause.

        The first retry clause that matches decides, and it alone (`retry_index`). When its tries
        are used up, when the failure is final, or when the edge's deadline is over (`exhausted`),
        the first catch clause that matches takes it. `tries` counts the failures that each retry
        clause was charged with, by the clause's index, this one included.
        """
        row = self._fire(node, edge_name, "err", _Question(failure, tries, exhausted))
        if row is None or row.clause is None:
            raise OutOfPlace(
                f"no clause of edge {edge_name!r} takes {failure.kind!r}: it lacks a catch for '*'"
            )
        return row.clause

    def retry_index(self, edge_name: str, failure: Failure) -> int | None:
        """The retry clause that is charged with this failure; None when none matches."""
        return _first_match(self._known(self.edges, edge_name), failure)

    def _fire(self, node: Stateful, edge_name: str, kind: Kind, question: _Question) -> Row | None:
        self._known(self.edges, edge_name)
        event = self._machine.events.get(_event_name(edge_name, kind))
        self._known(self._out, node.state)
        if event is None or node.state not in event.transitions:
            raise OutOfPlace(self._expected(node.state, edge_name, kind))
        event.trigger(node, question)
        return question.answer

    def _expected(self, state: str, edge_name: str, kind: Kind) -> str:
        events = [event for name, event in self._machine.events.items() if event.transitions.get(state)]
        expected = ", ".join(event.name for event in events) or "nothing: the node has ended"
        return (
            f"{_event_name(edge_name, kind)!r} cannot happen in state {state!r}; there it expects {expected}"
        )

    def _known(self, names: Mapping[str, _T], name: str) -> _T:
        try:
            return names[name]
        except KeyError:
            raise OutOfPlace(f"machine {self.spec.machine!r} has no {name!r}") from None


def _rows(spec: MachineSpec, guards: Mapping[str, Guard]) -> Iterator[dict[str, Any]]:
    """Every row of the table in document order: what `Machine.add_transition` is to be told."""
    for edge in spec.edges:
        allowed = [_of_node(condition) for condition in _conditions(edge, guards)]
        for source in edge.sources:
            entered = _in_flight(source, edge) if edge.do else edge.to
            yield _row(edge, "begin", source, entered, conditions=allowed)
            if edge.do:
                yield from _rows_in_flight(edge, source, entered)


def _rows_in_flight(edge: EdgeSpec, source: str, state: str) -> Iterator[dict[str, Any]]:
    yield _row(edge, "ok", state, edge.to)
    for index, retry in enumerate(edge.retry):
        yield _row(edge, "err", state, None, clause=retry, conditions=[_may_repeat(edge, index)])
    for catch in edge.catch:
        yield _row(edge, "err", state, catch.to, clause=catch, conditions=[_is_caught_by(catch)])
    yield _row(edge, "stop", state, source)


def _row(edge: EdgeSpec, kind: Kind, source: str, dest: str | None, **more: Any) -> dict[str, Any]:
    return {
        "trigger": _event_name(edge.name, kind),
        "source": source,
        "dest": dest,
        "edge": edge,
        "kind": kind,
        **more,
    }


def _machine(spec: MachineSpec, states: list[str], rows: list[dict[str, Any]]) -> Machine:
    return _Rows(
        model=None,
        states=states,
        initial=spec.initial,
        transitions=rows,
        auto_transitions=False,
        send_event=True,
        queued=False,
    )


def _event_name(edge_name: str, kind: Kind) -> str:
    return f"{edge_name}.{kind}"


def _in_flight(source: str, edge: EdgeSpec) -> str:
    return f"{source}{IN_FLIGHT}{edge.name}"


def _edges_from(spec: MachineSpec, state: str) -> tuple[EdgeSpec, ...]:
    return tuple(edge for edge in spec.edges if state in edge.sources)


def _question(event: EventData) -> _Question:
    (question,) = event.args
    return question  # type: ignore[no-any-return]  # only `_fire` triggers events


def _of_node(condition: Callable[[Any], bool]) -> Callable[[EventData], bool]:
    return lambda event: condition(event.model)


def _conditions(edge: EdgeSpec, guards: Mapping[str, Guard]) -> tuple[Callable[[Any], bool], ...]:
    """The edge's guards as predicates that must all be true."""
    return tuple(_condition(guards[name.removeprefix("!")], name.startswith("!")) for name in edge.guard)


def _condition(guard: Guard, negated: bool) -> Callable[[Any], bool]:
    return lambda node: bool(guard(node)) is not negated


def _may_repeat(edge: EdgeSpec, index: int) -> Callable[[EventData], bool]:
    """The condition of a retry row: this clause decides, and it has tries left."""
    attempts = edge.retry[index].attempts

    def condition(event: EventData) -> bool:
        question = _question(event)
        failure = question.failure
        if failure is None or failure.final or question.exhausted:
            return False
        if _first_match(edge, failure) != index:
            return False
        return attempts is None or question.tries.get(index, 1) < attempts

    return condition


def _is_caught_by(catch: Catch) -> Callable[[EventData], bool]:
    def condition(event: EventData) -> bool:
        failure = _question(event).failure
        return failure is not None and matches(catch.match, failure)

    return condition


def _first_match(edge: EdgeSpec, failure: Failure) -> int | None:
    for index, retry in enumerate(edge.retry):
        if matches(retry.match, failure):
            return index
    return None


def _refuse_nonsense(spec: MachineSpec, guards: Mapping[str, Guard]) -> None:
    """`transitions` accepts unknown states, and overwrites nothing: say it here, before it is too late."""
    names = [edge.name for edge in spec.edges]
    faults = [f"edge {name!r} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if spec.initial not in spec.states:
        faults.append(f"initial: unknown state {spec.initial!r}")
    for edge in spec.edges:
        states = [*edge.sources, edge.to, *(catch.to for catch in edge.catch)]
        faults += [f"edge {edge.name!r}: unknown state {s!r}" for s in states if s not in spec.states]
        wanted = [name.removeprefix("!") for name in edge.guard]
        faults += [f"edge {edge.name!r}: unknown guard {g!r}" for g in wanted if g not in guards]
    if faults:
        raise ValueError(f"machine {spec.machine!r} cannot be compiled: " + "; ".join(faults))
