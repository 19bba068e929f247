"""What the user may change of each component, and how it is laid over what mk8s renders. Pure.

A node's `config` is a mapping from component to settings: flags without their dashes for etcd and the control
plane, fields of KubeletConfiguration and KubeProxyConfiguration for the other two::

    kube-apiserver: {audit-log-maxage: 30, feature-gates: {APIListChunking: true}}
    kubelet: {maxPods: 200}

What mk8s renders is its own, for other parts rely on it, unless it stands in CHANGEABLE; anything else is
the user's and passed on unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from mk8s.cluster import Node

__all__ = [
    "CHANGEABLE",
    "COMPONENTS",
    "FLAGGED",
    "Fields",
    "Flags",
    "as_flag",
    "laid_over",
    "of",
    "owned",
    "with_flags",
]

Flags: TypeAlias = dict[str, str]
Fields: TypeAlias = dict[str, Any]

FLAGGED = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
COMPONENTS = (*FLAGGED, "kubelet", "kube-proxy")

CHANGEABLE: Mapping[str, frozenset[str]] = {
    "etcd": frozenset({"auto-compaction-retention", "listen-metrics-urls"}),
    "kube-apiserver": frozenset(
        {
            "enable-admission-plugins",
            "event-ttl",
            "kubelet-preferred-address-types",
            "service-node-port-range",
        }
    ),
    "kube-controller-manager": frozenset({"cluster-name"}),
    "kube-scheduler": frozenset(),
    "kubelet": frozenset({"failCgroupV1", "registerWithTaints", "resolvConf", "runtimeRequestTimeout"}),
    "kube-proxy": frozenset({"mode"}),
}
"""What mk8s renders and the user may replace."""


def of(node: Node, component: str) -> Mapping[str, Any]:
    """The user's settings for a component on this node; nothing where `faults` will complain."""
    given = node.config.get(component)
    return given if isinstance(given, Mapping) else {}


def with_flags(flags: Flags, node: Node, component: str) -> Flags:
    """The flags with the user's over them, in order of their names so that nothing moves by itself."""
    merged = flags | {str(name): as_flag(value) for name, value in of(node, component).items()}
    return dict(sorted(merged.items()))


def as_flag(value: Any) -> str:
    """A flag's value as Kubernetes reads it: ``true``, ``a,b`` for lists, ``a=b,c=d`` for mappings."""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={as_flag(inner)}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(map(as_flag, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def laid_over(fields: Mapping[str, Any], given: Mapping[str, Any]) -> Fields:
    """The fields with the given ones over them; a mapping is merged with the one below it."""
    merged = dict(fields)
    for name, value in given.items():
        below = merged.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[name] = laid_over(below, value)
        else:
            merged[name] = value
    return merged


def owned(rendered: Mapping[str, Any], given: Mapping[str, Any], component: str) -> Iterator[str]:
    """The given names that are mk8s' own."""
    yield from (str(name) for name in given if name in rendered and name not in CHANGEABLE[component])
