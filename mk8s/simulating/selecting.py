"""Words for nodes that fit any manifest: ``primary``, ``server[1]``, ``agents[0:3]``, ``*``, or a name.

A node's own name wins over the words. Pure.
"""

from __future__ import annotations

import re

from mk8s.cluster import Cluster, Node

__all__ = ["EXAMPLES", "selector_fault", "selector_of", "selects"]

EVERYONE = "*"
PRIMARY = "primary"
EXAMPLES = "a node's name, *, primary, servers, server[1], agents, agent[0] or agents[0:3]"
WORDS = re.compile(r"(server|servers|agent|agents)(?:\[(?:(\d{1,6})|(\d{0,6}):(\d{0,6}))\])?")
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def selector_fault(selector: str) -> str | None:
    """What is wrong with the words themselves; None when they may select somebody in some manifest."""
    if selector == EVERYONE or WORDS.fullmatch(selector) or NAME.fullmatch(selector):
        return None
    return f"{selector!r} names no nodes"


def selects(selector: str, cluster: Cluster) -> tuple[str, ...]:
    """The names of the nodes, in the order of the plan. Nobody, where the manifest has no such node."""
    names = tuple(node.name for node in cluster.nodes)
    if selector in names:
        return (selector,)
    if selector == EVERYONE:
        return names
    if selector == PRIMARY:
        return tuple(node.name for node in cluster.servers[:1])
    found = WORDS.fullmatch(selector)
    if found is None:
        return ()
    kind, index, first, last = found.groups()
    role = cluster.servers if kind.startswith("server") else cluster.agents
    return tuple(node.name for node in role[_part(index, first, last)])


def selector_of(name: str, cluster: Cluster) -> str:
    """Words that select this node, also in a manifest where it has another name."""
    for word, role in (("server", cluster.servers), ("agent", cluster.agents)):
        for index, node in enumerate(role):
            if node.name == name:
                return _word(word, index, node)
    return name


def _word(word: str, index: int, node: Node) -> str:
    return PRIMARY if node.role == "primary" else f"{word}[{index}]"


def _part(index: str | None, first: str | None, last: str | None) -> slice:
    if index is not None:
        return slice(int(index), int(index) + 1)
    return slice(int(first) if first else None, int(last) if last else None)
