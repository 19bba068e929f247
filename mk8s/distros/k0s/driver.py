"""The parts of this package put together as one `Distro`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Condition, Distro, Lookup, Requirements, Situation, Tools
from mk8s.distros.delegating import DelegatingDriver, EdgeSteps
from mk8s.distros.k0s import requirements, steps
from mk8s.distros.k0s.artifacts import artifact_items
from mk8s.distros.k0s.config import CPLB_PASSWORD, VRRP
from mk8s.distros.k0s.faults import find_faults
from mk8s.distros.k0s.roles import admin_kubeconfig, at, storage
from mk8s.distros.phases import Phases
from mk8s.needs import Need, Random

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["DISTRO", "K0s"]

MANY = 50  # controllers that may join at once where no etcd of k0s' own minds


class K0s(DelegatingDriver):
    """k0s from local release files. See `Distro` for what each method promises.

    Nothing to `refresh`: its nodes find each other through the API.
    """

    name = "k0s"
    edges: EdgeSteps = steps

    def faults(self, cluster: Cluster) -> list[str]:
        return find_faults(cluster)

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def needs_token(self, cluster: Cluster) -> bool:
        del cluster  # controllers make them at the moment of use
        return False

    def needs(self, cluster: Cluster) -> list[Need]:
        """The password by which controllers know each other when they share an address."""
        mine = cluster.balancer.by == "cplb" and cluster.joins is None
        return [Random(CPLB_PASSWORD, "word-8")] if mine else []

    def pacing(self, cluster: Cluster) -> Mapping[str, int]:
        if cluster.joins or storage(cluster) in ("kine", "external-etcd"):
            return {"etcd-joins": MANY}
        return {}

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return requirements.requirements(node, cluster)

    def lookups(self, s: Situation) -> list[Lookup]:
        return steps.lookups(s)

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        return requirements.tools(node, cluster)

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        return requirements.conditions(situations)

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        return admin_kubeconfig(cluster.primary)

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        """The database with its password, and what controllers that share an address know each other by."""
        source = at(config, "spec", "storage", "kine", "dataSource")
        return [*([str(source)] if source else []), *_vrrp_passwords(config)]

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        # Imported here: the model is only for simulation, and a real run starts without it.
        from mk8s.distros.k0s.model import teach

        teach(host, network, cluster)

    def phases(self) -> Phases:
        from mk8s.distros.k0s.durations import PHASES

        return PHASES


def _vrrp_passwords(config: Mapping[str, Any]) -> Iterator[str]:
    instances = at(config, *VRRP)
    for instance in instances if isinstance(instances, list) else []:
        if isinstance(instance, Mapping) and instance.get("authPass"):
            yield str(instance["authPass"])


DISTRO: Distro = K0s()
