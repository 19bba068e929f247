"""What kubeadm cannot do with a manifest, found before any node is touched.

Each rule is one small function from the cluster to sentences ``path: message; hint``. Add a rule to RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.distros.kubeadm import config
from mk8s.distros.kubeadm.arguments import ARGUMENTS, arguments_of, is_arguments, repeated
from mk8s.distros.kubeadm.artifacts import artifact_items
from mk8s.distros.upstream import faults as shared

__all__ = ["find_faults"]

Rule: TypeAlias = Callable[[Cluster], Iterator[str]]

OLDEST = 19  # v1beta2, and service-account tokens as they are now; older ones were never tried
HEAD = ("apiVersion", "kind")


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault of every rule, in the order of the rules."""
    rules = (shared.modes,) if shared.is_without_servers(cluster) else RULES
    return [fault for rule in rules for fault in rule(cluster)]


def _version(cluster: Cluster) -> Iterator[str]:
    return shared.version(cluster, OLDEST)


def _kinds(cluster: Cluster) -> Iterator[str]:
    form = "fields, as kubeadm's reference names them; indent them"
    return shared.config_parts(cluster, config.KINDS, "kind", form)


def _owned(cluster: Cluster) -> Iterator[str]:
    for node, kind, fields in _given(cluster):
        path = f"nodes.{node.name}.config.{kind}"
        for name in HEAD:
            if name in fields:
                yield f"{path}.{name}: mk8s writes it for the release; leave it out"
        for name, why in config.OWNED[kind].items():
            if _has(fields, name):
                yield f"{path}.{name}: cannot be given here: {why}; leave it out"


def _has(fields: Mapping[str, Any], dotted: str) -> bool:
    name, _, rest = dotted.partition(".")
    below = fields.get(name)
    return name in fields and (not rest or (isinstance(below, Mapping) and _has(below, rest)))


def _given(cluster: Cluster) -> Iterator[tuple[Node, str, Mapping[str, Any]]]:
    for node in cluster.nodes:
        for kind, fields in node.config.items():
            if kind in config.KINDS and isinstance(fields, Mapping):
                yield node, str(kind), fields


def _cluster_wide(cluster: Cluster) -> Iterator[str]:
    """Only the first server's are read, so nobody may believe that another's count."""
    first = cluster.primary
    for node, kind, fields in _given(cluster):
        if kind in config.CLUSTER_WIDE and node is not first and fields != first.config.get(kind):
            yield (
                f"nodes.{node.name}.config.{kind}: differs from {first.name}'s, and a cluster has one; "
                f"give it for all nodes, or to {first.name}"
            )


def _arguments(cluster: Cluster) -> Iterator[str]:
    lists = config.api_version(cluster) == "v1beta4"
    for node, kind, fields in _given(cluster):
        for path, value in _arguments_in(fields, f"nodes.{node.name}.config.{kind}"):
            if not is_arguments(value):
                yield f"{path}: must map flags to values, or list `name` and `value`; write such as {{v: 2}}"
            elif not lists and repeated(value):
                names = ", ".join(repeated(value))
                yield f"{path}: {names} stands twice, and {cluster.version} takes a flag once; leave one"


def _arguments_in(fields: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        here = f"{path}.{name}"
        if name in ARGUMENTS:
            yield here, value
        elif isinstance(value, Mapping):
            yield from _arguments_in(value, here)


def _components(cluster: Cluster) -> Iterator[str]:
    if "etcd" in cluster.components:
        yield (
            "components.etcd: kubeadm runs etcd from an image; write the image into `images` instead, "
            f"such as registry.k8s.io/etcd:{cluster.components['etcd']}-0"
        )


def _twice(cluster: Cluster) -> Iterator[str]:
    """What both the manifest and the user's own fields give: one of the two would be lost."""
    for node, kind, fields in _given(cluster):
        registration = fields.get("nodeRegistration")
        path = f"nodes.{node.name}.config.{kind}.nodeRegistration"
        if not isinstance(registration, Mapping):
            continue
        if "taints" in registration and (node.taints or cluster.control_plane):
            yield f"{path}.taints: stands beside `taints` or `control_plane`; leave one of the two out"
        given = arguments_of(registration.get("kubeletExtraArgs"))
        for flag, key in (("node-labels", node.labels), ("register-with-taints", node.taints)):
            if flag in given and key:
                yield f"{path}.kubeletExtraArgs.{flag}: stands beside the node's own; leave one out"


def _artifacts(cluster: Cluster) -> Iterator[str]:
    return shared.artifacts(cluster, artifact_items(cluster))


RULES: tuple[Rule, ...] = (
    _version,
    shared.addresses,
    shared.networks,
    _kinds,
    _owned,
    _cluster_wide,
    _arguments,
    shared.endpoint,
    _components,
    _twice,
    _artifacts,
    shared.registries,
    shared.modes,
)
