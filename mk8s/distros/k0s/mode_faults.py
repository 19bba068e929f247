"""Rules about what leads to k0s' controllers and where the cluster's state is. See `faults`.

Source: k0s' documentation of its configuration, of NLLB and of CPLB, and its sources at the release tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mk8s import endpoints
from mk8s.cluster import Cluster
from mk8s.distros.common import datastore
from mk8s.distros.k0s import versions
from mk8s.distros.k0s.config import CPLB, NLLB, needed_sans
from mk8s.distros.k0s.roles import at, config_of, is_single, runs_pods, servers_of, storage, way
from mk8s.distros.k0s.versions import has_release

__all__ = ["RULES", "datastore_faults"]

SPEC = "config.spec"


def _balancer(cluster: Cluster) -> Iterator[str]:
    """What the release and the mode have to do with the chosen way; the way itself is told before."""
    if cluster.balancer.by != "cplb":
        return
    if not has_release(cluster, versions.CPLB):
        yield f"endpoint.by: {cluster.version} has no cplb; take v1.30.0 or later, or `by: external`"
    if is_single(cluster.primary):
        yield "endpoint.by: --single has no other controller to share an address with; leave one out"


def _virtual_servers(cluster: Cluster) -> Iterator[str]:
    """keepalived's IPVS on a host with a worker leads the host's own traffic astray."""
    given = at(config_of(cluster), *CPLB, "keepalived", "virtualServers")
    if given and any(runs_pods(cluster, node) for node in servers_of(cluster)):
        yield (
            f"{SPEC}.network.controlPlaneLoadBalancing.keepalived.virtualServers: do not go with workers on "
            "controllers; leave them out, or write `control_plane: isolated`"
        )


def _node_local(cluster: Cluster) -> Iterator[str]:
    config, wanted = config_of(cluster), cluster.balancer.node_local
    if not (wanted or at(config, *NLLB, "enabled")):
        return
    path = "endpoint.node_local" if wanted else f"{SPEC}.network.nodeLocalLoadBalancing"
    if not has_release(cluster, versions.NLLB):
        yield f"{path}: {cluster.version} has none; take v1.26.0 or later"
    if at(config, "spec", "api", "externalAddress") or (cluster.endpoint and not wanted):
        yield (
            f"{path}: does not go with an external address; leave out `spec.api.externalAddress`, or give "
            "`endpoint` with `by: cplb` and `node_local: true`"
        )
    if is_single(cluster.primary):
        yield f"{path}: does not go with --single; leave one of the two out"


def _certificates(cluster: Cluster) -> Iterator[str]:
    """Names that the user's own list of names lacks: nothing could talk to the API by them."""
    for node in servers_of(cluster):
        given = at(node.config, "spec", "api", "sans")
        lacking = [name for name in needed_sans(cluster) if isinstance(given, list) and name not in given]
        if lacking:
            yield (
                f"nodes.{node.name}.{SPEC}.api.sans: lacks {', '.join(lacking)}; "
                "add it, or leave the list to mk8s"
            )


def _endpoint(cluster: Cluster) -> Iterator[str]:
    given = at(config_of(cluster), "spec", "api", "externalAddress")
    if cluster.endpoint and given and given != cluster.endpoint:
        yield f"{SPEC}.api.externalAddress: contradicts `endpoint`; leave one of the two out"


# The state


def datastore_faults(cluster: Cluster) -> Iterator[str]:
    """The manifest's `datastore`, and what a ClusterConfig says beside it."""
    if cluster.datastore is None:
        return
    told = list(datastore.faults(cluster, ("mysql", "postgres", "etcd")))
    yield from told
    if told:
        return
    external = storage(cluster) == "external-etcd"
    if external and not has_release(cluster, versions.EXTERNAL_ETCD):
        yield f"datastore: {cluster.version} knows no etcd but its own; take v1.23.5 or later"
    if not external and datastore.files(cluster.datastore):
        yield (
            "datastore: k0s gives no certificates to kine, which asks databases; write where they lie on the "
            "servers into the endpoint, as the database's own parameters (postgres: ?sslrootcert=/path)"
        )
    yield from _beside(cluster)


def _beside(cluster: Cluster) -> Iterator[str]:
    for node in servers_of(cluster):
        for path in (("kine", "dataSource"), ("etcd", "externalCluster"), ("type",)):
            if at(node.config, "spec", "storage", *path) is not None:
                where = f"nodes.{node.name}.{SPEC}.storage.{'.'.join(path)}"
                yield f"{where}: stands beside `datastore`; leave one of the two out"


def _several_with_a_file(cluster: Cluster) -> Iterator[str]:
    if len(servers_of(cluster)) > 1 and storage(cluster) == "sqlite" and not is_single(cluster.primary):
        yield (
            f"{SPEC}.storage.kine: several controllers cannot share a file; "
            "give `datastore`, or leave `storage` out for etcd"
        )


def _single(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        if is_single(node) and len(cluster.nodes) > 1:
            yield (
                f"nodes.{node.name}.arguments: --single makes a cluster that nobody can join; leave it out, "
                "or be its only node"
            )
    if is_single(cluster.primary) and cluster.control_plane in ("isolated", "tainted"):
        yield f"control_plane: --single runs pods, and is not {cluster.control_plane}; leave one of them out"


def _taints(cluster: Cluster) -> Iterator[str]:
    if cluster.control_plane == "schedulable" and not has_release(cluster, versions.NO_TAINTS):
        yield f"control_plane: {cluster.version} taints its servers always; take v1.23.1, or write `tainted`"


def _nobody(cluster: Cluster) -> Iterator[str]:
    """Pure controllers alone run no pod, not even DNS."""
    if cluster.control_plane == "isolated" and way(cluster) == "isolated" and not cluster.agents:
        yield "control_plane: isolated servers run no pods, and no node is an agent; write `schedulable`"


RULES: tuple[Callable[[Cluster], Iterator[str]], ...] = (
    endpoints.faults,
    _balancer,
    _virtual_servers,
    _node_local,
    _certificates,
    _endpoint,
    datastore_faults,
    _several_with_a_file,
    _single,
    _taints,
    _nobody,
)
