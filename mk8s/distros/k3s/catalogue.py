"""The parts of this package put together as one `Catalogue`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mk8s.artifacts.checksums import read_checksums
from mk8s.cluster import Cluster
from mk8s.distros import bare
from mk8s.distros.base import ArtifactItem, Catalogue
from mk8s.distros.k3s.artifacts import artifact_items
from mk8s.distros.k3s.versions import parse_version
from mk8s.registries.faults import of_engine

__all__ = ["CATALOGUE", "K3s"]

SECRETS = ("token", "agent-token", "datastore-endpoint", "etcd-s3-access-key", "etcd-s3-secret-key")


class K3s:
    """What a release of K3s consists of. See `Catalogue` for what each method promises."""

    @property
    def name(self) -> str:
        return "k3s"

    def faults(self, cluster: Cluster) -> list[str]:
        return [
            *_version(cluster),
            *bare.component_faults(cluster),
            *of_engine(cluster),
            *bare.artifact_faults(cluster, self.artifacts(cluster)),
        ]

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return artifact_items(cluster)

    def checksums(self, text: str) -> dict[str, str]:
        return read_checksums(text)

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        return [str(config[key]) for key in SECRETS if config.get(key)]


def _version(cluster: Cluster) -> Iterator[str]:
    if parse_version(cluster.version) is None:
        yield f"version: {cluster.version!r} is no K3s release; write one such as v1.33.4+k3s1"


CATALOGUE: Catalogue = K3s()
