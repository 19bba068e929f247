"""What simulated hosts become together under kubeadm: how `kubeadm init`, `join` and the kubelet live.

The cluster itself (etcd, API servers, nodes) is `mk8s.kube.world`; here stands what kubeadm adds: tokens
and certificates that expire, its order of doing things, and its words. Files are written as kubeadm writes
them, so that a crash at any moment leaves what it really leaves.

Not modelled: images, pods, add-ons, certificates beyond the authority's. Begin reading at `init_life`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from mk8s.distros.kubeadm.commands import LEFTOVERS
from mk8s.distros.kubeadm.paths import (
    ADMIN_KUBECONFIG,
    DONE,
    KUBELET_CONFIG,
    KUBELET_KUBECONFIG,
    KUBELET_UNIT,
    LOG,
    MANIFESTS,
    PKI,
    RUNNER_CONFIG,
    RUNNER_UNIT,
)
from mk8s.distros.kubeadm.readiness import ca_hash
from mk8s.distros.kubeadm.said import (
    ETCD_FAILED,
    EXISTS,
    IN_USE,
    NO_ANSWER,
    NO_CERTIFICATES,
    NO_TOKEN,
    NODE_READY,
    NOT_UP,
    NOT_WELL,
    OTHER_AUTHORITY,
)
from mk8s.distros.upstream.versions import release_of
from mk8s.kube.etcd import EtcdRefused
from mk8s.kube.world import API, OURS, World
from mk8s.ports_model import is_taken
from transports.base import Outcome
from transports.simulated import ServiceFailed, SimulatedHost, SimulatedService, path_of

__all__ = ["CERTIFICATES_LAST", "TOKENS_LAST", "KubeadmWorld"]

LEARNERS_FROM = 29  # EtcdLearnerMode is on by default
CONTROLLERS, SCHEDULER, KUBELET = 10257, 10259, 10248
KUBELET_API, ETCD_PORTS = 10250, (2379, 2380)
CONTROL_PLANE = (API, CONTROLLERS, SCHEDULER)
ETCD_PATIENCE, KUBELET_PATIENCE, JOIN_PATIENCE = 120.0, 240.0, 300.0  # seconds, kubeadm's own constants
CERTIFICATES_LAST, TOKENS_LAST = 7200.0, 7200.0  # seconds
ETCD_DATA = PurePosixPath("/var/lib/etcd/member")
ETCD_MANIFEST = MANIFESTS / "etcd.yaml"

AUTHORITY = b"""\
-----BEGIN CERTIFICATE-----
MIIBgjCCASegAwIBAgIUSPDTXHiaLU8qNV6SJQHurprKPXQwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjEwNTQzMjJaGA8yMTI2MTAy
ODA1NDMyMlowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABPqZHDd1HsE5MDlsjN4JGjwoopoWrtEy9BdaSD3kj9XaPVNvyP6Y
Ukf3prdRhQIq/loH0FANOY01nGaWvF1z0HqjUzBRMB0GA1UdDgQWBBQpbCwuHk6y
5Ogvx4Y7eHL+R3oWETAfBgNVHSMEGDAWgBQpbCwuHk6y5Ogvx4Y7eHL+R3oWETAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCqLyIBKsGQ1WFr4NZx
7THyPLyL/UNIj5+Ai7nmtq7y2gIhAPc3ibfTq4H+qlxjxN6G4hldhAKklzvPA89R
fYDsOcun
-----END CERTIFICATE-----
"""
"""A certificate that was made for this; its key is nobody's."""

ADMIN = b"apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:6443\n  name: kubernetes\n"
SILENCE = 40.0  # seconds without a word of the kubelet until its Node is not Ready any more


@dataclass
class KubeadmWorld:
    """What kubeadm knows of a cluster beside its API's nodes and etcd's members."""

    world: World
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)  # id -> token, until when
    certificates: tuple[str, float] | None = None  # the key they are encrypted with, until when
    inits: list[str] = field(default_factory=list)  # hosts where init succeeded, each time
    silent: dict[str, float] = field(default_factory=dict)  # host -> when its kubelet ended last

    @property
    def now(self) -> float:
        return self.world.now

    # kubeadm's unit

    def kubeadm_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """The runner and kubeadm in it, to its end or its failure."""
        if DONE in host.files:
            return
        verb = "init" if b" init\n" in host.disk.read(RUNNER_UNIT) else "join"
        _note(host, f"begin {verb}")
        try:
            documents = list(yaml.safe_load_all(host.disk.read(RUNNER_CONFIG)))
            yield host.seconds("kubeadm:preflight")
            _refuse_leftovers(host)
            _refuse_taken_ports(host, serves=verb == "init" or "controlPlane" in documents[0])
            if verb == "init":
                yield from self.init_life(host, service, documents[0])
            else:
                yield from self.join_life(host, service, documents[0])
        except ServiceFailed:
            host.disk.remove(RUNNER_CONFIG)
            _note(host, f"end {verb}, exit status 1")
            raise
        _note(host, f"end {verb}, exit status 0")
        _write(host, DONE, b"done\n")
        host.disk.remove(RUNNER_CONFIG)

    def init_life(
        self, host: SimulatedHost, service: SimulatedService, config: Mapping[str, Any]
    ) -> Iterator[float]:
        """The phases of `kubeadm init`, in its order."""
        service.log("[certs] Generating certificates")
        _write(host, PKI / "ca.crt", AUTHORITY)
        _write(host, ADMIN_KUBECONFIG, ADMIN, mode=0o600)
        name = config["nodeRegistration"]["name"]
        peer = _peer(config["localAPIEndpoint"]["advertiseAddress"])
        service.log("[etcd] Creating static Pod manifest for local etcd")
        _write_etcd(host, name, peer, {name: peer}, new=True)
        yield from self._start_kubelet(host)
        service.log("[wait-control-plane] Waiting for the kubelet to boot up the control plane")
        yield from self._wait_for(host, lambda: self.world.serves(host), 600.0, NOT_UP)
        yield from self._wait_for(host, lambda: name in self.world.nodes, 240.0, NOT_UP)
        token = config["bootstrapTokens"][0]["token"]
        self.tokens[token.partition(".")[0]] = (token, self.now + TOKENS_LAST)
        self.certificates = (config["certificateKey"], self.now + CERTIFICATES_LAST)
        service.log("[addons] Applied essential addon: kube-proxy")
        yield host.seconds("kubeadm:addons")
        self.inits.append(host.name)

    def join_life(
        self, host: SimulatedHost, service: SimulatedService, config: Mapping[str, Any]
    ) -> Iterator[float]:
        """The phases of `kubeadm join`, in its order."""
        bootstrap = config["discovery"]["bootstrapToken"]
        address = bootstrap["apiServerEndpoint"].rpartition(":")[0]
        service.log("[preflight] Reading configuration from the cluster...")
        yield from self._wait_for(
            host,
            lambda: self.world.api_for(host, address) is not None,
            JOIN_PATIENCE,
            NO_ANSWER.format(address),
        )
        self._check_token(bootstrap)
        name = config["nodeRegistration"]["name"]
        if "controlPlane" in config:
            self._take_certificates(host, config["controlPlane"]["certificateKey"])
        _write(host, PKI / "ca.crt", AUTHORITY)
        self._refuse_ready(name)
        service.log("[kubelet-start] Starting the kubelet")
        yield from self._start_kubelet(host)
        yield from self._wait_for(host, lambda: name in self.world.nodes, JOIN_PATIENCE, NOT_UP)
        if "controlPlane" in config:
            peer = _peer(config["controlPlane"]["localAPIEndpoint"]["advertiseAddress"])
            yield from self._join_etcd(host, service, name, peer)
            yield host.seconds("kubeadm:control-plane-start")
            yield from self._wait_for(host, lambda: self.world.serves(host), 600.0, NOT_UP)

    def _refuse_ready(self, name: str) -> None:
        """A Node that is Ready is taken for another host's that lives; it stays so for a while."""
        node = self.world.nodes.get(name)
        if node is None:
            return
        until = self.now if node.running else self.silent.get(node.host.name, 0.0)
        if until >= node.ready_at and self.now - until < SILENCE:
            raise ServiceFailed(NODE_READY.format(name))

    def _check_token(self, bootstrap: Mapping[str, Any]) -> None:
        known = self.tokens.get(bootstrap["token"].partition(".")[0])
        if known is None or known[0] != bootstrap["token"] or known[1] < self.now:
            raise ServiceFailed(NO_TOKEN.format(bootstrap["token"].partition(".")[0]))
        own = ca_hash(Outcome(status=0, stdout=AUTHORITY))
        if own not in bootstrap["caCertHashes"]:
            raise ServiceFailed(OTHER_AUTHORITY.format(own))

    def _take_certificates(self, host: SimulatedHost, key: str) -> None:
        if self.certificates is None or self.certificates[0] != key or self.certificates[1] < self.now:
            raise ServiceFailed(NO_CERTIFICATES)
        _write(host, ADMIN_KUBECONFIG, ADMIN, mode=0o600)

    def _join_etcd(
        self, host: SimulatedHost, service: SimulatedService, name: str, peer: str
    ) -> Iterator[float]:
        """Add the member, run it and, from 1.29 on, promote it."""
        learner = release_of(self.world.cluster).minor >= LEARNERS_FROM
        etcd = self.world.etcd
        service.log("[etcd] Announced new etcd member joining to the existing etcd cluster")
        yield from self._insist(host, lambda: etcd.add(peer, learner=learner))
        others = {member.name or name: member.peer for member in etcd.members.values()}
        _write_etcd(host, name, peer, others | {name: peer}, new=False)
        yield host.seconds("kubeadm:etcd-start")
        self._run_static_pods(host)
        service.log("[etcd] Waiting for the new etcd member to join the cluster")
        if learner:
            yield from self._insist(host, lambda: etcd.promote(peer))

    def _insist(self, host: SimulatedHost, ask: Any) -> Iterator[float]:
        """Every half second, as kubeadm does, until etcd agrees or two minutes are over."""
        until = self.now + ETCD_PATIENCE
        while True:
            try:
                ask()
                return
            except EtcdRefused as refusal:
                if self.now > until:
                    raise ServiceFailed(ETCD_FAILED.format(refusal)) from refusal
                yield host.seconds("kubeadm:etcd-again")

    def _wait_for(self, host: SimulatedHost, is_met: Any, patience: float, words: str) -> Iterator[float]:
        until = self.now + patience
        while not is_met():
            if self.now > until:
                raise ServiceFailed(words)
            yield host.seconds("kubeadm:looks-again")

    # The kubelet's unit

    def _start_kubelet(self, host: SimulatedHost) -> Iterator[float]:
        _write(host, KUBELET_CONFIG, b"kind: KubeletConfiguration\n")
        _write(host, KUBELET_KUBECONFIG, b"kind: Config\n", mode=0o600)
        kubelet = host.service(KUBELET_UNIT.name)
        if kubelet is None:
            raise ServiceFailed("Unit kubelet.service not found.")
        kubelet.stop()
        kubelet.start()
        yield from self._wait_for(host, lambda: self.world.listens(host, KUBELET), KUBELET_PATIENCE, NOT_WELL)

    def kubelet_life(self, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        """Without its config it exits; with it, it runs the static pods and registers the node."""
        service.ready()
        yield host.seconds("kubeadm:kubelet-begin")
        if KUBELET_CONFIG not in host.files:
            raise ServiceFailed('"Failed to load kubelet config file" path="/var/lib/kubelet/config.yaml"')
        yield host.seconds("kubeadm:kubelet-start")
        self.world.open(host, KUBELET, KUBELET_API)
        serves = ETCD_MANIFEST in host.files
        yield host.seconds("kubeadm:control-plane-start" if serves else "kubeadm:kubelet-certificate")
        while not self._run_static_pods(host):
            yield host.seconds("kubeadm:static-pods-again")
        node = next(node for node in self.world.cluster.nodes if node.address == host.address)
        endpoint = self.world.cluster.endpoint or self.world.cluster.primary.ip
        while self.world.api_for(host, endpoint) is None and not self.world.serves(host):
            yield host.seconds("kubeadm:kubelet-asks-again")
        self.world.register(host, node.name, ready_in=host.seconds("kubeadm:node-network"))

    def _run_static_pods(self, host: SimulatedHost) -> bool:
        """Start what has a manifest; False while etcd does not stay up."""
        if ETCD_MANIFEST not in host.files:
            return True
        flags = yaml.safe_load(host.disk.read(ETCD_MANIFEST))
        etcd = self.world.etcd
        if not any(member.host is host for member in etcd.members.values()):
            has_data = host.disk.exists(ETCD_DATA)
            try:
                etcd.start(
                    host, flags["name"], flags["peer"], flags["initial"],
                    new=flags["new"], has_data=has_data,
                )  # fmt: skip
            except ServiceFailed:
                return False
            host.disk.make_folder(ETCD_DATA)
        try:
            self.world.open(host, *CONTROL_PLANE, *ETCD_PORTS)
        except ServiceFailed:
            return False
        return True

    def kubelet_gone(self, host: SimulatedHost, _service: SimulatedService) -> None:
        """Its static pods go on without it, unless the power is gone."""
        self.silent[host.name] = self.now
        self.world.close(host, KUBELET, KUBELET_API)
        self.world.kubelet_gone(host)
        if not host.up:
            self.stop_pods(host)

    def stop_pods(self, host: SimulatedHost) -> None:
        self.world.close(host, *CONTROL_PLANE, *ETCD_PORTS)
        self.world.etcd.stop(host)

    # kubeadm reset

    def take_back(self, host: SimulatedHost, address: str) -> None:
        """Leave etcd if it answers, stop everything, remove the files."""
        etcd, peer = self.world.etcd, _peer(address)
        if list(etcd.members) == [peer]:
            etcd.members.clear()  # its data go with it, and so does the cluster
        elif peer in etcd.members and ADMIN_KUBECONFIG in host.files:
            with suppress(EtcdRefused):  # kubeadm warns, and goes on
                etcd.remove(peer)
        kubelet = host.service(KUBELET_UNIT.name)
        if kubelet:
            kubelet.stop()
        self.stop_pods(host)
        for path in LEFTOVERS:
            host.disk.remove(path_of(path))
        host.disk.remove(DONE)


def _peer(address: str) -> str:
    return f"https://{address}:2380"


def _write_etcd(host: SimulatedHost, name: str, peer: str, initial: Mapping[str, str], *, new: bool) -> None:
    """The manifest as far as the model reads it, and those of the other three."""
    flags = {"name": name, "peer": peer, "initial": dict(initial), "new": new}
    _write(host, ETCD_MANIFEST, yaml.safe_dump(flags).encode())
    for component in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        _write(host, MANIFESTS / f"{component}.yaml", b"kind: Pod\n")


def _refuse_leftovers(host: SimulatedHost) -> None:
    for path in LEFTOVERS:
        if host.disk.exists(path_of(path)):
            raise ServiceFailed(EXISTS.format(path.replace("/", "-"), path))


def _refuse_taken_ports(host: SimulatedHost, *, serves: bool) -> None:
    """kubeadm's preflight: of a server all ports, of a worker the kubelet's."""
    for port in (KUBELET_API, *CONTROL_PLANE, *ETCD_PORTS) if serves else (KUBELET_API,):
        if is_taken(host, OURS, port):
            raise ServiceFailed(IN_USE.format(port))


def _write(host: SimulatedHost, path: PurePosixPath, content: bytes, mode: int = 0o644) -> None:
    host.disk.make_folder(path.parent)
    host.disk.write(path, content, mode=mode)


def _note(host: SimulatedHost, words: str) -> None:
    before = host.disk.read(LOG) if LOG in host.files else b""
    _write(host, LOG, before + f"{words}\n".encode())
