"""The common part of both drivers: everything but which files there are and how they are installed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Condition, Lookup, Question, Requirements, Situation, Tools
from mk8s.distros.common import packages
from mk8s.distros.delegating import CataloguedDriver
from mk8s.distros.rancher import authority, files, images, kubeconfig, requirements, steps
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.images import Archive
from mk8s.distros.rancher.roles import api_server, uses_datastore
from mk8s.distros.rancher.tokens import needs_token, secrets_in, user_token
from mk8s.needs import Need
from mk8s.steps import Step
from transports.base import File

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["Rancher"]

TOGETHER = 100  # servers that may join at once where there is no etcd of the cluster's own


class Rancher(CataloguedDriver, ABC):
    """RKE2 or K3s from local release files. See `Distro` for what each method promises.

    A driver gives the `engine` and the abstract methods; it may add to `refresh` and `tools`.
    """

    engine: Engine

    @abstractmethod
    def faults(self, cluster: Cluster) -> list[str]: ...

    @abstractmethod
    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]: ...

    @abstractmethod
    def parts(self, s: Situation) -> list[tuple[File, PurePosixPath]]:
        """The files of the release that this node installs from, and where each is staged; no images."""

    @abstractmethod
    def archives(self, s: Situation) -> list[Archive]:
        """The archives of images of this node."""

    @abstractmethod
    def install(self, s: Situation) -> list[Step]:
        """Programs and units. Nothing is started."""

    @abstractmethod
    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None: ...

    def prepare(self, s: Situation) -> list[Step]:
        """What else the engine wants of the host, after it is installed."""
        del s
        return []

    @property
    def name(self) -> str:
        return self.engine.name

    def needs_token(self, cluster: Cluster) -> bool:
        return needs_token(cluster)

    def user_token(self, cluster: Cluster) -> str | None:
        return user_token(cluster)

    def needs(self, cluster: Cluster) -> list[Need]:
        return endpoints.needs(cluster)  # the engine makes its own keys

    def pacing(self, cluster: Cluster) -> Mapping[str, int]:
        """One learner at a time is etcd's rule; a datastore has none once the first server is ready."""
        return {"etcd-joins": TOGETHER} if uses_datastore(cluster) else {}

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return requirements.requirements(self.engine, node, cluster)

    def lookups(self, s: Situation) -> list[Lookup]:
        """Whose cluster it is, so that a node believes nobody else at the servers' address."""
        return authority.lookups(self.engine, s)

    def refresh(self, s: Situation) -> list[Step]:
        """Nodes find each other through the API; what leads to the servers must know them all."""
        return endpoints.refresh(s, self.engine.ports)

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        return requirements.tools(self.engine, node, cluster)

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        return requirements.conditions(self.engine, situations)

    def stage(self, s: Situation) -> list[Step]:
        return steps.stage(s, self.parts(s), self.archives(s))

    def bootstrap(self, s: Situation) -> list[Step]:
        return [
            *packages.install(s),
            *self.install(s),
            *images.place(self.engine, s, self.archives(s)),
            *files.place_manifests(self.engine, s),
            *self.prepare(s),
            *files.settings(self.engine, s),
            steps.enable(self.engine, s.node),
            *endpoints.install(s, self.engine.ports),
        ]

    def start(self, s: Situation) -> list[Step]:
        return steps.start(self.engine, s)

    def join(self, s: Situation) -> list[Step]:
        return steps.join(self.engine, s)

    def verify(self, s: Situation) -> list[Step]:
        return steps.verify(self.engine, s)

    def has_joined(self, s: Situation) -> list[Question]:
        return steps.has_joined(self.engine, s)

    def is_healthy(self, s: Situation) -> list[Question]:
        return steps.is_healthy(self.engine, s)

    def stop_unit(self, s: Situation) -> list[Step]:
        return steps.stop_unit(self.engine, s)

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        return self.engine.kubeconfig(api_server(cluster) or cluster.primary)

    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        return kubeconfig.rewrite(self.engine, text, cluster)

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        return secrets_in(config)
