"""The manifest resolved: every default filled in, roles and order decided. Pure data.

`manifest.resolving` makes it; drivers, plans and rollouts read it. It knows no file, no clock and no SSH.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = ["ArtifactSource", "Cluster", "KubeVip", "Login", "Network", "Node", "Role"]

Role: TypeAlias = Literal["primary", "server", "agent"]


@dataclass(frozen=True, slots=True)
class Login:
    """How to get onto a node."""

    user: str
    port: int = 22
    key_path: Path | None = None  # ~ expanded; None: agent, then the usual key files
    local: bool = False  # the machine that mk8s runs on
    password_env: str | None = None  # name of an environment variable; never the password itself
    passphrase_env: str | None = None
    sudo_password_env: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of the cluster. Satisfies machines.registry.Member by `name` and `role`."""

    name: str  # unique, a DNS label; used in the journal, on screen and in file names
    role: Role
    address: str  # IP or host name that mk8s connects to, and others join by
    arch: Literal["amd64", "arm64"]
    login: Login
    config: Mapping[str, Any] = field(default_factory=dict)  # the user's distro config, parsed
    config_text: str = ""  # the same as the user wrote it, where it was text
    node_ip: str = ""  # its address inside the cluster, where `address` is not that

    @property
    def is_server(self) -> bool:
        return self.role != "agent"

    @property
    def ip(self) -> str:
        """What other nodes reach it by. A driver that needs an IP refuses a name here in `faults`."""
        return self.node_ip or self.address


@dataclass(frozen=True, slots=True)
class ArtifactSource:
    """An entry of the manifest's `artifacts:`; what is left out has the distro's default."""

    name: str = ""
    url: str = ""
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """The cluster's inner networks. Distros that take them from their own config ignore this."""

    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/16"
    dns_domain: str = "cluster.local"
    cni: Literal["bridge", "none"] = "bridge"  # bridge: built in, static routes; none: the user's manifests


@dataclass(frozen=True, slots=True)
class KubeVip:
    """kube-vip holds `Cluster.endpoint` as a virtual address among the servers."""

    interface: str
    image: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A whole cluster, ready to be planned."""

    name: str
    distro: str
    version: str
    airgap: bool
    nodes: tuple[Node, ...]  # primary, servers, agents; within a role in manifest order
    artifacts: Mapping[str, ArtifactSource]
    artifacts_dir: Path  # where the release files lie on this machine
    endpoint: str | None = None  # registration address; None: the primary's
    install_method: Literal["script", "tar"] = "tar"
    known_hosts: Path | None = None  # None: ~/.ssh/known_hosts and the state folder's own
    host_keys: Literal["verify", "accept-new"] = "verify"
    limits: Mapping[str, int] = field(default_factory=dict)
    budgets: Mapping[str, str] = field(default_factory=dict)
    agents_wait_for: Literal["servers-healthy", "primary-ready"] = "servers-healthy"
    policy: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # edge -> {timeout, deadline} overrides
    network: Network | None = None  # None: not given
    manifests: tuple[Path, ...] = ()  # applied once the first API server is ready, in order
    kube_vip: KubeVip | None = None
    swap: Literal["refuse", "disable", "allow"] = "refuse"  # what to do about swap on a host
    hosts_entries: bool = False  # write all nodes' names into each node's /etc/hosts
    smoke_image: str = ""  # of the pods that `mk8s smoke` starts; empty: what the distro says
    waived: frozenset[str] = frozenset()  # names of checks whose failure does not stop a run
    source: Path = Path("cluster.yaml")
    digest: str = ""  # sha256 of the manifest's text

    @property
    def net(self) -> Network:
        """The networks, as given or by default."""
        return self.network or Network()

    @property
    def primary(self) -> Node:
        return self.nodes[0]

    @property
    def servers(self) -> tuple[Node, ...]:
        """All servers, the primary first."""
        return tuple(node for node in self.nodes if node.is_server)

    @property
    def agents(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if not node.is_server)
