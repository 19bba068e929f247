"""Labels and taints that a node registers with, and whether servers run ordinary pods. Pure.

A kubelet gives its Node these when it registers, and never again: on a node that is in the cluster already
they are changed with kubectl. A kubelet may not give itself every label: with one that is Kubernetes' own
to give it refuses to start (kubernetes/kubernetes, cmd/kubelet/app/options and pkg/kubelet/apis), so
`faults` says that before.

Begin reading at `labels`, `taints` and `control_plane`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from mk8s.cluster import Cluster, Node

__all__ = ["control_plane", "faults", "is_tainted", "labels", "taint_fields", "taints"]

Way: TypeAlias = Literal["isolated", "tainted", "schedulable"]

DEFAULTS: Mapping[str, Way] = {"k0s": "isolated", "kubeadm": "tainted", "vanilla": "tainted"}
UPSTREAM = ("kubeadm", "vanilla")
TAINT = "node-role.kubernetes.io/control-plane=true:NoSchedule"  # in K3s' and RKE2's own words
TAINTED_BY_ITSELF = ("k0s", *UPSTREAM)  # these drivers have words of their own for it

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

KUBERNETES = ("kubernetes.io", "k8s.io")
ALLOWED_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")  # and what ends in these after a dot
ALLOWED = frozenset(
    {
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.kubernetes.io/region",
        "failure-domain.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/instance-type",
        "kubernetes.io/os",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)


def control_plane(cluster: Cluster) -> Way:
    """The manifest's word, else the distro's own way; where nobody else is, servers run the pods."""
    if cluster.control_plane:
        return cluster.control_plane
    if not cluster.agents:
        return "schedulable"
    return DEFAULTS.get(cluster.distro, "schedulable")


def is_tainted(cluster: Cluster, node: Node) -> bool:
    """Whether this node is a server that ordinary pods are kept from by a taint."""
    return node.is_server and control_plane(cluster) == "tainted"


def labels(node: Node) -> tuple[str, ...]:
    """The node's own, as ``key=value``, sorted."""
    return tuple(f"{key}={value}" for key, value in sorted(node.labels.items()))


def taints(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """The node's own, after the control plane's where the distro does not set that one by itself."""
    own = is_tainted(cluster, node) and cluster.distro not in TAINTED_BY_ITSELF
    return tuple(dict.fromkeys([*([TAINT] if own else []), *node.taints]))


def taint_fields(text: str) -> dict[str, str]:
    """A taint as an object of the API has it: key, value where there is one, effect."""
    rest, _, effect = text.rpartition(":")
    key, _, value = rest.partition("=")
    return {"key": key, **({"value": value} if value else {}), "effect": effect}


def faults(cluster: Cluster, isolated: str = "") -> Iterator[str]:
    """What no kubelet takes. `isolated`: why this distro's servers cannot be, and what to write instead."""
    if isolated and cluster.control_plane == "isolated":
        yield f"control_plane: {isolated}"
    nobody = not isolated and control_plane(cluster) == "isolated"
    for node in cluster.nodes:
        if nobody and node.is_server:
            yield from _of_nobody(node)
        for key, value in node.labels.items():
            yield from _label(f"nodes.{node.name}.labels.{key}", key, value)
        for taint in node.taints:
            yield from _taint(f"nodes.{node.name}.taints", taint)


def _of_nobody(node: Node) -> Iterator[str]:
    for key in ("labels", "taints"):
        if getattr(node, key):
            yield (
                f"nodes.{node.name}.{key}: an isolated server is no Node of the cluster, so it has none; "
                "leave them out, or write `control_plane: tainted`"
            )


def _label(path: str, key: str, value: str) -> Iterator[str]:
    if not _is_key(key):
        yield f"{path}: {key!r} is no label's name; write such as disk or example.com/disk"
    elif not _is_kubelets(key):
        yield (
            f"{path}: a kubelet may not give itself a label of Kubernetes' own, and would not start; "
            "leave it out, and set it with `kubectl label node` once the node is Ready"
        )
    if value and not NAME.fullmatch(value):
        yield f"{path}: {value!r} is no label's value; use up to 63 letters, digits and . _ -"


def _taint(path: str, taint: str) -> Iterator[str]:
    rest, colon, effect = taint.rpartition(":")
    key, _, value = rest.partition("=")
    if not colon or not _is_key(key) or (value and not NAME.fullmatch(value)):
        yield f"{path}: {taint!r} is no taint; write key=value:Effect or key:Effect"
    elif effect not in EFFECTS:
        yield f"{path}: {taint!r} has no effect that Kubernetes knows; there are {', '.join(EFFECTS)}"


def _is_key(key: str) -> bool:
    domain, slash, name = key.rpartition("/")
    return bool(NAME.fullmatch(name)) and (not slash or bool(DOMAIN.fullmatch(domain)))


def _is_kubelets(key: str) -> bool:
    """Whether a kubelet may give its own Node this label."""
    domain = key.rpartition("/")[0]
    if not _within(domain, KUBERNETES):
        return True
    return key in ALLOWED or _within(domain, ALLOWED_DOMAINS)


def _within(domain: str, domains: tuple[str, ...]) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in domains)
