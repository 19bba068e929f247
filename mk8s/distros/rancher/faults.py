"""What RKE2 cannot do with a manifest, found before any node is touched.

Each rule is one small function from the cluster to sentences ``path: message; hint``. Add a rule to RULES.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.distros.releases import Since, has
from mk8s.distros.rke2 import versions
from mk8s.distros.rke2.artifacts import (
    ARCHIVE_SUFFIXES,
    artifact_items,
    cni_of,
    ingress_of,
    release_of,
    unknown_ids,
)
from mk8s.distros.rke2.config import ConfigTextError, is_true, render_config, words
from mk8s.distros.rke2.tokens import token_faults
from mk8s.registries.faults import of_engine as registry_faults

__all__ = ["find_faults"]

Rule: TypeAlias = Callable[[Cluster], Iterator[str]]

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
SAME_ON_ALL_SERVERS = (
    "agent-token",
    "cluster-cidr",
    "cluster-dns",
    "cluster-domain",
    "cni",
    "datastore-endpoint",
    "disable-cloud-controller",
    "disable-kube-proxy",
    "egress-selector-mode",
    "service-cidr",
)
NOT_TAKEN: tuple[tuple[str, Callable[[Cluster], bool], str], ...] = (
    (
        "network",
        lambda cluster: cluster.network is not None,
        "write `cluster-cidr`, `service-cidr`, `cluster-domain` and `cni` into `config.servers` instead",
    ),
    (
        "manifests",
        lambda cluster: bool(cluster.manifests),
        "put the files into /var/lib/rancher/rke2/server/manifests on a server, where RKE2 applies them",
    ),
    (
        "kube_vip",
        lambda cluster: cluster.kube_vip is not None,
        "put kube-vip's manifests into /var/lib/rancher/rke2/server/manifests, its image beside RKE2's, "
        "and keep `endpoint`",
    ),
    (
        "components",
        lambda cluster: bool(cluster.components),
        "a release of RKE2 has containerd, runc and etcd in it; choose them by its `version`",
    ),
    (
        "hosts_entries",
        lambda cluster: cluster.hosts_entries,
        "RKE2's nodes find each other by address; write /etc/hosts yourself where you need it",
    ),
    (
        "swap",
        lambda cluster: cluster.swap != "refuse",
        "RKE2's kubelet runs with swap in any case; leave the key out",
    ),
)
"""Keys of the manifest that RKE2 would not obey, when they say something, and what to do instead."""

UNSUPPORTED: Mapping[str, str] = {
    "cluster-reset": "it would reset the cluster at every start; leave it out",
    "disable-apiserver": "servers without an API server are not supported yet; leave it out",
    "with-node-id": "mk8s asks the cluster for its nodes by name; give `node-name` instead",
}


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault of every rule, in the order of the rules."""
    return [fault for rule in RULES for fault in rule(cluster)]


def _path(node: Node, key: str = "") -> str:
    return f"nodes.{node.name}.config.{key}" if key else f"nodes.{node.name}.config"


def _version(cluster: Cluster) -> Iterator[str]:
    if versions.parse_version(cluster.version) is None:
        yield f"version: {cluster.version!r} is no RKE2 release; write one such as v1.33.4+rke2r1"


def _texts(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        try:
            render_config(cluster, node, "token")
        except ConfigTextError as error:
            yield f"{_path(node)}: {error}; see RKE2's configuration file reference"


def _roles(cluster: Cluster) -> Iterator[str]:
    if cluster.primary.config.get("server"):
        yield (
            f"{_path(cluster.primary, 'server')}: the first server joins nobody; "
            "leave `server` out, or make another node the primary"
        )


def _not_taken(cluster: Cluster) -> Iterator[str]:
    for key, is_given, instead in NOT_TAKEN:
        if is_given(cluster):
            yield f"{key}: RKE2 does not take it from here; {instead}"
    for node in cluster.nodes:
        if node.node_ip:
            yield (
                f"nodes.{node.name}.node_ip: RKE2 does not take it from here; "
                f"write `node-ip: {node.node_ip}` into the node's `config` instead"
            )


def _unsupported(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        for key, why in UNSUPPORTED.items():
            if is_true(node.config.get(key, "")):
                yield f"{_path(node, key)}: {why}"


def _same_on_all_servers(cluster: Cluster) -> Iterator[str]:
    first = cluster.primary
    for node in cluster.servers[1:]:
        for key in SAME_ON_ALL_SERVERS:
            mine, theirs = words(node.config.get(key)), words(first.config.get(key))
            if mine != theirs:
                shown = "" if "token" in key or "endpoint" in key else f": {_said(mine)}, not {_said(theirs)}"
                yield (
                    f"{_path(node, key)}: differs from {first.name}'s{shown}; "
                    f"`{key}` must be the same on all servers"
                )


def _said(values: list[str]) -> str:
    return repr(",".join(values)) if values else "absent"


def _cni(cluster: Cluster) -> Iterator[str]:
    yield from _choices(cluster, "cni", versions.CNI_CHOICE, cni_of(cluster))
    plugins = [name for name in cni_of(cluster) if name != "multus"]
    if len(plugins) != 1:
        said = f"{', '.join(plugins)} exclude each other" if plugins else "multus needs a plugin beside it"
        yield f"{_path(cluster.primary, 'cni')}: {said}; name one, after multus"


def _ingress(cluster: Cluster) -> Iterator[str]:
    yield from _choices(cluster, "ingress-controller", versions.INGRESS_CHOICE, ingress_of(cluster))


def _choices(
    cluster: Cluster, key: str, choices: Mapping[str, Since], given: tuple[str, ...]
) -> Iterator[str]:
    if key not in cluster.primary.config:
        return
    possible = [name for name, since in choices.items() if has(release_of(cluster), since)]
    for name in given:
        if name not in possible:
            close = difflib.get_close_matches(name, possible, n=1)
            hint = (
                f"did you mean {close[0]}?" if close else f"it has {', '.join(possible) or 'no such setting'}"
            )
            yield f"{_path(cluster.primary, key)}: {name!r} is not in {cluster.version}; {hint}"


def _datastore(cluster: Cluster) -> Iterator[str]:
    if has(release_of(cluster), versions.DATASTORE_ENDPOINT):
        return
    for node in cluster.servers:
        if "datastore-endpoint" in node.config:
            yield (
                f"{_path(node, 'datastore-endpoint')}: {cluster.version} ignores it; "
                "it is read from v1.27.13, v1.28.9, v1.29.4 and v1.30.0 on"
            )


def _node_names(cluster: Cluster) -> Iterator[str]:
    seen: dict[str, str] = {}
    for node in cluster.nodes:
        name = str(node.config.get("node-name") or "")
        if name and not DNS_LABEL.fullmatch(name):
            yield f"{_path(node, 'node-name')}: {name!r} is no lower-case DNS name; use a-z, 0-9 and -"
        if name and name in seen:
            yield f"{_path(node, 'node-name')}: {name!r} is also {seen[name]}'s; every node needs its own"
        seen.setdefault(name, node.name)


def _artifacts(cluster: Cluster) -> Iterator[str]:
    known = [item.id for item in artifact_items(cluster)]
    for name in unknown_ids(cluster):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        yield f"artifacts.{name}: RKE2 needs no such file here; {hint}"
    for item in artifact_items(cluster):
        if item.id.startswith("images") and not item.file.endswith(ARCHIVE_SUFFIXES):
            yield (
                f"artifacts.{item.id}.name: {item.file!r} is no image archive; "
                f"RKE2 reads {', '.join(ARCHIVE_SUFFIXES)}"
            )


RULES: tuple[Rule, ...] = (
    _version,
    _texts,
    _roles,
    token_faults,
    _not_taken,
    _unsupported,
    _same_on_all_servers,
    _cni,
    _ingress,
    _datastore,
    _node_names,
    _artifacts,
    registry_faults,
)
