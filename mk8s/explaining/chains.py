"""From a reason to its roots, and from all reasons to the few that matter. Pure.

A root is a node that waits for no other: it works, waits for its own next attempt, or has failed. Reasons
behind it are the same for many nodes, so they are told in groups. Begin reading at `roots_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mk8s.explaining.reasons import Reasons
from mk8s.explaining.values import Kind, Reason

__all__ = ["Group", "Root", "chain_of", "grouped", "roots_of"]

ORDER: tuple[Kind, ...] = (
    "failed", "gone", "back-off", "undoing", "working", "ready",
    "blocked", "queue", "signal", "new", "healthy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes with the same reason; `reason` is the first one's."""

    reason: Reason
    nodes: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Root:
    """Nodes that hold others back for the same reason."""

    group: Group
    holds_back: tuple[str, ...]  # everyone who waits for them, directly or through others


def chain_of(node: str, reasons: Reasons) -> list[list[Group]]:
    """Layer by layer: whom the node waits for, whom those wait for, down to the roots; each node once."""
    layers: list[list[Group]] = []
    seen, wave = {node}, [node]
    while wave:
        behind = [name for each in wave for name in reasons.of(each).behind if name not in seen]
        wave = list(dict.fromkeys(behind))
        seen.update(wave)
        if wave:
            layers.append(grouped(reasons.of(name) for name in wave))
    return layers


def roots_of(reasons: Reasons) -> list[Root]:
    """What bounds the whole cluster, the worst first. Healthy and new nodes are none."""
    every = [
        reason for reason in reasons.all() if not reason.behind and reason.kind not in ("healthy", "new")
    ]
    held = _held_back(reasons)
    roots = []
    for group in grouped(every):
        waiting = dict.fromkeys(name for node in group.nodes for name in held.get(node, ()))
        roots.append(Root(group, tuple(waiting)))
    return sorted(roots, key=lambda r: (r.group.reason.kind not in ("failed", "gone"), -len(r.holds_back)))


def grouped(reasons: Iterable[Reason]) -> list[Group]:
    """Nodes with the same reason together, what needs a person first."""
    found: dict[tuple[object, ...], list[Reason]] = {}
    for reason in reasons:
        found.setdefault(_same(reason), []).append(reason)
    groups = [
        Group(members[0], tuple(r.node for r in members), tuple(dict.fromkeys(r.role for r in members)))
        for members in found.values()
    ]
    return sorted(groups, key=lambda group: ORDER.index(group.reason.kind))


def _same(reason: Reason) -> tuple[object, ...]:
    """What makes two nodes' reasons one; their names in messages do not."""
    message = reason.message.replace(reason.node, "") if reason.kind == "failed" else ""
    return (reason.kind, reason.words, reason.edge, message, reason.kind == "failed" and reason.remedy)


def _held_back(reasons: Reasons) -> dict[str, list[str]]:
    """Root -> everyone who waits for it."""
    held: dict[str, list[str]] = {}
    memo: dict[str, frozenset[str]] = {}
    for reason in reasons.all():
        for root in _roots(reason.node, reasons, memo) if reason.behind else ():
            held.setdefault(root, []).append(reason.node)
    return held


def _roots(node: str, reasons: Reasons, memo: dict[str, frozenset[str]]) -> frozenset[str]:
    """Reached by a search, not by recursion: chains may be as long as the cluster."""
    if node not in memo:
        memo[node] = frozenset(_search(node, reasons))
    return memo[node]


def _search(node: str, reasons: Reasons) -> Iterator[str]:
    seen, stack = {node}, list[str](reasons.of(node).behind)
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        behind: Sequence[str] = reasons.of(name).behind
        stack += behind
        if not behind:
            yield name
