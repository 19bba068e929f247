"""What vanilla cannot do with a manifest, found before any node is touched.

Each rule is one small function from the cluster to sentences ``path: message; hint``. Add a rule to RULES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from machines.words import shown
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.upstream import faults as shared
from mk8s.distros.vanilla import configs, flags, settings, versions
from mk8s.distros.vanilla.artifacts import artifact_items
from mk8s.needs import Kept

__all__ = ["find_faults"]

Rule: TypeAlias = Callable[[Cluster], Iterator[str]]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
FLAG = re.compile(r"[a-z][a-z0-9-]*")


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault of every rule, in the order of the rules."""
    rules = (shared.modes,) if shared.is_without_servers(cluster) else RULES
    return [fault for rule in rules for fault in rule(cluster)]


def _version(cluster: Cluster) -> Iterator[str]:
    return shared.version(cluster, versions.OLDEST)


def _components(cluster: Cluster) -> Iterator[str]:
    return shared.config_parts(cluster, settings.COMPONENTS, "component", "settings, such as {v: 2}")


def _owned(cluster: Cluster) -> Iterator[str]:
    if any(_version(cluster)) or any(shared.networks(cluster)):
        return  # then nothing can be rendered to compare with
    for node in cluster.nodes:
        for component in settings.COMPONENTS:
            given = settings.of(node, component)
            for name in settings.owned(_rendered(cluster, node, component), given, component):
                yield (
                    f"nodes.{node.name}.config.{component}.{name}: mk8s sets this itself, "
                    "for other parts of the cluster rely on it; leave it out"
                )


def _rendered(cluster: Cluster, node: Node, component: str) -> Mapping[str, Any]:
    """What mk8s sets of a component, whatever this node's role: the names are what matters."""
    s = Situation(cluster, node, None, {}, "", Kept())
    fields = {"kubelet": configs.kubelet_fields, "kube-proxy": configs.proxy_fields}.get(component)
    return fields(s) if fields else flags.RENDERED[component](s)


def _flag_names(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        for component in settings.FLAGGED:
            for name in settings.of(node, component):
                if not FLAG.fullmatch(str(name)):
                    yield (
                        f"nodes.{node.name}.config.{component}.{name}: is no flag's name; "
                        "write it without dashes before it, in lower case"
                    )


def _flag_values(cluster: Cluster) -> Iterator[str]:
    """A unit file has lines: what breaks one would begin a setting of the unit's own."""
    for node in cluster.nodes:
        for component in settings.FLAGGED:
            for name, value in settings.of(node, component).items():
                text = settings.as_flag(value)
                if CONTROL.search(text):
                    yield (
                        f"nodes.{node.name}.config.{component}.{name}: {shown(text)} holds "
                        "a line break or another control character; write it on one line"
                    )


def _taints_twice(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        given = "registerWithTaints" in settings.of(node, "kubelet")
        if given and (node.taints or cluster.control_plane):
            yield (
                f"nodes.{node.name}.config.kubelet.registerWithTaints: stands beside `taints` or "
                "`control_plane`; leave one of the two out"
            )


def _artifacts(cluster: Cluster) -> Iterator[str]:
    return shared.artifacts(cluster, artifact_items(cluster))


RULES: tuple[Rule, ...] = (
    _version,
    shared.addresses,
    shared.networks,
    _components,
    _owned,
    _flag_names,
    _flag_values,
    shared.endpoint,
    _taints_twice,
    _artifacts,
    shared.registries,
    shared.modes,
)
