"""A machine as a picture: mermaid and dot, drawn from the rows of the compiled table.

The picture shows what runs: in-flight states are nodes with the name of their edge, retry clauses
are a loop on them, catch clauses lead away. Left out is one arrow each in-flight state has, back to
its source when the run is interrupted.

Pure text out of a table. Begin reading at `_arrows`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from machines.errors import ANY
from machines.spec import Catch, EdgeSpec, MachineSpec, Retry
from machines.table import Table

__all__ = ["dot", "mermaid"]

Kind: TypeAlias = Literal["plain", "flight", "success", "failure"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_MERMAID_SPECIAL = re.compile(r"[^\w\s.,()!'*/+=~-]")
_MERMAID_STYLES = {
    "flight": "fill:#eef3fb,stroke:#7a8ba8,stroke-dasharray:4 3",
    "success": "fill:#e3f4e3,stroke:#2e7d32,stroke-width:2px",
    "failure": "fill:#fbe6e6,stroke:#b3261e,stroke-width:2px",
}
_DOT_STYLES = {
    "plain": 'style="rounded,filled", fillcolor="#ffffff"',
    "flight": 'style="rounded,filled,dashed", fillcolor="#eef3fb", color="#7a8ba8"',
    "success": 'style="rounded,filled", fillcolor="#e3f4e3", color="#2e7d32", peripheries=2',
    "failure": 'style="rounded,filled", fillcolor="#fbe6e6", color="#b3261e", peripheries=2',
}
_DOT_ARROWS = {
    "begin": "",
    "ok": ", weight=4",
    "retry": ', style=dashed, color="#7a8ba8"',
    "catch": ', color="#b3261e"',
}


@dataclass(frozen=True, slots=True)
class _Arrow:
    source: str
    target: str
    lines: tuple[str, ...]
    kind: Literal["begin", "ok", "retry", "catch"]


@dataclass(frozen=True, slots=True)
class _Node:
    id: str  # both languages have words and characters of their own: states are numbered
    lines: tuple[str, ...]
    kind: Kind


def mermaid(table: Table, counts: Mapping[str, int] | None = None) -> str:
    """The table as a mermaid `stateDiagram-v2`. `counts` says how many nodes are in each state."""
    nodes = _nodes(table, counts or {})
    lines = ["stateDiagram-v2"]
    lines += [f'  state "{_mermaid_text(node.lines)}" as {node.id}' for node in nodes.values()]
    lines.append(f"  [*] --> {nodes[table.spec.initial].id}")
    for arrow in _arrows(table):
        label = f" : {_mermaid_text(arrow.lines)}" if arrow.lines else ""
        lines.append(f"  {nodes[arrow.source].id} --> {nodes[arrow.target].id}{label}")
    lines += [f"  {nodes[state].id} --> [*]" for state in nodes if table.outcome(state)]
    for kind, style in _MERMAID_STYLES.items():
        styled = [node.id for node in nodes.values() if node.kind == kind]
        lines += [f"  classDef {kind} {style}", f"  class {','.join(styled)} {kind}"] if styled else []
    return "\n".join(lines) + "\n"


def dot(table: Table, counts: Mapping[str, int] | None = None) -> str:
    """The table in graphviz' language. `counts` says how many nodes are in each state."""
    nodes = _nodes(table, counts or {})
    lines = [
        f"digraph {_dot_text((table.spec.machine,))} {{",
        '  graph [rankdir=TB, fontname="sans-serif"];',
        '  node [shape=box, fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
        "  start [shape=point, width=0.15];",
        f"  start -> {nodes[table.spec.initial].id};",
    ]
    for node in nodes.values():
        lines.append(f"  {node.id} [label={_dot_text(node.lines)}, {_DOT_STYLES[node.kind]}];")
    for arrow in _arrows(table):
        ends = f"{nodes[arrow.source].id} -> {nodes[arrow.target].id}"
        lines.append(f"  {ends} [label={_dot_text(arrow.lines)}{_DOT_ARROWS[arrow.kind]}];")
    return "\n".join([*lines, "}"]) + "\n"


def _nodes(table: Table, counts: Mapping[str, int]) -> dict[str, _Node]:
    """States in document order, each in-flight state behind its source."""
    order = list(table.spec.states)
    flights = [state for state in table.states if table.in_flight(state)]
    edges = list(table.edges)

    def rank(state: str) -> tuple[int, int]:
        source, edge = table.in_flight(state) or (state, None)
        return order.index(source), -1 if edge is None else edges.index(edge)

    states = sorted([*order, *flights], key=rank)
    return {
        state: _node(table, f"s{number}", state, counts.get(state)) for number, state in enumerate(states)
    }


def _node(table: Table, node_id: str, state: str, count: int | None) -> _Node:
    flight = table.in_flight(state)
    name = state if flight is None else flight[1]
    lines = [name if count is None else f"{name} ({count})"]
    if flight is None:
        return _Node(node_id, tuple(lines), table.outcome(state) or "plain")
    lines += _limits_of_time(table.edges[flight[1]])
    return _Node(node_id, tuple(lines), "flight")


def _arrows(table: Table) -> Iterator[_Arrow]:
    for row in table.rows:
        if row.kind == "begin":
            yield _Arrow(row.source, row.dest or row.source, _opening(table.spec, row.edge), "begin")
        elif row.kind == "ok":
            yield _Arrow(row.source, row.dest or row.source, (), "ok")
        elif isinstance(row.clause, Catch):
            yield _Arrow(row.source, row.dest or row.source, _catch(row.clause), "catch")
    yield from _loops(table)


def _loops(table: Table) -> Iterator[_Arrow]:
    """One loop for all retry clauses of an in-flight state: loops side by side cannot be read."""
    clauses: dict[str, list[Retry]] = {}
    for row in table.rows:
        if isinstance(row.clause, Retry):
            clauses.setdefault(row.source, []).append(row.clause)
    for state, retries in clauses.items():
        yield _Arrow(state, state, tuple(_retry(clause) for clause in retries), "retry")


def _opening(spec: MachineSpec, edge: EdgeSpec) -> tuple[str, ...]:
    """What must be given before the edge is entered. Without action, the arrow bears its name."""
    lines = [] if edge.do else [edge.name]
    if edge.signal is not None:
        lines.append(f"on {edge.signal}")
    if edge.guard:
        lines.append("if " + " and ".join(re.sub("^!", "not ", guard) for guard in edge.guard))
    if edge.limit is not None:
        capacity = spec.limits.get(edge.limit)
        lines.append(f"limit {edge.limit}" + (f" {capacity}" if capacity is not None else ""))
    return tuple(lines)


def _retry(clause: Retry) -> str:
    tries = f"{clause.attempts} tries" if clause.attempts is not None else "until the deadline"
    return f"again on {_classes(clause.match)}: {tries}, after {_time(clause.delay)}"


def _catch(clause: Catch) -> tuple[str, ...]:
    return (f"on {_classes(clause.match)}", *(["roll back"] if clause.rollback else []))


def _classes(match: list[str]) -> str:
    return "any failure" if ANY in match else ", ".join(match)


def _limits_of_time(edge: EdgeSpec) -> list[str]:
    times = [(edge.timeout, "a try"), (edge.deadline, "in all")]
    text = ", ".join(f"{_time(seconds)} {words}" for seconds, words in times if seconds is not None)
    return [text] if text else []


def _time(seconds: float) -> str:
    """``5400`` as 90m, ``0.5`` as 500ms: the largest unit that says it without a fraction."""
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds * 1000:g}ms" if seconds else "0s"


def _mermaid_text(lines: tuple[str, ...]) -> str:
    """Characters that mean something to mermaid are written as its entities, ``#58;`` for a colon."""
    escaped = [
        _MERMAID_SPECIAL.sub(lambda found: f"#{ord(found[0])};", " ".join(line.split())) for line in lines
    ]
    return "<br/>".join(escaped)


def _dot_text(lines: tuple[str, ...]) -> str:
    escaped = [" ".join(line.split()).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
