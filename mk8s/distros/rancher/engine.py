"""In what RKE2 and K3s differ, as one value: the rest of this package is the same for both. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.distros.common.datastore import Kind
from mk8s.distros.rancher.values import settings_of
from mk8s.distros.releases import NEWEST, Release, Since, has
from mk8s.endpoints.names import registration_url

__all__ = ["Addition", "Engine", "ForeignKey"]

Addition: TypeAlias = tuple[str, str | bool | tuple[str, ...]]
"""A key of config.yaml and its value."""
API_PORT = 6443


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A setting that only the sister knows. `name` may be a pattern: ``flannel-*``."""

    name: str
    instead: str  # what to write, or why nothing is needed

    def matches(self, key: str) -> bool:
        return fnmatchcase(key, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One of the two. Its name begins its operations, and is that of its catalogue of errors."""

    name: str  # rke2
    title: str  # RKE2, for people
    server_unit: str
    agent_unit: str
    supervisor_port: int  # TCP, where nodes register
    parse_version: Callable[[str], Release | None]
    example_version: str
    kubectl: Callable[[Node], tuple[str, ...]]  # the words before kubectl's own
    own_settings: Callable[[Cluster, Node], list[Addition]]  # keys that only this engine needs
    without_network: Callable[[Cluster], bool]  # whether the user brings the pods' network
    without_etcd: Callable[[Cluster], bool] = lambda _cluster: False  # SQLite on the only server
    sqlite: bool = False  # without being told so, the only server keeps its state in SQLite
    runtime_in_images: bool = False  # nothing starts without an archive of images
    unit_notifies: Since = field(default_factory=lambda: {0: 0})
    datastores: Since = field(default_factory=lambda: {0: 0})  # reads datastore-endpoint
    databases: tuple[Kind, ...] = ("mysql", "postgres", "etcd")
    same_on_all_servers: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    foreign_files: str = ""  # beginning of the names of the sister's release files
    secrets_encrypted: bool = False  # at rest, whatever the config says

    @property
    def config(self) -> PurePosixPath:
        return _config_of(self.name, "config.yaml")

    @property
    def admin_kubeconfig(self) -> PurePosixPath:
        return _config_of(self.name, f"{self.name}.yaml")

    @property
    def usual_data_dir(self) -> str:
        return f"/var/lib/rancher/{self.name}"

    @property
    def password_secret(self) -> str:
        """In kube-system, of a node called NAME."""
        return f"NAME.node-password.{self.name}"

    def release_of(self, cluster: Cluster) -> Release:
        """The cluster's release numbers; the newest for a version that is none."""
        return self.parse_version(cluster.version) or NEWEST

    def has(self, cluster: Cluster, since: Since) -> bool:
        return has(self.release_of(cluster), since)

    def unit_of(self, node: Node) -> str:
        """The systemd unit of this node's role."""
        return self.server_unit if node.is_server else self.agent_unit

    def data_dir(self, node: Node) -> str:
        """Where the engine keeps its data on this node."""
        return self.data_dir_in(settings_of(node))

    def data_dir_in(self, settings: Mapping[str, Any]) -> str:
        return str(settings.get("data-dir") or self.usual_data_dir).rstrip("/") or "/"

    def images_dir(self, node: Node) -> PurePosixPath:
        """Where the engine looks for image archives when it starts."""
        return _in_data(self.data_dir(node), "agent/images")

    def kubeconfig(self, server: Node) -> PurePosixPath:
        """Where this server writes the administrator's kubeconfig."""
        return self.kubeconfig_in(settings_of(server))

    def kubeconfig_in(self, settings: Mapping[str, Any]) -> PurePosixPath:
        given = settings.get("write-kubeconfig")
        return PurePosixPath(str(given)) if given else self.admin_kubeconfig

    def kubelets_kubeconfig(self, node: Node) -> PurePosixPath:
        """The kubelet's own, with which a node may read its own Node object."""
        return PurePosixPath(self.data_dir(node)) / "agent" / "kubelet.kubeconfig"

    def server_url(self, cluster: Cluster) -> str:
        """Where other nodes register."""
        return registration_url(cluster, self.supervisor_port)

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports of a server that an endpoint leads to: the API server's, and the supervisor's."""
        return tuple(dict.fromkeys((API_PORT, self.supervisor_port)))


@cache
def _config_of(name: str, file: str) -> PurePosixPath:
    """One path for all who look there: each look would make it anew."""
    return PurePosixPath(f"/etc/rancher/{name}/{file}")


@lru_cache(256)
def _in_data(folder: str, place: str) -> PurePosixPath:
    """The same below a folder of data, which nearly all nodes have at one place."""
    return PurePosixPath(folder) / place
