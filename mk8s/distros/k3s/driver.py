"""The K3s driver: its release files, how they are installed, and what it has beyond the common engine."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Distro, Requirements, Situation
from mk8s.distros.k3s import converting, installing
from mk8s.distros.k3s.artifacts import archives, artifact_items
from mk8s.distros.k3s.engine import K3S
from mk8s.distros.k3s.faults import find_faults
from mk8s.distros.k3s.requirements import requirements
from mk8s.distros.phases import Phases
from mk8s.distros.rancher.driver import Rancher
from mk8s.distros.rancher.images import Archive
from mk8s.steps import Step
from transports.base import File

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["DISTRO", "K3s"]


class K3s(Rancher):
    """K3s from local release files. See `Distro` for what each method promises."""

    engine = K3S

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

    def refresh(self, s: Situation) -> list[Step]:
        """A single server on SQLite becomes the first of several before the others join."""
        return [*converting.convert(s), *super().refresh(s)]

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return requirements(super().requirements(node, cluster), node, cluster)

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        # Imported here: the model is only for simulation, and a real run starts without it.
        from mk8s.distros.k3s.model import teach

        teach(host, network, cluster)

    def phases(self) -> Phases:
        from mk8s.distros.k3s.model import PHASES

        return PHASES


DISTRO: Distro = K3s()
