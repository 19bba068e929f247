"""What a driver is given, and what it answers with: values alone.

`Situation` is all that it may know. Of a release it names `ArtifactItem`s, of a host `Requirements`, of a
cluster `Question`s, `Lookup`s, `Condition`s and `Tools`. `mk8s.distros.base` says who answers what when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mk8s.cluster import Cluster, Node
from mk8s.needs import Kept
from mk8s.steps import Verdict
from transports.base import Command, File, Outcome

if TYPE_CHECKING:
    from mk8s.facts import Facts

__all__ = [
    "ArtifactItem",
    "Condition",
    "Lookup",
    "Opening",
    "Origin",
    "Question",
    "Requirements",
    "Situation",
    "Tools",
]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a file of a release comes from and where it goes. Nothing here has been looked at yet.

    Either `url` is where upstream publishes it, or `images` names the container images that mk8s puts
    together into this archive, or both are empty: only the user can say (``artifacts.<id>.url``).
    """

    url: str = ""
    checksums_url: str = ""  # upstream's file that holds its hash; empty: none is published
    images: tuple[str, ...] = ()  # whole names with tags: registry.k8s.io/pause:3.10
    arch: str = ""  # empty: of every architecture
    destination: str = ""  # the path on a node, for people
    size: int | None = None  # bytes, where a source says so
    unknown: str = ""  # what is not known of it, and which key of the manifest says it


@dataclass(frozen=True, slots=True)
class ArtifactItem:
    """One file of a release.

    `file` is its name in the cluster's artifacts folder; the manifest's `artifacts.<id>.name` wins.
    `roles` are the node roles that need it. `on_nodes` is false for a file that only mk8s reads.
    `origin.url` is upstream's: the manifest's `artifacts.<id>.url` and `mirrors` are applied later.
    """

    id: str
    file: str
    purpose: str
    required: bool
    roles: frozenset[str]
    on_nodes: bool
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True)
class Situation:
    """All a driver may know when it decides about one node."""

    cluster: Cluster
    node: Node
    facts: Facts | None  # None: not looked at yet; the driver then assumes an ordinary host
    release: Mapping[str, File]  # artifact item id -> the local file with its hash
    token: str  # the cluster's join token; a secret
    kept: Kept = field(default_factory=Kept)  # what `Distro.needs` named
    images: tuple[str, ...] = ()  # names of the container images in the release's archives
    learned: Mapping[str, str] = field(default_factory=dict)  # answers to `Distro.lookups`, by name


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is true or not, found out without changing anything.

    `on`: the node to ask instead of the one in question, by name.
    """

    title: str
    command: Command
    judge: Callable[[Outcome], Verdict]
    on: str | None = None


def _always(_learned: Mapping[str, str]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Lookup:
    """A value that is asked of a node when it is needed, such as the hash of a CA that the distro made.

    `read` gets an outcome with exit status 0; it raises ValueError for an answer that makes no sense.
    """

    name: str
    title: str
    command: Command
    read: Callable[[Outcome], str]
    on: str  # the node to ask, by name
    secret: bool = False  # the answer is hidden in all that is shown or kept, such as a token just made
    wanted: Callable[[Mapping[str, str]], bool] = _always  # of the answers before it; if not, it is empty


@dataclass(frozen=True, slots=True)
class Condition:
    """A named condition of a whole cluster, met when all its questions are. For `mk8s health`.

    Each question has its `on`. A judge's `reason` is the evidence, also when it is met.
    """

    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """A port of a node that other nodes must reach. Nothing needs to listen there yet."""

    port: int
    purpose: str  # who answers there: the API server
    to: Literal["everyone", "servers"] = "everyone"  # who must reach it
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a node must offer before anything is put on it. Sizes are bytes.

    "Refuses" means an error of the preflight check that is named; what is only advised gives a warning.
    Everything has a default that asks for nothing. The checks are described in docs/preflight.md.
    """

    ports: Mapping[int, str] = field(default_factory=dict)  # TCP ports that must be free -> who wants it
    udp_ports: Mapping[int, str] = field(default_factory=dict)  # the same for UDP
    openings: tuple[Opening, ...] = ()  # what other nodes must reach on this one (check `ports-between`)
    endpoint_ports: tuple[int, ...] = ()  # TCP ports of `Cluster.endpoint` and of `joins`, for every node
    leftovers: tuple[str, ...] = ()  # paths that only an earlier cluster leaves
    modules: tuple[str, ...] = ()  # kernel modules, loaded, loadable or built in
    network_modules: tuple[str, ...] = ()  # those of the chosen pod network: advised
    programs: tuple[str, ...] = ()  # must be on root's PATH
    advised_programs: tuple[str, ...] = ()  # some features need them
    own_ip: str = ""  # an address that the host must have itself; empty: any will do
    chooses_own_ip: bool = False  # takes the default route's address for its own, for nobody names one
    swap_off: bool = False
    memory: int = 0  # the least that works: with less a run is refused
    cpus: int = 0
    advised_memory: int = 0  # for a cluster of this size (check `sizing`)
    advised_cpus: int = 0
    data_dir: str = "/var/lib"  # where data, images and containers will be; below /var/lib unless told
    program_dirs: tuple[str, ...] = ()  # folders that programs are written into: not read-only, not noexec
    etcd_dir: str = ""  # where etcd will write on this node; empty: it runs none (check `disk-latency`)
    free_share: float = 0.0  # of the disk at `data_dir` that should be free: kubelet evicts pods below it
    sysctls: tuple[str, ...] = ("net.ipv4.ip_forward=1",)  # must be settable, and no file may say otherwise
    sysctl_file: str = ""  # the driver's own file of /etc/sysctl.d with them; empty: a service sets them
    held_sysctls: tuple[str, ...] = ()  # key=value that the kernel must have already, or nothing starts
    users: tuple[str, ...] = ()  # system users that must exist already
    policy_packages: tuple[str, ...] = ()  # RPMs that SELinux needs when it is enforcing
    trusted_dirs: tuple[str, ...] = ()  # folders that fapolicyd must let programs run from
    unmanaged: tuple[str, ...] = ()  # interfaces that NetworkManager must leave alone, as its patterns
    nm_cloud_setup: Literal["fine", "harms", "refuses"] = "fine"  # what that service does to this distro
    config_dir: str = ""  # folder of drop-in files; what lies there already changes the node's config
    same_on_servers: tuple[str, ...] = ()  # keys of the config that must be equal on all servers
    kernel: tuple[int, int] = (0, 0)  # the oldest that upstream names: advised
    cgroup_v1_way: str = "set failCgroupV1 to false in the kubelet's configuration"  # how to go on with it
    images: tuple[str, ...] = ()  # that the release must hold, as patterns: */kube-proxy:v1.20.2, */pause:*


@dataclass(frozen=True, slots=True)
class Tools:
    """The administrator's programs on a server, for `mk8s smoke` and `mk8s health`.

    `kubectl`: the words before kubectl's own, such as ``("/usr/bin/kubectl", "--kubeconfig", F)``.
    `etcdctl`: a command that runs etcdctl against this server's own member with the given words; None
    where the cluster has no etcd that mk8s may ask.
    """

    kubectl: tuple[str, ...]
    etcdctl: Callable[[tuple[str, ...]], Command] | None = None
    smoke_image: str = ""  # an image that the release carries and that has a shell and busybox's httpd
    secrets_encrypted: bool = False  # whether secrets are expected to be encrypted at rest in etcd
