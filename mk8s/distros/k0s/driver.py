"""The parts of this package put together as one `Distro`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from machines.errors import ActionError
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
from mk8s.distros.k0s import questions, requirements, steps
from mk8s.distros.k0s.artifacts import artifact_items
from mk8s.distros.k0s.config import CPLB_PASSWORD, VRRP
from mk8s.distros.k0s.faults import find_faults
from mk8s.distros.k0s.roles import admin_kubeconfig, at, storage
from mk8s.distros.upstream import kubeconfig
from mk8s.needs import Need, Random
from mk8s.problems import load_catalogue
from mk8s.steps import Step
from transports.base import Command, Outcome

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["DISTRO", "K0s"]

MANY = 50  # controllers that may join at once where no etcd of k0s' own minds


class K0s:
    """k0s from local release files. See `Distro` for what each method promises."""

    @property
    def name(self) -> str:
        return "k0s"

    def faults(self, cluster: Cluster) -> list[str]:
        return find_faults(cluster)

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def checksums(self, text: str) -> dict[str, str]:
        return read_checksums(text)

    def needs_token(self, cluster: Cluster) -> bool:
        del cluster  # controllers make them at the moment of use
        return False

    def user_token(self, cluster: Cluster) -> str | None:
        del cluster
        return None

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

    def refresh(self, s: Situation) -> list[Step]:
        del s  # its nodes find each other through the API
        return []

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        return requirements.tools(node, cluster)

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        return requirements.conditions(situations)

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

    def has_joined(self, s: Situation) -> list[Question]:
        return questions.has_joined(s)

    def is_healthy(self, s: Situation) -> list[Question]:
        return questions.is_healthy(s)

    def stop_unit(self, s: Situation) -> list[Step]:
        return steps.stop_unit(s)

    def classify(self, outcome: Outcome, command: Command) -> ActionError | None:
        """A known problem in the command's words. What it printed on purpose is not searched."""
        del command  # every command of this driver speaks of its troubles on stderr
        finding = load_catalogue("k0s").find(outcome.stderr.decode("utf-8", "replace"))
        return finding.as_error() if finding else None

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        return admin_kubeconfig(cluster.primary)

    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        return kubeconfig.rewrite(text, cluster, author="k0s")

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        """The database with its password, and what controllers that share an address know each other by."""
        source = at(config, "spec", "storage", "kine", "dataSource")
        return [*([str(source)] if source else []), *_vrrp_passwords(config)]

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        # Imported here: the model is only for simulation, and a real run starts without it.
        from mk8s.distros.k0s.model import teach

        teach(host, network, cluster)


def _vrrp_passwords(config: Mapping[str, Any]) -> Iterator[str]:
    instances = at(config, *VRRP)
    for instance in instances if isinstance(instances, list) else []:
        if isinstance(instance, Mapping) and instance.get("authPass"):
            yield str(instance["authPass"])


DISTRO: Distro = K0s()
