"""The parts of this package put together as one `Distro`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Condition, Distro, Lookup, Requirements, Situation, Tools
from mk8s.distros.delegating import DelegatingDriver, EdgeSteps
from mk8s.distros.kubeadm import cluster_commands, paths, requirements, steps
from mk8s.distros.kubeadm.artifacts import artifact_items
from mk8s.distros.kubeadm.faults import find_faults
from mk8s.distros.phases import Phases
from mk8s.distros.upstream import network
from mk8s.needs import Need, Random
from mk8s.steps import Step

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["DISTRO", "Kubeadm"]


class Kubeadm(DelegatingDriver):
    """Kubernetes by kubeadm, from local release files. See `Distro` for what each method promises.

    No `secrets_in` a config: the user cannot give one here, `faults` refuses them.
    """

    name = "kubeadm"
    edges: EdgeSteps = steps

    def faults(self, cluster: Cluster) -> list[str]:
        return find_faults(cluster)

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def needs_token(self, cluster: Cluster) -> bool:
        del cluster  # its token is among the needs: it has a form of its own
        return False

    def needs(self, cluster: Cluster) -> list[Need]:
        own: list[Need] = [Random("bootstrap-token", "bootstrap-token"), Random("certificate-key", "hex-32")]
        return [*own, *network.needs(cluster), *endpoints.needs(cluster)]

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return requirements.requirements(node, cluster)

    def lookups(self, s: Situation) -> list[Lookup]:
        return steps.lookups(s)

    def refresh(self, s: Situation) -> list[Step]:
        return steps.refresh(s)

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        del node
        return cluster_commands.tools(cluster.smoke_image)

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        return requirements.conditions(situations)

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        del cluster
        return paths.ADMIN_KUBECONFIG

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        # Imported here: the model is only for simulation, and a real run starts without it.
        from mk8s.distros.kubeadm.model import teach

        teach(host, network, cluster)

    def phases(self) -> Phases:
        from mk8s.distros.kubeadm.durations import PHASES

        return PHASES


DISTRO: Distro = Kubeadm()
