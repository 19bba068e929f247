"""What changed in the manifest since the run that stands in the journal, and whether `run` can follow.

`run` can add nodes and change how it works (limits, budgets, policy, logins, checks). It can not yet
remove a node, change the distro's version, renumber a network or roll a new config over an installed
node: those are refused, with nothing touched, instead of being ignored.

Pure: two clusters and the nodes' states in, sentences out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from machines.signals import listed
from mk8s.cluster import Cluster, Node

__all__ = ["come_and_gone", "refusals"]

GONE = "in the journal but not in the manifest any more; removing nodes is not built yet"
COME = "in the manifest but not in the journal: not in a run yet"

UNTOUCHED = frozenset({"pending", "staged"})
"""States in which nothing of the config is on the node yet."""
View: TypeAlias = Callable[[Cluster], object]

SETTLED: tuple[tuple[str, View], ...] = (
    ("distro", lambda cluster: cluster.distro),
    ("version", lambda cluster: cluster.version),
    ("endpoint", lambda cluster: cluster.endpoint),
    ("install_method", lambda cluster: cluster.install_method),
    ("network.pod_cidr", lambda cluster: cluster.net.pod_cidr),
    ("network.service_cidr", lambda cluster: cluster.net.service_cidr),
    ("network.dns_domain", lambda cluster: cluster.net.dns_domain),
    ("network.cni", lambda cluster: cluster.net.cni),
    ("endpoint.by", lambda cluster: cluster.balancer.by),
    ("endpoint.interface", lambda cluster: cluster.balancer.interface),
    ("endpoint.image", lambda cluster: cluster.balancer.image),
    ("endpoint.router_id", lambda cluster: cluster.balancer.router_id),
    ("endpoint.node_local", lambda cluster: cluster.balancer.node_local),
    ("control_plane", lambda cluster: cluster.control_plane),
    ("datastore.endpoint", lambda cluster: cluster.datastore and cluster.datastore.endpoint),
    ("join.address", lambda cluster: cluster.joins and cluster.joins.address),
    ("swap", lambda cluster: cluster.swap),
)
"""What every node and every certificate was made for. A default that is written out is no change."""
TAKEN_BACK = "rolled-back"
"""The state after a rejected join: the node is installed and stopped, and its next start has a new config."""
MENDABLE = ("config", "drop_ins")
TAKEN_OUT: Mapping[str, Mapping[str, str]] = {"k3s": {"cluster-init": "false"}}
"""Settings of a distro with the value that may be taken out: its `refresh` does the rest on healthy nodes."""


def refusals(old: Cluster, new: Cluster, states: Mapping[str, str]) -> list[str]:
    """Sentences for every change that a run cannot follow; empty when it can."""
    before = {node.name: node for node in old.nodes}
    after = {node.name: node for node in new.nodes}
    begun = {name for name, state in states.items() if state.split("~")[0] not in UNTOUCHED}
    found = _cluster_refusals(old, new) if begun else []
    found += [_standing([name], GONE) for name in sorted(before.keys() - after.keys())]
    for name in sorted(begun & before.keys() & after.keys()):
        former = _without_taken_out(new.distro, before[name], after[name])
        found += _node_refusals(former, after[name], may_mend=states[name] == TAKEN_BACK)
    return found


def come_and_gone(journal: Iterable[str], cluster: Cluster) -> list[str]:
    """Sentences for who only reads: of what the journal's nodes say, the manifest's others are no part."""
    before, after = dict.fromkeys(journal), dict.fromkeys(node.name for node in cluster.nodes)
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    return [_standing(names, words) for names, words in ((gone, GONE), (come, COME)) if names]


def _standing(names: Sequence[str], words: str) -> str:
    return f"nodes {listed(names)} stand {words}" if len(names) > 1 else f"node {names[0]} stands {words}"


def _without_taken_out(distro: str, old: Node, new: Node) -> Node:
    """The old node as if it had been written without what was taken out and may be; else as it was."""
    gone = {
        key
        for key, value in TAKEN_OUT.get(distro, {}).items()
        if str(old.config.get(key)).lower() == value and str(new.config.get(key, "true")).lower() != value
    }
    rest = [{key: node.config[key] for key in node.config if key not in gone} for node in (old, new)]
    same = gone and rest[0] == rest[1]
    return replace(old, config=new.config, config_text=new.config_text) if same else old


def _cluster_refusals(old: Cluster, new: Cluster) -> list[str]:
    found = [
        f"{key} was {view(old)!r} and is now {view(new)!r}; changing it is not built yet"
        for key, view in SETTLED
        if view(old) != view(new)
    ]
    if old.registries != new.registries:
        found.append(
            "registries changed after nodes were installed; changing what they are told is not built yet"
        )
    if old.hosts_entries and not new.hosts_entries:
        found.append("hosts_entries was true and is not now; taking the entries back is not built yet")
    return found


def _node_refusals(old: Node, new: Node, *, may_mend: bool) -> list[str]:
    views: tuple[tuple[str, Callable[[Node], object]], ...] = (
        ("address", lambda node: node.address),
        ("role", lambda node: node.role),
        ("arch", lambda node: node.arch),
        ("config", lambda node: (node.config_text, dict(node.config))),
        ("drop_ins", lambda node: dict(node.drop_ins)),
        ("arguments", lambda node: node.arguments),
        ("labels", lambda node: dict(node.labels)),
        ("taints", lambda node: node.taints),
        ("proxy", lambda node: node.proxy),
    )
    changed = [what for what, view in views if view(old) != view(new)]
    if old.ip != new.ip and "address" not in changed:
        changed.append("node_ip")
    return [
        f"node {new.name}: its {what} changed after it was installed; rolling such a change is not built yet"
        for what in changed
        if not (may_mend and what in MENDABLE)
    ]
