"""Keys of the manifest that say nothing to a distro: a fault each, never silence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mk8s.cluster import Cluster

__all__ = ["GIVEN", "faults"]

GIVEN: Mapping[str, tuple[str, Callable[[Cluster], bool]]] = {
    "arguments": ("arguments", lambda c: any(node.arguments for node in c.nodes)),
    "artifacts_mode": ("artifacts_mode", lambda c: c.artifacts_mode == "preinstalled"),
    "balancer.cplb": ("endpoint.by", lambda c: c.balancer.by == "cplb"),
    "balancer.keepalived": ("endpoint.by", lambda c: c.balancer.by == "keepalived"),
    "balancer.kube-vip": ("endpoint.by", lambda c: c.balancer.by == "kube-vip"),
    "components": ("components", lambda c: bool(c.components)),
    "control_plane": ("control_plane", lambda c: c.control_plane is not None),
    "datastore": ("datastore", lambda c: c.datastore is not None),
    "drop_ins": ("drop_ins", lambda c: any(node.drop_ins for node in c.nodes)),
    "endpoint": ("endpoint", lambda c: c.endpoint is not None),
    "hosts_entries": ("hosts_entries", lambda c: c.hosts_entries),
    "install_method": ("install_method", lambda c: c.install_method != "tar"),
    "join": ("join", lambda c: c.joins is not None),
    "manifests": ("manifests", lambda c: bool(c.manifests)),
    "network": ("network", lambda c: c.network is not None),
    "node_local": ("endpoint.node_local", lambda c: c.balancer.node_local),
    "swap": ("swap", lambda c: c.swap != "refuse"),
}
"""What can be asked for -> where it stands in the manifest, and whether this cluster has it."""


def faults(cluster: Cluster, keys: Mapping[str, str]) -> Iterator[str]:
    """One fault for each of `keys` that the manifest gives: key of `GIVEN` -> what to do instead.

    Raises KeyError for a key that is not in `GIVEN`: the driver's mistake.
    """
    for key, instead in keys.items():
        path, is_given = GIVEN[key]
        if is_given(cluster):
            yield f"{path}: has no meaning for {cluster.distro}; {instead}"
