"""The parts of this package put together as one `Distro`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Condition, Distro, Requirements, Situation, Tools
from mk8s.distros.delegating import DelegatingDriver, EdgeSteps
from mk8s.distros.phases import Phases
from mk8s.distros.upstream import kubeconfig, network
from mk8s.distros.vanilla import commands, paths, pki, requirements, steps
from mk8s.distros.vanilla.artifacts import artifact_items
from mk8s.distros.vanilla.faults import find_faults
from mk8s.needs import Need
from mk8s.steps import Step

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["DISTRO", "Vanilla"]


class Vanilla(DelegatingDriver):
    """Upstream's bare binaries as systemd units. See `Distro` for what each method promises.

    No `lookups`: a joining server asks etcd itself. No `secrets_in` a config: flags and fields hold paths,
    never secrets, for any user of a host may read its processes.
    """

    name = "vanilla"
    edges: EdgeSteps = steps

    def faults(self, cluster: Cluster) -> list[str]:
        return find_faults(cluster)

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def needs_token(self, cluster: Cluster) -> bool:
        del cluster  # nodes are known by certificates
        return False

    def needs(self, cluster: Cluster) -> list[Need]:
        return [*pki.keys(cluster), *network.needs(cluster), *endpoints.needs(cluster)]

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return requirements.requirements(node, cluster)

    def refresh(self, s: Situation) -> list[Step]:
        return steps.refresh(s)

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        del node  # the same paths on every server
        return commands.admin_tools(cluster.smoke_image)

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        return requirements.conditions(situations)

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        del cluster
        return paths.ADMIN

    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        return kubeconfig.rewrite(text, cluster, author="mk8s")

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        # Imported here: the model is only for simulation, and a real run starts without it.
        from mk8s.distros.vanilla.model import teach

        teach(host, network, cluster)

    def phases(self) -> Phases:
        from mk8s.distros.vanilla.model import PHASES

        return PHASES


DISTRO: Distro = Vanilla()
