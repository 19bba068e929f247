"""The cluster that simulated k0s hosts make up together: how its two services live, and its join tokens.

The cluster itself (etcd, API servers, nodes) is `mk8s.kube.world`; here stands what k0s adds, as it is
documented and as its sources at the release tags say: tokens that expire, a controller that joins through
port 9443 and becomes a member of etcd (a voter at once, or by release a learner first), workers that ask
until somebody answers, a status socket, restarts after 10 s. A second cluster is a breach of the network's.
How long the parts of a life take stands in `durations`.

Not modelled: pods, certificates, konnectivity, load balancers. Begin reading at `controller_life`.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from mk8s.cluster import Cluster, Node
from mk8s.distros.k0s import versions
from mk8s.distros.k0s.roles import CONFIG, at, data_dir, has_network, images_dir, is_single, runs_own_etcd
from mk8s.kube.etcd import Etcd, EtcdRefused
from mk8s.kube.world import API, World
from transports.simulated import ServiceFailed, SimulatedHost, SimulatedService, path_of

__all__ = ["CONTROLLER", "SOCKET", "WORKER", "K0sWorld", "peer_of", "words_of"]

SOCKET = PurePosixPath("/run/k0s/status.sock")
CONTROLLER, WORKER = "k0scontroller.service", "k0sworker.service"
JOINING, KUBELET = 9443, 10250  # ports
TAINT = "node-role.kubernetes.io/control-plane"
PATIENCE = 240.0  # seconds that a joining controller insists on etcd, from v1.31.5 on
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between its attempts: they double

NO_FILE = 'Error: failed to join controller: read token file "{}": no such file or directory'
UNREADABLE = "Error: failed to join controller: failed to create join client: failed to decode token"
NO_WAY = 'Error: failed to join controller: failed to join existing cluster via "{}": connection refused'
REFUSED = 'Error: failed to join controller: failed to join existing cluster via "{}": Unauthorized'
WRONG_KIND = "Error: wrong token type {}, expected type: {}"
ETCD_REFUSED = "Error: failed to sync etcd config: {}"
NOTHING_GIVEN = (
    "Error: failed to bootstrap kubelet client configuration: neither regular nor bootstrap kubelet "
    "kubeconfig files exist and no join token given; dunno how to make kubelet authenticate to API server"
)
WORKER_REFUSED = "Error: failed to bootstrap kubelet client configuration: Unauthorized"
ADMIN = b"apiVersion: v1\nclusters:\n- cluster:\n    server: https://localhost:6443\n  name: local\n"


class Outside(Etcd):
    """A database that somebody else runs: it always answers."""

    @property
    def has_quorum(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Token:
    """A join token that a controller made."""

    role: str
    url: str
    until: float  # seconds


@dataclass
class K0sWorld:
    """What k0s knows of a cluster beside its API's nodes and etcd's members."""

    world: World
    tokens: dict[str, Token] = field(default_factory=dict)  # by id
    made: int = 0
    inits: list[str] = field(default_factory=list)  # hosts that founded a cluster, each time
    joins: list[str] = field(default_factory=list)  # controllers that joined, each time
    shared: set[tuple[str, str]] = field(default_factory=set)  # host, file: what API servers may read

    def __post_init__(self) -> None:
        self._nodes = {node.address: node for node in self.cluster.nodes}
        if not runs_own_etcd(self.cluster):
            self.world.etcd = Outside(lambda: self.world.now, self.world.network.breach)

    @property
    def cluster(self) -> Cluster:
        return self.world.cluster

    @property
    def now(self) -> float:
        return self.world.now

    def node_of(self, host: SimulatedHost) -> Node:
        """The manifest's node that this host is."""
        return self._nodes[host.address]

    # Tokens

    def make_token(self, host: SimulatedHost, role: str, lasts: float) -> str:
        """A new token in k0s' form; the caller has seen that this controller serves."""
        self.made += 1
        api = at(_config(host), "spec", "api")
        address = at(api, "externalAddress") or at(api, "address") or host.address
        port = 9443 if role == "controller" else API
        url = f"https://{f'[{address}]' if ':' in address else address}:{port}"
        name = f"{self.made:06d}"
        self.tokens[name] = Token(role, url, self.now + lasts)
        user = "controller-bootstrap" if role == "controller" else "kubelet-bootstrap"
        config = {
            "clusters": [
                {"name": "k0s", "cluster": {"server": url, "certificate-authority-data": "TU9ERUw="}}
            ],
            "users": [{"name": user, "user": {"token": f"{name}.{'0' * 16}"}}],
        }
        return base64.b64encode(gzip.compress(yaml.safe_dump(config).encode(), mtime=0)).decode()

    def _read_token(self, host: SimulatedHost, path: str, missing: str) -> tuple[str, str, str]:
        """Its id, URL and user. Raises ServiceFailed."""
        file = path_of(path)
        if file not in host.files:
            raise ServiceFailed(missing.format(path))
        try:
            config = yaml.safe_load(gzip.decompress(base64.b64decode(host.disk.read(file))))
            user, cluster = config["users"][0], config["clusters"][0]
            return user["user"]["token"].partition(".")[0], cluster["cluster"]["server"], user["name"]
        except (ValueError, OSError, EOFError, TypeError, KeyError):
            raise ServiceFailed(UNREADABLE) from None

    def _is_good(self, name: str, role: str) -> bool:
        known = self.tokens.get(name)
        return known is not None and known.role == role and known.until > self.now

    # Controllers

    def controller_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """From exec, which is all that systemd waits for, to an API server and a Node."""
        service.ready()
        node, words = self.node_of(host), words_of(host, CONTROLLER)
        yield host.seconds("k0s:controller-begin")
        host.disk.make_folder(SOCKET.parent)
        host.disk.write(SOCKET, b"")
        first = self._must_join(host, node)
        token = words.get("--token-file", "")
        if first and token:
            yield from self._join(host, node, token)
        elif first:
            self._found(host, node)
        elif runs_own_etcd(self.cluster):
            self._run_etcd(host, node, {}, new=False, has_data=True)
        _write(host, data_dir(node) / "pki/ca.key", b"")
        _write(host, data_dir(node) / "pki/ca.crt", b"")
        fresh = data_dir(node) / "pki/admin.conf" not in host.files  # no first start has ended here
        yield host.seconds("k0s:controller-first-start" if fresh else "k0s:controller-restart")
        while not self.world.etcd.has_quorum:
            yield host.seconds("k0s:controller-looks-again")
        _write(host, data_dir(node) / "pki/admin.conf", ADMIN)
        self.world.open(host, API, JOINING)
        service.log('level=info msg="all components started" component=k0s')
        if "--enable-worker" in words or is_single(node):
            yield host.seconds("k0s:controller-kubelet")
            self._register(host, node, words)
        else:
            host.well_from(self.now)

    def _must_join(self, host: SimulatedHost, node: Node) -> bool:
        if runs_own_etcd(self.cluster):
            return not host.disk.exists(data_dir(node) / "etcd/member/snap/db")
        return not host.disk.exists(data_dir(node) / "pki/ca.key")

    def _found(self, host: SimulatedHost, node: Node) -> None:
        self.inits.append(host.name)
        if len(self.inits) > 1:
            told = f"{host.name} made a second cluster; {self.inits[0]} had made the first one"
            self.world.network.breach("one-cluster", told)
            self.world.etcd.members.clear()  # it knows nothing of the first one
        if runs_own_etcd(self.cluster):
            peer = peer_of(host, node)
            self._run_etcd(host, node, {host.hostname: peer}, new=True, has_data=False)

    def _join(self, host: SimulatedHost, node: Node, token: str) -> Iterator[float]:
        """Through port 9443 of a controller: its keys, and a place in etcd."""
        name, url, user = self._read_token(host, token, NO_FILE)
        if user != "controller-bootstrap":
            raise ServiceFailed(WRONG_KIND.format(user, "controller-bootstrap"))
        if self.world.api_for(host, urlsplit(url).hostname or "") is None:
            raise ServiceFailed(NO_WAY.format(url))
        if not self._is_good(name, "controller"):
            raise ServiceFailed(REFUSED.format(url))
        self.joins.append(host.name)
        yield host.seconds("k0s:controller-keys")
        if runs_own_etcd(self.cluster):
            yield from self._join_etcd(host, node)

    def _join_etcd(self, host: SimulatedHost, node: Node) -> Iterator[float]:
        """The member is added first, and runs some seconds later: with two votes, both are needed."""
        etcd, peer = self.world.etcd, peer_of(host, node)
        learner = versions.has_release(self.cluster, versions.LEARNERS)
        yield from self._insist(lambda: etcd.add(peer, learner=learner))
        yield host.seconds("k0s:controller-etcd-start")
        initial = {member.name or host.hostname: member.peer for member in etcd.members.values()}
        self._run_etcd(host, node, initial, new=False, has_data=False)
        if learner:
            yield from self._insist(lambda: etcd.promote(peer))

    def _insist(self, ask: Callable[[], object]) -> Iterator[float]:
        """Delays that double, to a minute at most [k0s]; releases before v1.31 ask once."""
        until = self.now + (PATIENCE if versions.release_of(self.cluster.version).minor > 30 else 0.0)
        pause = FIRST_PAUSE
        while True:
            try:
                ask()
                return
            except EtcdRefused as refusal:
                if self.now >= until:
                    raise ServiceFailed(ETCD_REFUSED.format(refusal)) from refusal
            yield pause
            pause = min(2 * pause, LONGEST_PAUSE)

    def _run_etcd(
        self, host: SimulatedHost, node: Node, initial: Mapping[str, str], *, new: bool, has_data: bool
    ) -> None:
        peer = peer_of(host, node)
        self.world.etcd.start(host, host.hostname, peer, initial, new=new, has_data=has_data)
        _write(host, data_dir(node) / "etcd/member/snap/db", b"")

    # Workers

    def worker_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """It asks until the API answers; a token that is refused ends it, and systemd begins anew."""
        service.ready()
        node, words = self.node_of(host), words_of(host, WORKER)
        yield host.seconds("k0s:worker-begin")
        own = data_dir(node) / "kubelet.conf"
        first = own not in host.files
        if first:
            yield from self._bootstrap(host, service, words.get("--token-file", ""))
            _write(host, own, b"kind: Config\n")
        host.disk.make_folder(SOCKET.parent)
        host.disk.write(SOCKET, b"")
        fresh = host.hostname.lower() not in self.world.nodes  # no first start has ended here
        yield host.seconds("k0s:worker-first-start" if fresh else "k0s:worker-restart")
        while not self._finds_api(host):
            yield host.seconds("k0s:worker-asks-again")
        self._register(host, node, words)

    def _bootstrap(self, host: SimulatedHost, service: SimulatedService, path: str) -> Iterator[float]:
        file = path_of(path)
        if not path or (file in host.files and not host.disk.read(file).strip()):
            raise ServiceFailed(NOTHING_GIVEN)
        if self.cluster.joins:
            return  # the control plane is not among these hosts: it takes any token
        name, url, user = self._read_token(host, path, NOTHING_GIVEN)
        if user != "kubelet-bootstrap":
            raise ServiceFailed(WRONG_KIND.format(user, "kubelet-bootstrap"))
        while self.world.api_for(host, urlsplit(url).hostname or "") is None:
            service.log(f'level=debug msg="connection refused" url={url}')
            yield host.seconds("k0s:worker-asks-again")
        if not self._is_good(name, "worker"):
            raise ServiceFailed(WORKER_REFUSED)

    def _finds_api(self, host: SimulatedHost) -> bool:
        if self.cluster.joins:
            return True
        balanced = self.cluster.endpoint or self.cluster.balancer.node_local
        known = self.cluster.servers if balanced else self.cluster.servers[:1]
        return any(self.world.api_for(host, server.ip) is not None for server in known)

    def _register(self, host: SimulatedHost, node: Node, words: Mapping[str, str]) -> None:
        """The kubelet's Node: Ready once its network is up, and never without its images."""
        self.world.open(host, KUBELET)
        ready_in = host.seconds("k0s:node-network")
        if not self._has_images(host, node):
            ready_in = float("inf")
        pairs = filter(None, words.get("--labels", "").split(","))
        labels = dict(pair.partition("=")[::2] for pair in pairs)
        kept = node.is_server and "--no-taints" not in words and not is_single(node)
        taints = {TAINT: "NoSchedule"} if kept else {}
        registered = self.world.register(
            host,
            host.hostname.lower(),
            ready_in=ready_in,
            network=has_network(self.cluster),
            labels=labels,
            taints=taints,
        )
        registered.version = self.cluster.version.rpartition(".")[0]

    def _has_images(self, host: SimulatedHost, node: Node) -> bool:
        if not self.cluster.airgap or self.cluster.artifacts_mode == "preinstalled":
            return True
        return any(path.parent == images_dir(node) for path in host.files)

    def gone(self, host: SimulatedHost, _service: SimulatedService) -> None:
        """Its process ended, and all that it ran but containers."""
        host.disk.remove(SOCKET)
        self.world.close(host, API, JOINING, KUBELET)
        self.world.etcd.stop(host)
        self.world.kubelet_gone(host)


def peer_of(host: SimulatedHost, node: Node) -> str:
    """The URL by which other members of etcd reach this one: as configured, else the host's own."""
    address = str(at(_config(host), "spec", "storage", "etcd", "peerAddress") or node.ip)
    return f"https://{f'[{address}]' if ':' in address else address}:2380"


def words_of(host: SimulatedHost, unit: str) -> dict[str, str]:
    """The flags in the unit's command line; a switch has no value."""
    text = host.disk.read(path_of("/etc/systemd/system") / unit).decode()
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    return dict(word.partition("=")[::2] for word in line.split("\t")[2:])


def _config(host: SimulatedHost) -> Any:
    return yaml.safe_load(host.disk.read(CONFIG)) if CONFIG in host.files else {}


def _write(host: SimulatedHost, path: PurePosixPath, content: bytes) -> None:
    host.disk.make_folder(path.parent)
    host.disk.write(path, content, mode=0o600)
