"""The manifest resolved: every default filled in, roles and order decided. Pure data.

`manifest.resolving` makes it; drivers, plans and rollouts read it. It knows no file, no clock and no SSH.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = [
    "ArtifactSource",
    "Balancer",
    "Cluster",
    "ControlPlane",
    "Datastore",
    "FanOut",
    "Jump",
    "KubeVip",
    "Login",
    "Network",
    "Node",
    "Proxy",
    "Registries",
    "RegistryAccess",
    "RegistryMirror",
    "Role",
    "Simulation",
]

Role: TypeAlias = Literal["primary", "server", "agent"]


@dataclass(frozen=True, slots=True)
class Jump:
    """One bastion on the way to a node."""

    host: str
    user: str = ""  # empty: the node's own login name
    port: int = 22


@dataclass(frozen=True, slots=True)
class Login:
    """How to get onto a node.

    What the manifest leaves to the user's ssh_config is empty or None here; `connect` asks ``ssh -G`` for it.
    """

    user: str  # as the manifest says, else whoever runs mk8s
    port: int = 22
    key_path: Path | None = None  # ~ expanded; None: agent, then the usual key files
    local: bool = False  # the machine that mk8s runs on
    password_env: str | None = None  # name of an environment variable; never the password itself
    passphrase_env: str | None = None
    sudo_password_env: str | None = None
    transport: Literal["ssh", "openssh"] = "ssh"  # ssh: built in; openssh: the user's own ssh program
    jumps: tuple[Jump, ...] | None = None  # bastions, the first is connected to first; None: not given
    ssh_config: Path | Literal["auto", "none"] = "auto"  # auto: ~/.ssh/config and the system's
    certificate_path: Path | None = None  # of the user's key; None: KEY-cert.pub where it lies
    identities_only: bool | None = None  # offer only key_path's key, not all of the agent's
    escalate: Literal["sudo", "doas"] = "sudo"
    given: frozenset[str] = frozenset()  # of user, port, key_path: what the manifest itself says
    environment: Mapping[str, str] = field(default_factory=dict)  # of every command on the node; no secrets


@dataclass(frozen=True, slots=True)
class Proxy:
    """The HTTP proxy of the services: the distro's units and the container runtime. Holds no password."""

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()  # as given; drivers add the cluster's own networks and addresses


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
    group: str = ""  # rack or site; nodes of one group have a quick link to each other
    labels: Mapping[str, str] = field(default_factory=dict)  # of its Node object, set when it registers
    taints: tuple[str, ...] = ()  # key=value:Effect or key:Effect, set when it registers
    arguments: tuple[str, ...] = ()  # more words for the distro's own start command (k0s)
    drop_ins: Mapping[str, str] = field(default_factory=dict)  # file name -> text, beside the distro's config
    proxy: Proxy | None = None

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
class Balancer:
    """What leads from `Cluster.endpoint` to the servers.

    `external`: an address that the user runs. `kube-vip`, `keepalived`: a virtual address that the servers
    hold among themselves; keepalived has haproxy behind it, at other ports. `cplb`: the same, run by k0s.
    """

    by: Literal["external", "kube-vip", "keepalived", "cplb"] = "external"
    # Network interface of the servers that gets the address. Needed by kube-vip; empty, keepalived's is the
    # one with the node's own address, and cplb's is k0s' choice: the default route's.
    interface: str = ""
    image: str = ""  # kube-vip's
    router_id: int = 51  # of VRRP: unique in the servers' network
    node_local: bool = False  # every worker balances for itself (k0s NLLB)


@dataclass(frozen=True, slots=True)
class Datastore:
    """A database that holds the cluster's state instead of the distro's own etcd."""

    endpoint: str  # postgres://user@host:5432/db, mysql://user@tcp(host:3306)/db, https://etcd1:2379,...
    password_env: str | None = None  # name of an environment variable; never the password itself
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane that exists already and that mk8s does not manage: the manifest has agents only."""

    address: str  # where agents register: IP or host name
    token_env: str  # name of the environment variable that holds the join token


@dataclass(frozen=True, slots=True)
class FanOut:
    """How nodes hand files on to each other."""

    mode: Literal["auto", "on", "off"] = "auto"
    seeds: int = 2  # nodes that the operator's machine sends to at the same time
    per_node: int = 3  # nodes that one node serves at the same time
    between_groups: int = 1  # transfers into one group from elsewhere at the same time


@dataclass(frozen=True, slots=True)
class RegistryMirror:
    """Where the images of one registry are fetched instead."""

    endpoints: tuple[str, ...]
    rewrite: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How a registry or mirror is entered."""

    username: str = ""
    password_env: str | None = None  # name of an environment variable; never the password itself
    ca_file: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Registries:
    """Private registries and mirrors of the nodes' container runtime."""

    mirrors: Mapping[str, RegistryMirror] = field(default_factory=dict)  # registry or "*"
    access: Mapping[str, RegistryAccess] = field(default_factory=dict)  # host[:port]
    default: str = ""
    fallback: bool = False  # whether a registry itself is asked after its mirrors


@dataclass(frozen=True, slots=True)
class Simulation:
    """How long things take here, by the manifest: for rehearsals alone. None and unnamed: not given."""

    uplink: int | None = None  # bytes per second of this machine's link
    link: int | None = None  # bytes per second of each node's
    latency: float | None = None  # seconds of one round trip
    durations: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # name -> between, seconds


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
    mirrors: Mapping[str, str] = field(default_factory=dict)  # beginning of a URL, or "*" -> replacement
    components: Mapping[str, str] = field(default_factory=dict)  # containerd, runc ... -> version, no "v"
    images: tuple[str, ...] = ()  # container images that the release must carry besides the distro's own
    registries: Registries | None = None  # None: not given
    fan_out: FanOut = field(default_factory=FanOut)
    bandwidth: int | None = None  # bytes per second that this machine sends at the most; None: no limit
    network: Network | None = None  # None: not given
    manifests: tuple[Path, ...] = ()  # applied once the first API server is ready, in order
    balancer: Balancer = field(default_factory=Balancer)
    control_plane: Literal["isolated", "tainted", "schedulable"] | None = None  # None: as the distro does
    datastore: Datastore | None = None  # None: the distro's own
    joins: ControlPlane | None = None  # None: the control plane is among `nodes`
    artifacts_mode: Literal["download", "bundle", "preinstalled"] = "bundle"
    swap: Literal["refuse", "disable", "allow"] = "refuse"  # what to do about swap on a host
    hosts_entries: bool = False  # write all nodes' names into each node's /etc/hosts
    smoke_image: str = ""  # of the pods that `mk8s smoke` starts; empty: what the distro says
    waived: frozenset[str] = frozenset()  # names of checks whose failure does not stop a run
    simulation: Simulation = field(default_factory=Simulation)
    source: Path = Path("cluster.yaml")
    digest: str = ""  # sha256 of the manifest's text

    @property
    def net(self) -> Network:
        """The networks, as given or by default."""
        return self.network or Network()

    @property
    def kube_vip(self) -> KubeVip | None:
        """kube-vip, where it holds the endpoint."""
        held = self.balancer.by == "kube-vip"
        return KubeVip(self.balancer.interface, self.balancer.image) if held else None

    @property
    def primary(self) -> Node:
        """The server that starts the cluster; with `joins`, where no node is a server, the first agent."""
        return self.nodes[0]

    @property
    def servers(self) -> tuple[Node, ...]:
        """All servers, the primary first."""
        return tuple(node for node in self.nodes if node.is_server)

    @property
    def agents(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if not node.is_server)
