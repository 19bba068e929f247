"""The contract between a distro and the rest of mk8s.

A driver is a set of pure functions: given the resolved cluster, a node and what was found on it, it
says which files it needs, which steps an edge consists of and which questions prove the result. It
opens no connection, reads no file, no clock and no randomness; the executor runs what it returns.

Laws:

1. The same input gives the same steps, so the plan, the transcript, the simulation and the tests agree.
2. Every step may be repeated: it has a check, or doing it twice is the same as doing it once.
3. Questions change nothing on a host. They are asked before a repeat, on resume and by `mk8s status`.
4. No secret stands in a title, a description, a script or an argument.

Begin reading at `Distro`; `mk8s.distros.rke2` is the reference driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

from machines.errors import ActionError
from mk8s.cluster import Cluster, Node
from mk8s.distros.finding import catalogue_names, distro_names, load_catalogue, load_distro
from mk8s.distros.phases import Phases
from mk8s.needs import Kept, Need
from mk8s.steps import Step, Verdict
from transports.base import Command, File, Outcome

if TYPE_CHECKING:
    from mk8s.facts import Facts
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = [
    "ArtifactItem",
    "Catalogue",
    "Condition",
    "Distro",
    "Lookup",
    "Opening",
    "Origin",
    "Question",
    "Requirements",
    "Situation",
    "Tools",
    "catalogue_names",
    "distro_names",
    "load_catalogue",
    "load_distro",
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


class Catalogue(Protocol):
    """What a distro's release consists of: enough to list, fetch and bundle it. All of it is pure.

    Every `Distro` is one; a distro whose driver is not built yet may have this part alone.
    """

    @property
    def name(self) -> str: ...

    def faults(self, cluster: Cluster) -> list[str]: ...

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]: ...

    def checksums(self, text: str) -> dict[str, str]: ...

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]: ...


class Distro(Protocol):
    """What a distro says about itself. All of it is pure."""

    @property
    def name(self) -> str:
        """The name in the manifest's `distro:`."""
        ...

    def faults(self, cluster: Cluster) -> list[str]:
        """What this distro cannot do with this cluster: ``path: message; hint`` each. Empty: all is well."""
        ...

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        """Every file that this cluster needs, in the order in which it is used."""
        ...

    def checksums(self, text: str) -> dict[str, str]:
        """The distro's own checksum file, read: file name -> sha256 in 64 hex digits."""
        ...

    def needs_token(self, cluster: Cluster) -> bool:
        """Whether mk8s has to make up a join token: the distro uses one, and the user gave none."""
        ...

    def user_token(self, cluster: Cluster) -> str | None:
        """The join token that the user wrote into the config. A secret."""
        ...

    def needs(self, cluster: Cluster) -> list[Need]:
        """What must be kept for the cluster's whole life; `Situation.kept` has it. Named once each."""
        ...

    def pacing(self, cluster: Cluster) -> Mapping[str, int]:
        """Limits of the node machine that this distro wants in this mode, by name; the manifest's own win.

        ``etcd-joins``: servers that may join at the same time, where there is no etcd of its own to pace for.
        """
        ...

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        """What a bare host must offer to become this node."""
        ...

    def lookups(self, s: Situation) -> list[Lookup]:
        """What has to be asked just before `start` or `join`; `Situation.learned` has the answers then."""
        ...

    def stage(self, s: Situation) -> list[Step]:
        """Put this node's part of the release on it."""
        ...

    def bootstrap(self, s: Situation) -> list[Step]:
        """Install and configure. Starts nothing that needs another node to become ready."""
        ...

    def start(self, s: Situation) -> list[Step]:
        """Start the primary and wait until others can join it."""
        ...

    def join(self, s: Situation) -> list[Step]:
        """Start any other node and wait until it is a member."""
        ...

    def verify(self, s: Situation) -> list[Step]:
        """Wait for the role's own readiness."""
        ...

    def refresh(self, s: Situation) -> list[Step]:
        """What a healthy node must learn of nodes that were added: routes, names. Restarts nothing,
        but for what those cannot join without (a state that has to leave SQLite).

        Run at the beginning of each run on every healthy node; where nothing is new it changes nothing.
        """
        ...

    def has_joined(self, s: Situation) -> list[Question]:
        """All met: the effect of `start` or `join` is there already."""
        ...

    def is_healthy(self, s: Situation) -> list[Question]:
        """All met: `verify` would have nothing to wait for."""
        ...

    def stop_unit(self, s: Situation) -> list[Step]:
        """Take back `start` or `join` on this host. May run again after a crash."""
        ...

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        """How to ask the cluster on this server."""
        ...

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        """The cluster's health as named conditions, in the order in which they come true.

        One situation for each node, the primary's first.
        """
        ...

    def classify(self, outcome: Outcome, command: Command) -> ActionError | None:
        """A known problem in what a failed command said. None: nothing that this distro knows."""
        ...

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        """Where the administrator's kubeconfig lies on the primary."""
        ...

    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        """The same kubeconfig for use from outside: the cluster's address in place of the loopback.

        Raises ActionError ``kubeconfig`` for one that could run programs where it is used.
        """
        ...

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        """Values in a node's config that must never be shown."""
        ...

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        """Teach a simulated host to behave as this distro does, and its network how long that takes."""
        ...

    def phases(self) -> Phases:
        """Where a real run shows the durations that `model` only assumes."""
        ...
