"""Real Kubernetes on real hosts: three control planes and two workers, killed five times on the way.

One cluster for each distro and for all tests of it; mk8s was killed (-9) at five moments of its rollout.
The tests only look, or leave the cluster as they found it. A power cut is healed before the test ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.balancer import Balancer
from tests.e2e.driving import Driver, states_of, wait_until
from tests.e2e.labs import LabMaker
from tests.e2e.real_clusters import (
    HEALTHY,
    IMAGE,
    RealCluster,
    bring_up,
    manifest_of,
    moments_of,
    power_cut,
)

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.timeout(1800)]

SERVERS, NODES = 3, 5
# Seconds after which something hangs; what is waited for takes a fifth of it where two busy cores do all.
SILENT = 300.0  # an election of each controller, then 40 s of node-monitor-grace-period
ROADS = 300.0  # the rules of a new service are on every host
RETURNING = 600.0  # a host boots and its pods come back

WEB = f"""
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: {IMAGE}
        command: [sh, -c, 'mkdir -p /w && echo $NODE > /w/index.html && exec httpd -f -p 80 -h /w']
        env: [{{name: NODE, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}]
        readinessProbe: {{httpGet: {{path: /, port: 80}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
"""

PKI = "/etc/kubernetes/pki"
CLIENT = f"--cert {PKI}/apiserver-etcd-client.crt --key {PKI}/apiserver-etcd-client.key"
ETCDCTL = f"/usr/local/bin/etcdctl --cacert {PKI}/etcd/ca.crt {CLIENT}"


@dataclass
class Rolled:
    """A cluster that came up through five kills, and the certificates that lay on its hosts at each."""

    cluster: RealCluster
    struck: list[str] = field(default_factory=list)
    certificates: dict[str, dict[tuple[int, str], str]] = field(default_factory=dict)

    @property
    def driver(self) -> Driver:
        return self.cluster.driver


@pytest.fixture(scope="module", params=["kubeadm", "vanilla"])
def rolled(
    request: pytest.FixtureRequest,
    lab: LabMaker,
    real_release: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Rolled]:
    """Brought up once for each distro."""
    distro = str(request.param)
    hosts = lab.fresh(NODES)
    endpoint = str(hosts.layout.gateway)
    manifest = tmp_path_factory.mktemp(distro) / "cluster.yaml"
    manifest.write_text(
        manifest_of(hosts, distro, real_release[distro], servers=SERVERS, nodes=NODES, endpoint=endpoint)
    )
    rolled = Rolled(RealCluster(Driver(hosts, manifest), SERVERS))

    def look(moment: str) -> None:
        rolled.certificates[moment] = rolled.cluster.certificates()

    with Balancer(endpoint, 6443, [host.address for host in hosts.hosts[:SERVERS]]):
        moments = moments_of(rolled.cluster.names, SERVERS)
        rolled.struck = bring_up(rolled.cluster, moments, look)
        yield rolled


def test_five_kills_end_in_the_same_cluster(rolled: Rolled) -> None:
    """Every kill struck a run at work, and at the end every node is healthy and Ready."""
    assert len(rolled.struck) == 5
    assert set(states_of(rolled.driver.records()).values()) == {"healthy"}
    wait_until(lambda: rolled.cluster.ready() == dict.fromkeys(rolled.cluster.names, True), "all are Ready")


def test_no_certificate_was_issued_twice(rolled: Rolled) -> None:
    """What lay on a host at a kill is there at the end, byte for byte."""
    last = rolled.cluster.certificates()
    for moment, before in rolled.certificates.items():
        assert {place: last.get(place) for place in before} == before, moment
    assert any("ca.crt" in path for _, path in last)


def test_the_cluster_was_initialised_once(rolled: Rolled) -> None:
    """The hosts' own evidence: the API server's etcd knows one cluster, and only the first host began it."""
    script = "cat /var/log/mk8s/kubeadm.log 2>/dev/null || true"
    logs = [rolled.driver.on_host(i, script) for i in range(1, SERVERS + 1)]
    if any(logs):  # kubeadm: its own log of what was run
        begun = [line for log in logs for line in log.splitlines() if "init" in line and "begin" in line]
        assert len(begun) == 1, logs
        assert begun[0] in logs[0]
    namespaces = rolled.cluster.objects("namespaces")
    uids = {item["metadata"]["uid"] for item in namespaces if item["metadata"]["name"] == "kube-system"}
    assert len(uids) == 1


def test_etcd_has_three_started_members_and_no_learner(rolled: Rolled) -> None:
    health = rolled.driver.mk8s("health", str(rolled.driver.manifest), "--wait", HEALTHY, "--output", "json")
    assert health.code == 0, health.err
    members = etcd_members(rolled.cluster)
    assert len(members) == SERVERS
    assert all(member.get("clientURLs") for member in members)
    assert not any(member.get("isLearner") for member in members)


@pytest.mark.parametrize("server", range(1, SERVERS + 1))
def test_each_api_server_says_that_it_is_ready(rolled: Rolled, server: int) -> None:
    said = rolled.cluster.kubectl("get --raw '/readyz?verbose'", on=server, own=True)
    assert said.splitlines()[-1].startswith("readyz check passed")
    assert not [line for line in said.splitlines() if line.startswith("[-]")]


def test_a_pod_on_each_worker_answers_through_a_service_from_another_node(rolled: Rolled) -> None:
    """Routes, kube-proxy and the container runtime, all at once."""
    cluster = rolled.cluster
    cluster.apply(WEB)
    try:
        wait_for_web(cluster)
        address = cluster.kubectl("get service web -o 'jsonpath={.spec.clusterIP}'").strip()
        # In its first seconds not every host has a road to a service: what did not answer is asked again.
        asked = f"for i in $(seq 12); do curl -s -m 3 http://{address}/ || true; done"
        workers = set(cluster.names[SERVERS:])
        for host in (1, 2, NODES):
            wait_until(
                lambda host=host: set(rolled.driver.on_host(host, asked).split()) == workers,  # type: ignore[misc]
                f"pods on {workers} answer host {host}",
                ROADS,
            )
    finally:
        cluster.kubectl("delete daemonset/web service/web --wait=false --ignore-not-found")


def test_all_six_probes_of_smoke_pass(rolled: Rolled) -> None:
    """Vanilla encrypts secrets; kubeadm is not asked to, and smoke says so."""
    done = rolled.driver.mk8s("smoke", str(rolled.driver.manifest), "--output", "json")
    assert done.code == 0, done.err
    results = [probe["result"] for probe in json.loads(done.out)["probes"]]
    assert len(results) == 6
    expected = "passed" if "vanilla" in rolled.driver.manifest.read_text() else "not configured"
    assert sorted(set(results) - {"passed"}) == ([] if expected == "passed" else [expected])


def test_a_second_run_changes_nothing(rolled: Rolled) -> None:
    """Not a file, not a unit, not a pod."""
    before = traces(rolled)
    done = rolled.driver.run("--output", "plain")
    assert done.code == 0, done.err
    assert "nothing to do" in done.err
    assert traces(rolled) == before


def test_the_api_outlives_a_power_cut_of_the_first_server(rolled: Rolled) -> None:
    """Another control plane answers meanwhile; after `heal` everything is healthy again, by itself."""
    cluster = rolled.cluster
    with power_cut(cluster, 1):
        wait_until(lambda: api_answers(cluster, 2), "another API server answers", SILENT)
        wait_until(lambda: not cluster.ready(on=2)[cluster.names[0]], "the first is NotReady", SILENT)
        said = rolled.driver.mk8s("health", str(rolled.driver.manifest))
        assert said.code == 1
        assert cluster.names[0] in said.out + said.err
    wait_until(
        lambda: api_answers(cluster, 1) and all(cluster.ready(on=2).values()),
        "all are Ready again",
        RETURNING,
    )
    healthy = rolled.driver.mk8s("health", str(rolled.driver.manifest), "--wait", HEALTHY)
    assert healthy.code == 0, healthy.err


def etcd_members(cluster: RealCluster) -> list[dict[str, object]]:
    """The member list, by the etcdctl that the distro has: in etcd's own pod, or on the host."""
    words = "--endpoints https://127.0.0.1:2379 member list -w json"
    if "distro: kubeadm" in cluster.driver.manifest.read_text():
        pki = "/etc/kubernetes/pki/etcd"
        keys = f"--cacert {pki}/ca.crt --cert {pki}/server.crt --key {pki}/server.key"
        said = cluster.kubectl(f"-n kube-system exec etcd-{cluster.names[0]} -- etcdctl {keys} {words}")
    else:
        said = cluster.asked(1, f"{ETCDCTL} {words}")
    found: list[dict[str, object]] = json.loads(said)["members"]
    return found


def wait_for_web(cluster: RealCluster) -> None:
    def all_answer() -> bool:
        text = cluster.kubectl("get daemonset web -o 'jsonpath={.status.numberReady}'").strip()
        return text == str(NODES - SERVERS)

    wait_until(all_answer, "a pod is ready on each worker", RETURNING)


def api_answers(cluster: RealCluster, server: int) -> bool:
    try:
        return cluster.kubectl("get --raw /readyz", on=server, own=True, patience=0).strip() == "ok"
    except AssertionError:
        return False


def traces(rolled: Rolled) -> list[str]:
    """Inodes and times of what mk8s wrote, and when units started."""
    script = (
        "find /etc/kubernetes /etc/mk8s /etc/containerd /etc/cni /usr/local/bin /etc/systemd/system -type f "
        "-printf '%p %i %T@\\n' 2>/dev/null | sort; "
        "systemctl show containerd kubelet -p ActiveEnterTimestampMonotonic"
    )
    return [rolled.driver.on_host(i, script) for i in range(1, NODES + 1)]
