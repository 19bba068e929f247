"""Why a node is where it is: what it waits for, what was tried, what comes next, what to do. Pure.

Everything comes from the journal and the table; no node is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from machines import EdgeSpec, History, Life, MachineSpec, Record
from machines.words import printable
from mk8s.screen.words import duration, line_of

__all__ = ["explain", "next_edges"]

LAST = 8  # pieces of news that are shown


def explain(name: str, history: History, records: Sequence[Record]) -> str:
    """A few lines on one node, for people. One that the manifest has got since is in no run yet."""
    if name not in history.lives:
        return f"{name} is not in a run yet\nnext: the next run begins with it"
    life = history.lives[name]
    spec = history.table.spec
    since = next((r.at for r in reversed(records) if r.node == name and r.kind == "state"), 0.0)
    lines = [
        f"{name} ({life.role}) is {_where(life)}, since {duration(since)} of the run, "
        f"{duration(history.at - since)} at the last record",
        *_why(life, history),
        *_tried(life),
        *_next(life, spec),
        *_news(name, spec, records),
    ]
    return printable("\n".join(lines))


def next_edges(life: Life, spec: MachineSpec) -> list[EdgeSpec]:
    """The edges that the node may take from here, its role's own."""
    state = life.edge.source if life.edge else life.state
    return [e for e in spec.edges if state in e.sources and (not e.guard or f"is_{life.role}" in e.guard)]


def _where(life: Life) -> str:
    if life.edge is None:
        return life.state
    edge = life.table.edges[life.edge.edge]
    return f"between {life.edge.source} and {edge.to}, at: {edge.title or edge.name}"


def _why(life: Life, history: History) -> list[str]:
    if life.blocked:
        return [f"it is blocked: {life.blocked}"]
    if life.failure and life.table.outcome(life.state) == "failure":
        return _failure(life)
    if life.table.outcome(life.state) == "success":
        return ["nothing is left to do on it"]
    return [_waiting(life, history)]


def _failure(life: Life) -> list[str]:
    assert life.failure is not None
    edge = life.failed_at.edge if life.failed_at else ""
    title = life.table.edges[edge].title if edge else "its last edge"
    lines = [f"it failed at: {title}", f"  {life.failure.message or life.failure.kind}"]
    return lines + ([f"  hint: {life.failure.remedy}"] if life.failure.remedy else [])


def _waiting(life: Life, history: History) -> str:
    if life.edge is not None:
        return _in_flight(life)
    signals = [e.signal for e in next_edges(life, history.table.spec) if e.signal]
    open_signals = [signal for signal in signals if signal not in history.latched]
    if not open_signals:
        return _queueing(life, history) or "nothing holds it back: the next run goes on with it"
    wanted = history.table.spec.signals[open_signals[0]]
    there = sum(o.role in wanted.role and wanted.state in o.reached for o in history.lives.values())
    total = sum(o.role in wanted.role for o in history.lives.values())
    roles = " and ".join(wanted.role)
    return (
        f"it waits for {open_signals[0]}: {wanted.at_least} of role {roles} in state {wanted.state} "
        f"({there} of {total} are)"
    )


def _queueing(life: Life, history: History) -> str:
    """Whose place it waits for, where an edge ahead is limited; empty where none is."""
    limits = {edge.limit for edge in next_edges(life, history.table.spec) if edge.limit}
    edges = history.table.edges
    busy = [name for name, o in history.lives.items() if o.edge and edges[o.edge.edge].limit in limits]
    return f"it waits for its turn at {', '.join(sorted(limits))}, after {', '.join(busy)}" if busy else ""


def _in_flight(life: Life) -> str:
    assert life.edge is not None
    edge = life.table.edges[life.edge.edge]
    limits = [
        f"{words} {duration(value)}"
        for words, value in (("an attempt may take", edge.timeout), ("all attempts together", edge.deadline))
        if value is not None
    ]
    used = f", {duration(life.used)} used" if life.used else ""
    return f"attempt {max(life.attempt, 1)}; " + "; ".join(limits) + used


def _tried(life: Life) -> list[str]:
    if life.edge is None or not life.failure:
        return []
    return [f"the last attempt failed: {life.failure.message or life.failure.kind}"]


def _next(life: Life, spec: MachineSpec) -> list[str]:
    if life.table.outcome(life.state) == "success":
        return []
    if life.table.outcome(life.state) == "failure":
        begin = life.failed_at.edge if life.failed_at else "its first edge"
        return [f"next: mend it, then run again: it starts over at {begin}"]
    ahead = [f"{edge.name} ({edge.title or edge.name}) -> {edge.to}" for edge in next_edges(life, spec)]
    return [f"next: {step}" for step in ahead]


def _news(name: str, spec: MachineSpec, records: Sequence[Record]) -> list[str]:
    titles = {edge.name: edge.title or edge.name for edge in spec.edges}
    news = [
        f"  {duration(record.at):>7}  {line.text}"
        for record in records
        if record.node == name and (line := line_of(record, titles))
    ]
    return ["what happened last:", *news[-LAST:]] if news else []
