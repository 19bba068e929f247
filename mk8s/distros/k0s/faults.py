"""What k0s cannot do with a manifest, found before any node is touched.

Each rule is one small function from the cluster to sentences ``path: message; hint``. Add a rule to RULES.
Rules about what leads to the servers and where their state is are in `mode_faults`, those about arguments
and files on nodes in `node_faults`; other distros' keys are in `foreign`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.common import joins, meaningless, packages, placement, proxy
from mk8s.distros.k0s import foreign, mode_faults, node_faults, versions
from mk8s.distros.k0s.config import additions, render_config
from mk8s.distros.k0s.merging import ConfigTextError
from mk8s.distros.k0s.roles import at, servers_of
from mk8s.registries.faults import of_k0s

__all__ = ["find_faults"]

Rule: TypeAlias = Callable[[Cluster], Iterator[str]]

NOT_TAKEN = {
    "components": "a release of k0s has containerd, runc and etcd in it; choose them by its `version`",
    "install_method": "k0s is one program, and its script only fetches that; leave it out",
    "hosts_entries": "its nodes find each other by address; write /etc/hosts yourself where you need it",
    "swap": "its kubelet runs with swap in any case; leave it out",
}

OWN_ADDRESSES = (  # of a ClusterConfig: what differs from controller to controller
    ("spec", "api", "address"),
    ("spec", "storage", "etcd", "peerAddress"),
)
OF_ONE_HOST = ("unicastPeers", "unicastSourceIP")  # of a VRRP instance


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault of every rule, in the order of the rules."""
    return [fault for rule in RULES for fault in rule(cluster)]


def _path(node: Node, key: str = "") -> str:
    return f"nodes.{node.name}.config.{key}" if key else f"nodes.{node.name}.config"


def _version(cluster: Cluster) -> Iterator[str]:
    if versions.parse_version(cluster.version) is None:
        yield f"version: {cluster.version!r} is no k0s release; write one such as v1.33.4+k0s.0"


def _not_taken(cluster: Cluster) -> Iterator[str]:
    yield from meaningless.faults(cluster, NOT_TAKEN)


def _kind(cluster: Cluster) -> Iterator[str]:
    """A config that says what it is has to be a ClusterConfig."""
    for node in servers_of(cluster):
        kind, group = node.config.get("kind"), str(node.config.get("apiVersion") or "")
        if kind not in (None, "ClusterConfig"):
            hint = "write `kind: ClusterConfig`, or leave it out"
            yield f"{_path(node, 'kind')}: {kind!r} is no config of k0s; {hint}"
        elif group and not group.startswith("k0s.k0sproject.io/"):
            hint = "write `apiVersion: k0s.k0sproject.io/v1beta1`, or leave it out"
            yield f"{_path(node, 'apiVersion')}: {group!r} is no config of k0s; {hint}"


def _texts(cluster: Cluster) -> Iterator[str]:
    """Every text takes the keys that are added to it, and nothing else stands where mappings belong."""
    for node in servers_of(cluster):
        blocked = _blocked(Situation(cluster, node, None, {}, ""))
        if blocked:
            yield f"{_path(node, blocked)}: is no mapping; see k0s' documentation of its configuration"
            continue
        try:
            render_config(Situation(cluster, node, None, {}, ""))
        except ConfigTextError as error:
            yield f"{_path(node)}: {error}; see k0s' documentation of its configuration"


def _blocked(s: Situation) -> str:
    """The path of something that stands in the way of a mapping; empty where nothing does."""
    if s.cluster.datastore and any(mode_faults.datastore_faults(s.cluster)):
        return ""  # told by its own rule, and nothing can be rendered from it
    for path, _ in additions(s):
        for depth in range(1, len(path)):
            found = at(s.node.config, *path[:depth])
            if found is not None and not isinstance(found, Mapping):
                return ".".join(path[:depth])
    return ""


def _workers(cluster: Cluster) -> Iterator[str]:
    """Workers read no config. One that everybody was given is meant for the servers."""
    shared = [node.config for node in servers_of(cluster)]
    for node in cluster.agents:
        if node.config and set(node.config) <= set(foreign.TOP) and node.config not in shared:
            yield (
                f"{_path(node)}: k0s' workers read no config; write `labels`, `taints` or `arguments`, or "
                "`spec.workerProfiles` into the servers' config and `--profile=NAME` into `arguments`"
            )


def _same_on_all_controllers(cluster: Cluster) -> Iterator[str]:
    servers = servers_of(cluster)
    first = _shared(servers[0].config) if servers else {}
    for node in servers[1:]:
        for path in _differences(first, _shared(node.config)):
            yield (
                f"{_path(node, '.'.join(path))}: differs from {servers[0].name}'s; "
                "a ClusterConfig is the same on all controllers but for their own addresses"
            )


def _shared(config: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """A config without what is each controller's own, and without keys that `foreign` tells."""
    return {
        str(key): _without_own(value, (*path, str(key)))
        for key, value in config.items()
        if _is_shared((*path, str(key)))
    }


def _is_shared(path: tuple[str, ...]) -> bool:
    return path[0] in foreign.TOP and path not in OWN_ADDRESSES and path[-1] not in OF_ONE_HOST


def _without_own(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return _shared(value, path)
    if isinstance(value, list):
        return [_without_own(item, path) for item in value]
    return value


def _differences(one: Any, two: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths where the two are not the same."""
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        for key in dict.fromkeys([*one, *two]):
            yield from _differences(one.get(key), two.get(key), (*path, str(key)))
    elif one != two and not (_is_empty(one) and _is_empty(two)):
        yield path


def _is_empty(value: Any) -> bool:
    return value is None or value == {}


def _loopback(cluster: Cluster) -> Iterator[str]:
    """mk8s asks each controller's own API server at its loopback, and by its usual port."""
    for node in servers_of(cluster):
        api = at(node.config, "spec", "api")
        if at(api, "onlyBindToAddress"):
            yield f"{_path(node, 'spec.api.onlyBindToAddress')}: mk8s asks at the loopback; leave it out"
        for key, usual in (("port", 6443), ("k0sApiPort", 9443)):
            if at(api, key) not in (None, usual):
                yield f"{_path(node, f'spec.api.{key}')}: mk8s knows only {usual} so far; leave it out"


RULES: tuple[Rule, ...] = (
    _version,
    foreign.faults,
    _kind,
    _texts,
    _workers,
    _same_on_all_controllers,
    _loopback,
    _not_taken,
    joins.faults,
    *mode_faults.RULES,
    placement.faults,
    *node_faults.RULES,
    packages.faults,
    proxy.faults,
    of_k0s,
)
