"""The parts of this package put together as one `Catalogue`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mk8s.artifacts.checksums import read_checksums
from mk8s.cluster import Cluster
from mk8s.distros import bare
from mk8s.distros.base import ArtifactItem, Catalogue
from mk8s.distros.k0s.artifacts import artifact_items
from mk8s.distros.k0s.versions import parse_version
from mk8s.registries.faults import of_k0s

__all__ = ["CATALOGUE", "K0s"]

SECRETS = (  # of k0s' ClusterConfig, by where they stand below `spec`
    ("storage", "kine", "dataSource"),  # it holds the database's password
)


class K0s:
    """What a release of k0s consists of. See `Catalogue` for what each method promises."""

    @property
    def name(self) -> str:
        return "k0s"

    def faults(self, cluster: Cluster) -> list[str]:
        return [
            *_version(cluster),
            *bare.component_faults(cluster),
            *of_k0s(cluster),
            *bare.artifact_faults(cluster, self.artifacts(cluster)),
        ]

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def checksums(self, text: str) -> dict[str, str]:
        return read_checksums(text)

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        found = (_at(config.get("spec"), path) for path in SECRETS)
        return [*(text for text in found if text), *_vrrp_passwords(config)]


def _at(value: Any, path: tuple[str, ...]) -> str:
    """The text at a path below a mapping; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return str(value) if value else ""


def _vrrp_passwords(config: Mapping[str, Any]) -> Iterator[str]:
    """``authPass`` of the load balancer that k0s runs on controllers."""
    below = config.get("spec")
    for key in ("network", "controlPlaneLoadBalancing", "keepalived", "vrrpInstances"):
        below = below.get(key) if isinstance(below, Mapping) else None
    for instance in below if isinstance(below, list) else []:
        if isinstance(instance, Mapping) and instance.get("authPass"):
            yield str(instance["authPass"])


def _version(cluster: Cluster) -> Iterator[str]:
    if parse_version(cluster.version) is None:
        yield f"version: {cluster.version!r} is no k0s release; write one such as v1.33.4+k0s.0"


CATALOGUE: Catalogue = K0s()
