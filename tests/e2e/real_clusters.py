"""Real Kubernetes on a lab: manifests for it, questions to it, and what its hosts say that happened.

What is asserted is read from the cluster itself and from its hosts, not from what mk8s says of them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mk8s.lab import Lab
from tests.e2e.driving import Driver, states_of, wait_until

__all__ = ["HEALTHY", "IMAGE", "VERSION", "Moment", "RealCluster", "bring_up", "manifest_of", "moments_of"]

VERSION = "v1.20.2"
IMAGE = "registry.local/busybox:1.35"
KUBECTL = "PATH=$PATH:/usr/local/bin kubectl --kubeconfig /etc/kubernetes/admin.conf"
PLACES = "/etc /var/lib/kubernetes /var/lib/kubelet/pki"
# An empty one is being written: what a killed run has begun on a host may go on there.
FOUND = f"find {PLACES} -name '*.crt' -size +0 -not -path '/etc/ssl/*' 2>/dev/null"
CERTIFICATES = f"{FOUND} | sort | xargs -r sha256sum"
WHOLE_RUN = 600.0  # seconds: on busy cores
HEALTHY = "10m"  # for `health --wait`: a cluster's DNS comes after its nodes, and after a power cut
RECOVERY = 300.0  # seconds: an API server restarts, etcd elects, a balancer notices; here on busy cores
AWAY = re.compile(
    r"connection|connect to|EOF|tim(e|ed) ?out|deadline exceeded|handshake|etcdserver|leader|no route|"
    r"Internal ?Error|ServiceUnavailable|TooManyRequests|unable to handle|not ready|rpc error|stream error|"
    r"GOAWAY|broken pipe|cancel|time allotted|doesn't have a resource type|no matches for kind",
    re.IGNORECASE,
)  # what is said of an API server that does not answer just now, not of an answer

Moment = tuple[str, Callable[[Mapping[str, str]], bool]]
"""A name, and whether the journal's states say that it has come."""


@dataclass(frozen=True)
class RealCluster:
    """A cluster on the hosts of a lab: the first `servers` of them are its control planes."""

    driver: Driver
    servers: int

    @property
    def lab(self) -> Lab:
        return self.driver.lab

    @property
    def names(self) -> list[str]:
        """The nodes' names in Kubernetes, in the order of the hosts."""
        return [self.driver.name(i) for i in range(1, len(self.lab.hosts) + 1)]

    def address(self, i: int) -> str:
        return self.lab.hosts[i - 1].address

    def kubectl(self, words: str, on: int = 1, *, own: bool = False, patience: float = RECOVERY) -> str:
        """kubectl on a server. `own`: ask the API server of that host, whatever the endpoint says.

        An API that is away for a moment, as after a server's loss, is asked again for `patience` seconds.
        """
        server = f" --server https://{self.address(on)}:6443" if own else ""
        return self.asked(on, f"{KUBECTL}{server} --request-timeout=20s {words}", patience)

    def asked(self, on: int, script: str, patience: float = RECOVERY) -> str:
        """What a script on a host says that asks the API, or etcd; asked again as `kubectl` is."""
        end = time.monotonic() + patience
        while True:
            try:
                return self.driver.on_host(on, script)
            except AssertionError as said:
                if time.monotonic() > end or not AWAY.search(str(said).rpartition(script)[2]):
                    raise
            time.sleep(1.0)

    def objects(self, words: str, on: int = 1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl(f"get {words} -o json", on))["items"]
        return found

    def ready(self, on: int = 1) -> dict[str, bool]:
        """Whether each node is Ready, by name."""
        return {
            node["metadata"]["name"]: any(
                c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"]
            )
            for node in self.objects("nodes", on)
        }

    def certificates(self) -> dict[tuple[int, str], str]:
        """The digest of every certificate that lies on a host now."""
        found = {}
        for i in range(1, len(self.lab.hosts) + 1):
            for line in self.driver.on_host(i, CERTIFICATES).splitlines():
                digest, _, path = line.partition("  ")
                found[i, path] = digest
        return found

    def apply(self, manifest: str, on: int = 1) -> None:
        self.asked(on, f"{KUBECTL} apply -f - <<'END'\n{manifest}\nEND")


def manifest_of(lab: Lab, distro: str, release: Path, *, servers: int, nodes: int, endpoint: str = "") -> str:
    """A manifest for the first `nodes` hosts of a lab."""
    lines = [
        f"distro: {distro}",
        f"version: {VERSION}",
        "name: real",
        f"artifacts_dir: {release}",
        f"smoke_image: {IMAGE}",
        *([f"endpoint: {endpoint}"] if endpoint else []),
        f"ssh: {{user: dev, key_path: {lab.key}, known_hosts: {lab.known_hosts}}}",
        "nodes:",
    ]
    for number, host in enumerate(lab.hosts[:nodes], start=1):
        role = "server" if number <= servers else "agent"
        primary = ", primary: true" if number == 1 else ""
        lines.append(f"  - {{address: {host.address}, role: {role}{primary}}}")
    return "\n".join(lines) + "\n"


def moments_of(names: Sequence[str], servers: int) -> list[Moment]:
    """Five moments of a rollout: each is about another thing that must not happen twice."""

    def first_at(edge: str, who: Sequence[str]) -> Callable[[Mapping[str, str]], bool]:
        return lambda states: any(states.get(name, "").endswith(f"~{edge}") for name in who)

    def last_server_joins(states: Mapping[str, str]) -> bool:
        joined = [
            states.get(name) in ("running", "healthy") or "~verify" in states.get(name, "")
            for name in names[1:servers]
        ]
        return any(joined) and first_at("join-server", names[1:servers])(states)

    return [
        ("bootstrapping", first_at("bootstrap", names)),
        ("the first server starts", first_at("start-primary", names[:1])),
        ("a server joins", first_at("join-server", names[1:servers])),
        ("the last server joins", last_server_joins),
        ("agents join", first_at("join-agent", names[servers:])),
    ]


def bring_up(
    cluster: RealCluster, moments: Sequence[Moment], seen: Callable[[str], None] = lambda _moment: None
) -> list[str]:
    """Run mk8s to the end, with a kill -9 at each moment; the names of those that struck."""
    struck = []
    for name, has_come in moments:
        if killed_at(cluster.driver, name, has_come):
            struck.append(name)
        seen(name)
    done = cluster.driver.run("--output", "plain")
    assert done.code == 0, done.err
    return struck


def killed_at(driver: Driver, name: str, has_come: Callable[[Mapping[str, str]], bool]) -> bool:
    """Start a run and kill it when the moment has come. False if it ended before."""
    with driver.running("--output", "plain") as process:
        wait_until(
            lambda: process.poll() is not None or has_come(states_of(driver.records())), name, WHOLE_RUN
        )
        still_ran = process.poll() is None
        process.kill()
        process.wait()
    return still_ran


@contextmanager
def power_cut(cluster: RealCluster, i: int) -> Iterator[None]:
    """A host without power for as long as the block lasts."""
    cluster.lab.kill(i)
    try:
        yield
    finally:
        cluster.lab.heal(i)
