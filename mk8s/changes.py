"""What changed in the manifest since the run that stands in the journal, and whether `run` can follow.

`run` can add nodes and change how it works (limits, budgets, policy, logins). It can not yet remove a
node, change the distro's version or roll a new config over an installed node: those are refused, with
nothing touched, instead of being ignored.

Pure: two clusters and the nodes' states in, sentences out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mk8s.cluster import Cluster, Node

__all__ = ["refusals"]

UNTOUCHED = frozenset({"pending", "staged"})
"""States in which nothing of the config is on the node yet."""
TAKEN_BACK = "rolled-back"
"""The state after a rejected join: the node is installed and stopped, and its next start has a new config."""


def refusals(old: Cluster, new: Cluster, states: Mapping[str, str]) -> list[str]:
    """Sentences for every change that a run cannot follow; empty when it can."""
    before = {node.name: node for node in old.nodes}
    after = {node.name: node for node in new.nodes}
    begun = {name for name, state in states.items() if state.split("~")[0] not in UNTOUCHED}
    found = [
        f"{key} was {getattr(old, key)!r} and is now {getattr(new, key)!r}; changing it is not built yet"
        for key in ("distro", "version", "endpoint", "install_method")
        if begun and getattr(old, key) != getattr(new, key)
    ]
    found += [
        f"node {name} stands in the journal but not in the manifest any more; removing nodes is not built yet"
        for name in sorted(before.keys() - after.keys())
    ]
    for name in sorted(begun & before.keys() & after.keys()):
        found += _node_refusals(before[name], after[name], may_mend=states[name] == TAKEN_BACK)
    return found


def _node_refusals(old: Node, new: Node, *, may_mend: bool) -> list[str]:
    views: tuple[tuple[str, Callable[[Node], object]], ...] = (
        ("address", lambda node: node.address),
        ("role", lambda node: node.role),
        ("arch", lambda node: node.arch),
        ("config", lambda node: (node.config_text, dict(node.config))),
    )
    return [
        f"node {new.name}: its {what} changed after it was installed; rolling such a change is not built yet"
        for what, view in views
        if view(old) != view(new) and not (may_mend and what == "config")
    ]
