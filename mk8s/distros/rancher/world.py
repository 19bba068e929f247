"""The cluster that simulated RKE2 hosts make up together: etcd members, nodes, and how services live.

One `World` for each simulated network. It behaves as RKE2's engine is documented to (learner rule and its
words, promotion every 15 s, restarts after 5 s, agents that ask for ever, etcd data that outweigh
`server:`), and it writes down what must never happen: see `World.violations`.

Not modelled: pods, network policy, certificates, upgrades, lost quorum beyond "the API does not answer".
Begin reading at `server_life`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from mk8s.cluster import Cluster
from mk8s.distros.releases import has
from mk8s.distros.rke2.artifacts import release_of
from mk8s.distros.rke2.commands import ADMIN_KUBECONFIG
from mk8s.distros.rke2.config import DATA_DIR, is_true
from mk8s.distros.rke2.faults import SAME_ON_ALL_SERVERS
from mk8s.distros.rke2.readiness import CONTROL_PLANE, ETCD, IS_VOTER
from mk8s.distros.rke2.versions import UNIT_NOTIFIES
from transports.simulated import ServiceFailed, SimulatedHost, SimulatedNetwork, SimulatedService

__all__ = ["AGENT_UNIT", "SERVER_UNIT", "Member", "NodeObject", "World", "config_of", "data_dir_of"]

SERVER_UNIT = "rke2-server.service"
AGENT_UNIT = "rke2-agent.service"
CONFIG = PurePosixPath("/etc/rancher/rke2/config.yaml")
KUBECONFIG = b"apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: default\n"

PROMOTION = 15.0  # seconds between the leader's looks at a learner
LEARNER_PATIENCE = 300.0  # seconds without progress after which a learner is removed
AGENT_PAUSE = 2.0  # seconds between an agent's questions

FATAL = 'level=fatal msg="{}"'
RUNTIME_MISSING = (
    'level=error msg="Shutdown request received: failed to get runtime image '
    'index.docker.io/rancher/rke2-runtime:{tag}: all endpoints failed"'
)
PREPARING = FATAL.format("starting kubernetes: preparing server: {}")
CA_CERTS = PREPARING.format(
    'failed to get CA certs: Get \\"{url}/cacerts\\": dial tcp {host}:9345: connect: connection refused'
)
MISMATCH = FATAL.format(
    "failed to validate server configuration: critical configuration value mismatch: {key}"
)
SERVER_REFUSED = PREPARING.format("{url}/v1-rke2/server-bootstrap: 401 Unauthorized")
DUPLICATE = FATAL.format(
    "etcd cluster join failed: duplicate node name found, please use a unique name for this node"
)
LEARNERS = FATAL.format("ETCD join failed: etcdserver: too many learner members in cluster")
NODE_REFUSED = (
    'level=info msg="Waiting to retrieve agent configuration; server is not ready: Node password rejected, '
    "duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry\""
)
AGENT_REFUSED = 'level=error msg="failed to retrieve configuration: {url}/v1-rke2/config: 401 Unauthorized"'
NO_ANSWER = 'level=error msg="Failed to validate connection to cluster at {url}: connection refused"'
"""What the engine says, in its own words where facts have them."""

POSTING, NO_NETWORK, SILENT = (
    "kubelet is posting ready status",
    "cni plugin not initialized",
    "Kubelet stopped posting node status.",
)


@dataclass(slots=True)
class Member:
    """An etcd member. It is a learner until the leader promotes it."""

    host: str
    since: float  # seconds, when it was added
    voter: bool = False
    running: bool = False


@dataclass(slots=True)
class NodeObject:
    """A Node in the API. `ready_at` is when its network will be up."""

    name: str
    host: SimulatedHost
    unit: str
    roles: tuple[str, ...]
    version: str
    ready_at: float


@dataclass
class World:
    """What all hosts of one network share. `violations` must stay empty; tests read it."""

    network: SimulatedNetwork
    cluster: Cluster
    initialised: list[str] = field(default_factory=list)  # hosts that made a new cluster, each time
    members: dict[str, Member] = field(default_factory=dict)  # by host name
    nodes: dict[str, NodeObject] = field(default_factory=dict)  # by node name
    violations: list[str] = field(default_factory=list)
    collisions: int = 0  # how often a server came while another one was a learner
    settings: Mapping[str, Any] = field(default_factory=dict)  # the first server's config

    @property
    def now(self) -> float:
        return self.network.timeline.now

    def find_learner(self) -> Member | None:
        """The one member that is not promoted yet; one without progress is dropped after five minutes."""
        for member in list(self.members.values()):
            if member.voter:
                continue
            if not member.running and self.now - member.since > LEARNER_PATIENCE:
                del self.members[member.host]
                continue
            return member
        return None

    @property
    def has_quorum(self) -> bool:
        """Always, with an external datastore."""
        voters = [member for member in self.members.values() if member.voter]
        return 2 * sum(member.running for member in voters) > len(voters) or not voters

    def serves(self, host: SimulatedHost) -> bool:
        """Whether the API and the supervisor answer on this host."""
        service = host.service(SERVER_UNIT)
        return bool(host.up and service and self._is_up(host) and self.has_quorum)

    def _is_up(self, host: SimulatedHost) -> bool:
        return host.disk.exists(PurePosixPath("/run/k3s/api"))  # /run is empty after a reboot

    def is_ready(self, node: NodeObject) -> bool:
        service = node.host.service(node.unit)
        running = service is not None and service.state == "active"
        return node.host.up and not node.host.cut and running and self.now >= node.ready_at

    def server_for(self, source: SimulatedHost, url: str) -> SimulatedHost | None:
        """The serving host behind a registration address. The endpoint leads to any server that serves."""
        address = urlsplit(url).hostname or ""
        addresses = [address]
        if address not in self.network.hosts and address == self.cluster.endpoint:
            addresses = [node.address for node in self.cluster.servers]
        reached = (self.network.reach(source, known) for known in addresses)
        return next((host for host in reached if host is not None and self.serves(host)), None)

    # What becomes of an object

    def register(self, host: SimulatedHost, unit: str, roles: tuple[str, ...]) -> None:
        """The kubelet registers; the network of a node takes a while the first time."""
        name = node_name_of(host)
        delay = 0.0 if name in self.nodes else host.random(f"cni/{name}").uniform(10, 40)
        never = config_of(host).get("cni") == "none" or self.settings.get("cni") == "none"
        ready_at = float("inf") if never else self.now + delay
        self.nodes[name] = NodeObject(name, host, unit, roles, self.cluster.version, ready_at)

    def as_json(self, node: NodeObject) -> dict[str, Any]:
        """The Node as kubectl would print it, as far as anybody here reads it."""
        status, message = "Unknown", SILENT
        if self.is_ready(node):
            status, message = "True", POSTING
        elif node.host.up and self.now < node.ready_at:
            status, message = "False", NO_NETWORK
        conditions = [{"type": "Ready", "status": status, "message": message}]
        if ETCD in node.roles:
            member = self.members.get(node.host.name)
            conditions.append({"type": IS_VOTER, "status": str(bool(member and member.voter)), "message": ""})
        return {
            "kind": "Node",
            "metadata": {"name": node.name, "labels": dict.fromkeys(node.roles, "true")},
            "status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": node.version}},
        }

    # How the services live

    def server_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """From the first line of the log to READY=1."""
        if not has(release_of(self.cluster), UNIT_NOTIFIES):
            service.ready()  # Type=simple: active as soon as the process runs
        chance = host.random(f"server/{service.starts}")
        yield chance.uniform(1, 3)
        config = config_of(host)
        self._need_images(host, config)
        first = not host.disk.exists(_etcd_data(config)) or host.name not in self.members
        if "datastore-endpoint" in config or is_true(config.get("disable-etcd", "")):
            self._begin_without_etcd(host, config)
        elif first:
            self._begin_with_etcd(host, config)
        host.disk.make_folder(_etcd_data(config))
        self._begin_member(host)
        _install_tools(host, config)
        yield chance.uniform(60, 180) if first else chance.uniform(15, 40)
        yield from self._wait_for_promotion(host)
        while not self.has_quorum:
            yield AGENT_PAUSE
        self._open(host, config)
        service.log('level=info msg="rke2 is up and running"')

    def _begin_without_etcd(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        if not self.settings:
            self.settings = config
            self.initialised.append(host.name)
        self._compare(config)

    def _begin_with_etcd(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        if not config.get("server"):
            self._initialise(host, config)
            return
        url = str(config["server"])
        if self.server_for(host, url) is None:
            raise ServiceFailed(CA_CERTS.format(url=url, host=urlsplit(url).hostname))
        self._compare(config)
        if self._is_anothers(host):
            raise ServiceFailed(DUPLICATE)
        busy = self.find_learner()
        if busy and busy.host != host.name:
            self.collisions += 1
            raise ServiceFailed(LEARNERS)
        self.members[host.name] = Member(host.name, self.now)

    def _initialise(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        self.initialised.append(host.name)
        if len(self.initialised) > 1:
            self.violations.append(
                f"{host.name} made a second cluster; {self.initialised[0]} had made the first one"
            )
        self.settings = config
        self.members[host.name] = Member(host.name, self.now, voter=True)

    def _compare(self, config: Mapping[str, Any]) -> None:
        if str(config.get("token")) != str(self.settings.get("token")):
            raise ServiceFailed(SERVER_REFUSED.format(url=config.get("server")))
        for key in SAME_ON_ALL_SERVERS:
            if config.get(key) != self.settings.get(key):
                raise ServiceFailed(MISMATCH.format(key=key))

    def _begin_member(self, host: SimulatedHost) -> None:
        member = self.members.get(host.name)
        if member:
            member.running = True
            learners = [known.host for known in self.members.values() if not known.voter]
            if len(learners) > 1:
                self.violations.append(f"two learners at once: {', '.join(learners)}")

    def _wait_for_promotion(self, host: SimulatedHost) -> Iterator[float]:
        member = self.members.get(host.name)
        if member and not member.voter:
            yield PROMOTION
            member.voter = True

    def _open(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        host.disk.make_folder(PurePosixPath("/run/k3s/api"))
        kubeconfig = PurePosixPath(str(config.get("write-kubeconfig") or ADMIN_KUBECONFIG))
        host.disk.make_folder(kubeconfig.parent)
        host.disk.write(kubeconfig, KUBECONFIG, mode=0o600)
        embedded = host.name in self.members
        self.register(host, SERVER_UNIT, (CONTROL_PLANE, ETCD) if embedded else (CONTROL_PLANE,))

    def server_gone(self, host: SimulatedHost, _service: SimulatedService) -> None:
        """Its process ended: etcd and the API server go with it."""
        host.disk.remove(PurePosixPath("/run/k3s/api"))
        if host.name in self.members:
            self.members[host.name].running = False

    def agent_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """It asks until a server takes it, and never exits for that."""
        if not has(release_of(self.cluster), UNIT_NOTIFIES):
            service.ready()
        chance = host.random(f"agent/{service.starts}")
        yield chance.uniform(1, 3)
        config = config_of(host)
        self._need_images(host, config)
        url = str(config.get("server") or "")
        while (complaint := self._refusal(host, config, url)) is not None:
            if service.journal[-1:] != [complaint]:
                service.log(complaint)
            yield AGENT_PAUSE
        yield chance.uniform(20, 60)
        self.register(host, AGENT_UNIT, ())
        service.log('level=info msg="rke2 agent is up and running"')

    def _refusal(self, host: SimulatedHost, config: Mapping[str, Any], url: str) -> str | None:
        if self.server_for(host, url) is None:
            return NO_ANSWER.format(url=url)
        expected = self.settings.get("agent-token") or self.settings.get("token")
        if str(config.get("token")) != str(expected):
            return AGENT_REFUSED.format(url=url)
        return NODE_REFUSED if self._is_anothers(host) else None

    def _is_anothers(self, host: SimulatedHost) -> bool:
        known = self.nodes.get(node_name_of(host))
        return known is not None and known.host is not host

    def _need_images(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        folder = data_dir_of(config) / "agent" / "images"
        if not any(path.parent == folder for path in host.files):
            raise ServiceFailed(RUNTIME_MISSING.format(tag=self.cluster.version.replace("+", "-")))


def config_of(host: SimulatedHost) -> Mapping[str, Any]:
    """The host's config.yaml as RKE2 would read it; empty when there is none."""
    return _parsed(host.disk.read(CONFIG)) if CONFIG in host.files else {}


@lru_cache(maxsize=256)
def _parsed(content: bytes) -> Mapping[str, Any]:
    """Many hosts have the same config, and reading YAML is slow."""
    loaded = yaml.safe_load(content)
    return loaded if isinstance(loaded, dict) else {}


def node_name_of(host: SimulatedHost) -> str:
    return str(config_of(host).get("node-name") or host.hostname).lower()


def data_dir_of(config: Mapping[str, Any]) -> PurePosixPath:
    return PurePosixPath(str(config.get("data-dir") or DATA_DIR))


def _etcd_data(config: Mapping[str, Any]) -> PurePosixPath:
    return data_dir_of(config) / "server" / "db" / "etcd"


def _install_tools(host: SimulatedHost, config: Mapping[str, Any]) -> None:
    """The runtime image brings kubectl."""
    folder = data_dir_of(config) / "bin"
    host.disk.make_folder(folder)
    host.disk.write(folder / "kubectl", b"", mode=0o755)
