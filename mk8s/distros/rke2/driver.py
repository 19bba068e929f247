"""The RKE2 driver: its release files, how they are installed, and what it has beyond the common engine."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Distro, Requirements, Situation, Tools
from mk8s.distros.phases import Phases
from mk8s.distros.rancher.driver import Rancher
from mk8s.distros.rancher.images import Archive
from mk8s.distros.rke2 import installing, requirements
from mk8s.distros.rke2.artifacts import archives, artifact_items
from mk8s.distros.rke2.engine import RKE2
from mk8s.distros.rke2.faults import find_faults
from mk8s.steps import Step
from transports.base import File

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["DISTRO", "Rke2"]


class Rke2(Rancher):
    """Rancher's RKE2 from local release files. See `Distro` for what each method promises."""

    engine = RKE2

    def faults(self, cluster: Cluster) -> list[str]:
        return find_faults(cluster)

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def parts(self, s: Situation) -> list[tuple[File, PurePosixPath]]:
        return installing.parts(s)

    def archives(self, s: Situation) -> list[Archive]:
        return archives(s)

    def install(self, s: Situation) -> list[Step]:
        return installing.install(s)

    def prepare(self, s: Situation) -> list[Step]:
        return installing.prepare(s)

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return requirements.requirements(super().requirements(node, cluster), node, cluster)

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        return requirements.tools(super().tools(node, cluster), node, cluster)

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        # Imported here: the model is only for simulation, and a real run starts without it.
        from mk8s.distros.rke2.model import teach

        teach(host, network, cluster)

    def phases(self) -> Phases:
        from mk8s.distros.rke2.model import PHASES

        return PHASES


DISTRO: Distro = Rke2()
