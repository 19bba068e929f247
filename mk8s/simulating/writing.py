"""A scenario as the text of a file: what `mk8s.simulating.scenario` reads back to the same. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from machines.words import one_line
from mk8s.amounts import counted
from mk8s.cluster import Cluster
from mk8s.simulating.casting import Cast, Expected
from mk8s.simulating.happenings import Happening
from mk8s.simulating.selecting import selector_of
from mk8s.simulating.shrinking import Shrunk
from mk8s.simulating.striking import Strike

__all__ = ["scenario_text", "shrunk_text"]

PLAIN = re.compile(r"[a-z][a-z0-9.-]*")
NAME = re.compile(r"[^a-z0-9]+")


def shrunk_text(shrunk: Shrunk, cluster: Cluster, command: str, repeat: str) -> str:
    """A file about the smallest that fails. `command` repeats the run it came from, `repeat` this file."""
    remarks = [
        repeat,
        f"repeats this. It is the smallest that was found of: {command}",
        f"What fails: {shrunk.symptom}.",
        f"Of {counted(shrunk.faults_before, 'fault')} on {counted(shrunk.nodes_before, 'node')} are left "
        f"{shrunk.size}, after {counted(shrunk.runs, 'run')}.",
    ]
    name = NAME.sub("-", f"seed-{shrunk.seed}-{shrunk.symptom}".lower()).strip("-")
    return scenario_text(name, str(shrunk.symptom), shrunk.cast, cluster, remarks)


def scenario_text(name: str, title: str, made: Cast, cluster: Cluster, remarks: Sequence[str] = ()) -> str:
    """The file. Nodes are told by words that fit other manifests too; `cluster` is all of the manifest."""
    lines = [f"# {one_line(remark)}" for remark in remarks]
    lines += [f"scenario: {_text(name)}", f"title: {_text(title)}"]
    if made.seed is not None:
        lines.append(f"seed: {made.seed}")
    if made.nodes is not None:
        lines.append(f"nodes: [{', '.join(json.dumps(selector_of(name, cluster)) for name in made.nodes)}]")
    for strike in made.strikes:
        lines += _entry(_strike(strike, cluster))
    for happening in made.happenings:
        lines += _entry(_happening(happening, cluster))
    if made.strikes or made.happenings:
        first = next(index for index, line in enumerate(lines) if line.startswith("  - "))
        lines.insert(first, "faults:")
    taking_part = frozenset(made.nodes if made.nodes is not None else (node.name for node in cluster.nodes))
    lines += _expect(made.expected, cluster, taking_part)
    return "\n".join(lines) + "\n"


def _entry(fields: Mapping[str, str]) -> list[str]:
    lines = [f"    {key}: {value}" for key, value in fields.items()]
    return [f"  - {lines[0].lstrip()}", *lines[1:]]


def _strike(strike: Strike, cluster: Cluster) -> dict[str, str]:
    fields = {
        "node": _text(selector_of(strike.node, cluster)),
        "operation": _text(strike.operation),
        "attempt": "every" if strike.attempt is None else str(strike.attempt),
        "what": strike.kind,
    }
    return fields if strike.fraction == 0.5 else {**fields, "fraction": _number(strike.fraction)}


def _happening(one: Happening, cluster: Cluster) -> dict[str, str]:
    fields = {"node": _text(selector_of(one.node, cluster))} if one.node else {}
    fields["what"] = one.what
    if one.when is None:
        fields["at"] = _seconds(one.after)
    else:
        node = _text(selector_of(one.when.node, cluster))
        fields["when"] = f"{{edge: {one.when.edge}, is: {one.when.is_}, node: {node}}}"
        if one.after:
            fields["after"] = _seconds(one.after)
    if one.lasts is not None:
        fields["for"] = _seconds(one.lasts)
    if one.port:
        fields["port"] = str(one.port)
    if one.rate:
        fields["rate"] = f"{_number(round(one.rate / 1000, 3))}kB/s"
    return fields


def _expect(expected: Expected, cluster: Cluster, names: frozenset[str]) -> Iterator[str]:
    nodes = {name: allowed for name, allowed in expected.nodes.items() if name in names}
    if not nodes and expected.within is None:
        return
    yield "expect:"
    if nodes:
        yield "  nodes:"
    for name, allowed in nodes.items():
        yield f"    {json.dumps(selector_of(name, cluster))}: [{', '.join(allowed)}]"
    if expected.within is not None:
        yield f"  within: {_seconds(expected.within)}"


def _text(text: str) -> str:
    """Plain where YAML takes it for text in any place."""
    return text if PLAIN.fullmatch(text) and text not in ("true", "false", "null") else json.dumps(text)


def _number(value: float) -> str:
    return f"{value:.17f}".rstrip("0").rstrip(".")


def _seconds(value: float) -> str:
    return f"{_number(round(value, 6))}s"
