"""Agents of a control plane that exists and that mk8s does not manage. Pure.

What each distro needs for it is its address and a join token of its own making: RKE2's and K3s' from
``server/agent-token`` or ``token create``, k0s' from ``token create --role worker``. The token is a secret
and comes from the environment; `Situation.token` has it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mk8s.cluster import Cluster
from mk8s.distros.common import meaningless

__all__ = ["faults"]

OTHERS = "it is the existing control plane's to say; leave it out"
NOT_HERE = {
    "endpoint": "agents register at `join.address`; leave it out",
    "control_plane": OTHERS,
    "datastore": OTHERS,
    "manifests": "apply them with kubectl where you administer that cluster; leave them out",
    "network": OTHERS,
}


def faults(cluster: Cluster) -> Iterator[str]:
    """Keys that only whoever runs the control plane can give; nothing where it is among the nodes."""
    if cluster.joins is None:
        return
    for fault in meaningless.faults(cluster, NOT_HERE):
        yield fault.replace(f"has no meaning for {cluster.distro}", "has no meaning beside `join`", 1)
