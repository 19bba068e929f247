"""The parts of this package put together as one `Distro`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from machines.errors import ActionError
from mk8s import endpoints
from mk8s.artifacts.checksums import read_checksums
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import (
    ArtifactItem,
    Condition,
    Distro,
    Lookup,
    Question,
    Requirements,
    Situation,
    Tools,
)
from mk8s.distros.upstream import kubeconfig, network
from mk8s.distros.vanilla import commands, paths, pki, requirements, steps
from mk8s.distros.vanilla.artifacts import artifact_items
from mk8s.distros.vanilla.faults import find_faults
from mk8s.needs import Need
from mk8s.problems import load_catalogue
from mk8s.steps import Step
from transports.base import Command, Outcome

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["DISTRO", "Vanilla"]


class Vanilla:
    """Upstream's bare binaries as systemd units. See `Distro` for what each method promises."""

    @property
    def name(self) -> str:
        return "vanilla"

    def faults(self, cluster: Cluster) -> list[str]:
        return find_faults(cluster)

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def checksums(self, text: str) -> dict[str, str]:
        return read_checksums(text)

    def needs_token(self, cluster: Cluster) -> bool:
        del cluster  # nodes are known by certificates
        return False

    def user_token(self, cluster: Cluster) -> str | None:
        del cluster
        return None

    def needs(self, cluster: Cluster) -> list[Need]:
        return [*pki.keys(cluster), *network.needs(cluster), *endpoints.needs(cluster)]

    def pacing(self, cluster: Cluster) -> Mapping[str, int]:
        del cluster
        return {}

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return requirements.requirements(node, cluster)

    def lookups(self, s: Situation) -> list[Lookup]:
        del s  # a joining server asks etcd itself
        return []

    def stage(self, s: Situation) -> list[Step]:
        return steps.stage(s)

    def bootstrap(self, s: Situation) -> list[Step]:
        return steps.bootstrap(s)

    def start(self, s: Situation) -> list[Step]:
        return steps.start(s)

    def join(self, s: Situation) -> list[Step]:
        return steps.join(s)

    def verify(self, s: Situation) -> list[Step]:
        return steps.verify(s)

    def refresh(self, s: Situation) -> list[Step]:
        return steps.refresh(s)

    def has_joined(self, s: Situation) -> list[Question]:
        return steps.has_joined(s)

    def is_healthy(self, s: Situation) -> list[Question]:
        return steps.is_healthy(s)

    def stop_unit(self, s: Situation) -> list[Step]:
        return steps.stop_unit(s)

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        del node  # the same paths on every server
        return commands.admin_tools(cluster.smoke_image)

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        return requirements.conditions(situations)

    def classify(self, outcome: Outcome, command: Command) -> ActionError | None:
        """A known problem in the command's words. What it printed on purpose is not searched."""
        del command  # every command of this driver speaks of its troubles on stderr
        finding = load_catalogue("vanilla").find(outcome.stderr.decode("utf-8", "replace"))
        return finding.as_error() if finding else None

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        del cluster
        return paths.ADMIN

    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        return kubeconfig.rewrite(text, cluster, author="mk8s")

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        del config  # flags and fields hold paths, never secrets: any user of a host may read its processes
        return []

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        # Imported here: the model is only for simulation, and a real run starts without it.
        from mk8s.distros.vanilla.model import teach

        teach(host, network, cluster)


DISTRO: Distro = Vanilla()
