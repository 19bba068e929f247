"""The cluster that simulated hosts of one engine make up: etcd members, nodes, and how services live.

One `World` for each simulated network. It behaves as the engine is documented to (learner rule and its
words, restarts after 5 s, agents that ask for ever, etcd data that outweigh `server:`), and tells the
network (`breach`) what must never happen: a second cluster, two learners at once. How long the parts of a
life take stands beside the model of each engine.

Not modelled: pods, network policy, certificates, upgrades, lost quorum beyond "the API does not answer".
Begin reading at `server_life`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from mk8s.cluster import Cluster
from mk8s.distros.rancher import importing, listening
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.objects import Conditions, NodeObject
from mk8s.distros.rancher.roles import CONTROL_PLANE, ETCD
from mk8s.distros.rancher.said import (
    AGENT_REFUSED,
    CA_CERTS,
    DUPLICATE,
    LEARNERS,
    MISMATCH,
    NO_ANSWER,
    NO_NETWORK,
    NODE_REFUSED,
    POSTING,
    SERVER_REFUSED,
    SILENT,
    UP,
)
from mk8s.distros.rancher.tokens import password_of
from mk8s.distros.rancher.values import is_true, laid_over, parsed
from mk8s.ports_model import leave
from transports.simulated import ServiceFailed, SimulatedHost, SimulatedNetwork, SimulatedService, path_of

__all__ = ["Member", "World"]

KUBECONFIG = b"apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: default\n"

API_IS_UP = PurePosixPath("/run/k3s/api")  # our own note: /run is empty after a reboot
LEARNER_PATIENCE = 300.0  # seconds without progress after which a learner is removed


@dataclass(slots=True)
class Member:
    """An etcd member. It is a learner until the leader promotes it."""

    host: str
    since: float  # seconds, when it was added
    voter: bool = False
    running: bool = False


@dataclass
class World:
    """What all hosts of one network share."""

    network: SimulatedNetwork
    cluster: Cluster
    engine: Engine
    initialised: list[str] = field(default_factory=list)  # hosts that made a new cluster, each time
    members: dict[str, Member] = field(default_factory=dict)  # by host name
    nodes: dict[str, NodeObject] = field(default_factory=dict)  # by node name
    collisions: int = 0  # how often a server came while another one was a learner
    settings: Mapping[str, Any] = field(default_factory=dict)  # the first server's config
    on_sqlite: str = ""  # the host whose SQLite holds the cluster's state

    @property
    def now(self) -> float:
        return self.network.timeline.now

    @property
    def violations(self) -> list[str]:
        """What must never happen and did on this network, in words."""
        return [breach.evidence for breach in self.network.breaches]

    def _takes(self, host: SimulatedHost, part: str) -> float:
        """Seconds of a part of a life of this engine, such as ``agent-first-start``."""
        return host.seconds(f"{self.engine.name}:{part}")

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
        voters = [member.running for member in self.members.values() if member.voter]
        return 2 * sum(voters) > len(voters) or not voters

    def serves(self, host: SimulatedHost) -> bool:
        """Whether the API and the supervisor answer on this host."""
        has_unit = host.service(self.engine.server_unit) is not None
        return host.up and has_unit and host.disk.exists(API_IS_UP) and self.has_quorum

    def has_kubectl(self, host: SimulatedHost) -> bool:
        """Whether the host has the program that answers as kubectl."""
        return importing.kubectl_in(self.engine.data_dir_in(self.config_of(host))) in host.files

    def config_of(self, host: SimulatedHost) -> Mapping[str, Any]:
        """The host's config as the engine would read it, drop-ins and all; empty when there is none."""
        file = self.engine.config
        folder = _drop_ins_of(file)
        config = _parsed(host.disk.read(file)) if file in host.files else {}
        if not host.disk.is_folder(folder):
            return config
        files = host.disk.files_in(folder)
        return laid_over(config, {path.name: host.disk.read(path).decode() for path in files})

    def node_name_of(self, host: SimulatedHost) -> str:
        return str(self.config_of(host).get("node-name") or host.hostname).lower()

    def _etcd_data(self, config: Mapping[str, Any]) -> PurePosixPath:
        return path_of(f"{self.engine.data_dir_in(config)}/server/db/etcd")

    def conditions_of(self, node: NodeObject) -> Conditions:
        """Whether it is ready, the words for that, and whether it votes."""
        status, message, votes = "Unknown", SILENT, ""
        if self.is_ready(node):
            status, message = "True", POSTING
        elif node.host.up and self.now < node.ready_at:
            status, message = "False", NO_NETWORK
        if ETCD in node.roles:
            votes = str(node.host.name in self.members and self.members[node.host.name].voter)
        return Conditions(status, message, votes)

    def is_ready(self, node: NodeObject) -> bool:
        service = node.host.service(node.unit)
        reached = node.host.up and not node.host.cut and self.now >= node.ready_at
        return reached and service is not None and service.state == "active"

    def server_for(self, source: SimulatedHost, url: str) -> SimulatedHost | None:
        """The serving host behind a registration address. The endpoint leads to any server that serves."""
        address = urlsplit(url).hostname or ""
        is_endpoint = address not in self.network.hosts and address == self.cluster.endpoint
        addresses = [node.address for node in self.cluster.servers] if is_endpoint else [address]
        reached = (self.network.reach(source, known) for known in addresses)
        return next((host for host in reached if host is not None and self.serves(host)), None)

    def register(self, host: SimulatedHost, unit: str, roles: tuple[str, ...]) -> None:
        """The kubelet registers; the network of a node takes a while the first time."""
        name = self.node_name_of(host)
        delay = 0.0 if name in self.nodes else self._takes(host, "node-network")
        never = any(
            config.get(key) == "none"
            for config in (self.config_of(host), self.settings)
            for key in ("cni", "flannel-backend")
        )
        ready_at = float("inf") if never else self.now + delay
        host.well_from(self.now if never else ready_at)  # never: with a network of the user's own
        self.nodes[name] = NodeObject(name, host, unit, roles, self.cluster.version, ready_at)

    # How the services live

    def server_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """From the first line of the log to READY=1."""
        if not self.engine.has(self.cluster, self.engine.unit_notifies):
            service.ready()  # Type=simple: active as soon as the process runs
        yield self._takes(host, "server-begin")
        config = self.config_of(host)
        importing.need_images(self.engine, host, config, self.cluster.version)
        listening.take(self.engine, host, config, etcd=self._wants_etcd(config))
        first = not host.disk.exists(self._etcd_data(config)) or host.name not in self.members
        if not self._wants_etcd(config):
            self._begin_without_etcd(host, config)
        elif first:
            self._begin_with_etcd(host, config)
        if self._wants_etcd(config):
            host.disk.make_folder(self._etcd_data(config))
        self._begin_member(host)
        importing.install_tools(self.engine, host, config)
        joins = "server" if config.get("server") else "primary"
        fresh = not importing.has_imported(self.engine, host, config)
        yield self._takes(host, f"{joins}-first-start" if fresh else "server-restart")
        importing.import_images(self.engine, host, config)
        yield from self._wait_for_promotion(host)
        while not self.has_quorum or self._pods_are_kept_out(host, config):
            yield self._takes(host, "server-looks-again")
        self._open(host, config)
        service.log(UP.format(name=self.engine.name))

    def _wants_etcd(self, config: Mapping[str, Any]) -> bool:
        if "datastore-endpoint" in config or is_true(config.get("disable-etcd", "")):
            return False
        return not self.engine.sqlite or bool(config.get("server")) or is_true(config.get("cluster-init", ""))

    def _begin_without_etcd(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        if not self.settings:
            self.settings = config
            self.initialised.append(host.name)
        self._compare(config)
        if "datastore-endpoint" in config or config.get("server"):
            return
        if self.on_sqlite not in ("", host.name) or self.members:
            self.network.breach("one-cluster", f"{host.name} began a second state, in SQLite")
        self.on_sqlite = host.name
        host.disk.make_folder(self._etcd_data(config).parent)
        host.disk.write(self._etcd_data(config).with_name("state.db"), b"state")

    def _begin_with_etcd(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        if not config.get("server"):
            self._initialise(host, config)
            return
        url, port = str(config["server"]), self.engine.supervisor_port
        if self.server_for(host, url) is None or self.on_sqlite:
            raise ServiceFailed(CA_CERTS.format(url=url, host=urlsplit(url).hostname, port=port))
        self._compare(config)
        if self._is_anothers(host):
            raise ServiceFailed(DUPLICATE)
        busy = self.find_learner()
        if busy and busy.host != host.name:
            self.collisions += 1
            raise ServiceFailed(LEARNERS)
        self.members[host.name] = Member(host.name, self.now)

    def _initialise(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        """A new cluster, unless its own state is in SQLite: that is moved into etcd."""
        moved = self.on_sqlite == host.name
        self.on_sqlite = ""
        self.initialised += [] if moved else [host.name]
        if not moved and len(self.initialised) > 1:
            told = f"{host.name} made a second cluster; {self.initialised[0]} had made the first one"
            self.network.breach("one-cluster", told)
        self.settings = config
        self.members[host.name] = Member(host.name, self.now, voter=True)

    def _compare(self, config: Mapping[str, Any]) -> None:
        if not _is_same_token(config, self.settings.get("token")):
            words = SERVER_REFUSED.format(url=config.get("server"), name=self.engine.name)
            raise ServiceFailed(words)
        for key in self.engine.same_on_all_servers:
            if config.get(key) != self.settings.get(key):
                raise ServiceFailed(MISMATCH.format(key=key))

    def _begin_member(self, host: SimulatedHost) -> None:
        member = self.members.get(host.name)
        if member:
            member.running = True
            learners = [known.host for known in self.members.values() if not known.voter]
            if len(learners) > 1:
                self.network.breach("one-learner", f"two learners at once: {', '.join(learners)}")

    def _wait_for_promotion(self, host: SimulatedHost) -> Iterator[float]:
        member = self.members.get(host.name)
        if member and not member.voter:
            yield self._takes(host, "server-promotion")
            while not self.has_quorum:  # the voters decide on it
                yield self._takes(host, "server-looks-again")
            member.voter = True

    def _open(self, host: SimulatedHost, config: Mapping[str, Any]) -> None:
        """A member of etcd alone opens nothing, and has a kubelet all the same."""
        etcd = (ETCD,) if host.name in self.members else ()
        if is_true(config.get("disable-apiserver", "")):
            self.register(host, self.engine.server_unit, etcd)
            return
        host.disk.make_folder(API_IS_UP)
        kubeconfig = self.engine.kubeconfig_in(config)
        host.disk.make_folder(kubeconfig.parent)
        host.disk.write(kubeconfig, KUBECONFIG, mode=0o600)
        self.register(host, self.engine.server_unit, (CONTROL_PLANE, *etcd))

    def server_gone(self, host: SimulatedHost, _service: SimulatedService) -> None:
        """Its process ended: etcd and the API server go with it."""
        host.disk.remove(API_IS_UP)
        leave(host, self.engine.name)
        if host.name in self.members:
            self.members[host.name].running = False

    def _pods_are_kept_out(self, host: SimulatedHost, config: Mapping[str, Any]) -> bool:
        return listening.keeps_pods_out(self.engine, host, config, etcd=self._wants_etcd(config))

    def agent_gone(self, host: SimulatedHost, _service: SimulatedService) -> None:
        leave(host, self.engine.name)

    def agent_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """It asks until a server takes it, and never exits for that."""
        if not self.engine.has(self.cluster, self.engine.unit_notifies):
            service.ready()
        yield self._takes(host, "agent-begin")
        config = self.config_of(host)
        importing.need_images(self.engine, host, config, self.cluster.version)
        url = str(config.get("server") or "")
        while (complaint := self._refusal(host, config, url)) is not None:
            if service.journal[-1:] != [complaint]:
                service.log(complaint)
            yield self._takes(host, "agent-asks-again")
        listening.take_for_agent(self.engine, host)
        fresh = not importing.has_imported(self.engine, host, config)
        yield self._takes(host, "agent-first-start" if fresh else "agent-restart")
        importing.import_images(self.engine, host, config)
        importing.install_tools(self.engine, host, config)
        self.register(host, self.engine.agent_unit, ())
        service.log(UP.format(name=f"{self.engine.name} agent"))

    def _refusal(self, host: SimulatedHost, config: Mapping[str, Any], url: str) -> str | None:
        if self.cluster.joins:  # somebody else's control plane, which is there
            return None if config.get("token") else AGENT_REFUSED.format(url=url, name=self.engine.name)
        if self.server_for(host, url) is None:
            return NO_ANSWER.format(url=url)
        expected = self.settings.get("agent-token") or self.settings.get("token")
        if not _is_same_token(config, expected):
            return AGENT_REFUSED.format(url=url, name=self.engine.name)
        return NODE_REFUSED if self._is_anothers(host) else None

    def _is_anothers(self, host: SimulatedHost) -> bool:
        known = self.nodes.get(self.node_name_of(host))
        return known is not None and known.host is not host


@lru_cache(256)
def _parsed(content: bytes) -> Mapping[str, Any]:
    """Asked at most looks, of the same content: hosts that have the same share it."""
    return parsed(content.decode())


@cache
def _drop_ins_of(config: PurePosixPath) -> PurePosixPath:
    return path_of(f"{config}.d")


def _is_same_token(config: Mapping[str, Any], expected: object) -> bool:
    """The hash of the CA may stand before it."""
    return password_of(str(config.get("token"))) == password_of(str(expected))
