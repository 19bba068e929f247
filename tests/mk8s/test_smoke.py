"""`mk8s smoke`: six probes, each with a result and its evidence, in a namespace that never stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from mk8s.errors import Mk8sError
from mk8s.kube import smoking
from mk8s.smoke import Probed, Smoke
from mk8s.smoke_table import probes_as_data, probes_as_text
from tests.mk8s.kube.answers import TOOLS
from tests.mk8s.kube.clusters import Bed
from transports.base import Command, Outcome
from transports.simulated import SimulatedHost

pytestmark = pytest.mark.anyio

IMAGE = "registry.local/busybox:1.35"
Say = Callable[[Command], Outcome]
FINE = Outcome(status=0)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def says(text: str) -> Outcome:
    return Outcome(status=0, stdout=text.encode())


def fails(text: str) -> Outcome:
    return Outcome(status=1, stderr=text.encode())


class Cluster:
    """A cluster that makes pods; every answer can be replaced by its operation."""

    def __init__(self, *, encrypted: bool = True) -> None:
        self.bed = Bed(replace(TOOLS, secrets_encrypted=encrypted))
        self.bed.bring_up()
        self.made: list[dict[str, Any]] = []
        self.done: list[tuple[str, str]] = []  # host, operation
        self.told: list[str] = []
        self.answers: dict[str, Say] = {
            "kube.delete-namespace": lambda _: FINE,
            "kube.create-namespace": self._make,
            "kube.create-secret": self._make,
            "kube.create-list": self._make,
            "kube.get-account": lambda _: FINE,
            "test.etcdctl": lambda _: says("k8s:enc:aescbc:v1:key1:\x01\x02"),
            "kube.get-pods": lambda _: self.pods(),
            "kube.get-events": lambda _: says('{"items": []}'),
            "kube.get-service": lambda _: says(
                '{"spec": {"clusterIP": "10.96.7.8", "ports": [{"nodePort": 30123}]}}'
            ),
            "kube.port-forward": lambda _: says("pod-0"),
            "kube.proxy": lambda _: says("pod-0"),
            "kube.logs": lambda _: says(smoking.GREETING),
            "kube.exec": lambda command: says(command.args[command.args.index("exec") + 1]),
            "kube.fetch": lambda _: says("pod-1"),
        }
        for host in self.bed.hosts.values():
            for operation in self.answers:
                host.handles(operation)(self._handler(operation))

    def _handler(self, operation: str) -> Callable[[SimulatedHost, Command], Any]:
        async def handle(host: SimulatedHost, command: Command) -> Outcome:
            self.done.append((host.name, operation))
            return self.answers[operation](command)

        return handle

    def _make(self, command: Command) -> Outcome:
        self.made.append(json.loads(command.stdin or b""))
        return FINE

    @property
    def spec(self) -> dict[str, Any]:
        """The deployment's pods, as they were asked for."""
        items: list[dict[str, Any]] = self.made[-1]["items"]
        spec: dict[str, Any] = items[0]["spec"]
        return spec

    @property
    def nodes(self) -> list[str]:
        """Where the pods are to run."""
        affinity = self.spec["template"]["spec"]["affinity"]["nodeAffinity"]
        terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        return [term["matchFields"][0]["values"][0] for term in terms]

    def pods(self, **waiting: str) -> Outcome:
        """One for each node, ready unless `waiting` has its reason and message."""
        state = {"state": {"waiting": waiting}, "ready": False} if waiting else {"ready": True}
        items = [
            {
                "metadata": {"name": f"pod-{i}"},
                "spec": {"nodeName": node},
                "status": {"containerStatuses": [state]},
            }
            for i, node in enumerate(self.nodes)
        ]
        return says(json.dumps({"items": items}))

    async def smoke(self) -> dict[str, Probed]:
        probed = await Smoke(self.bed.binding, IMAGE, self.told.append).run()
        return {known.probe: known for known in probed}

    def count(self, operation: str) -> int:
        return sum(known == operation for _, known in self.done)


async def test_a_cluster_that_works_passes_all_six() -> None:
    cluster = Cluster()
    found = await cluster.smoke()
    assert {name: known.result for name, known in found.items()} == dict.fromkeys(found, "passed")
    assert list(found) == ["secrets", "deployment", "port-forward", "logs", "exec", "service"]
    assert found["secrets"].evidence == "in etcd it begins with k8s:enc:aescbc:v1:key1:"
    assert found["deployment"].evidence == "2 ready on a1, a2"


async def test_the_pods_run_on_workers_one_on_each() -> None:
    cluster = Cluster()
    await cluster.smoke()
    assert (cluster.nodes, cluster.spec["replicas"]) == (["a1", "a2"], 2)
    assert "podAntiAffinity" in cluster.spec["template"]["spec"]["affinity"]


async def test_servers_help_out_where_there_are_not_two_workers() -> None:
    """Tolerating their taints, so that a cluster of one node works too."""
    cluster = Cluster()
    del cluster.bed.world.nodes["a2"]
    await cluster.smoke()
    assert cluster.nodes == ["a1", "s1"]
    assert cluster.spec["template"]["spec"]["tolerations"] == [{"operator": "Exists"}]


async def test_a_node_that_is_not_ready_gets_no_pod_and_is_named() -> None:
    cluster = Cluster()
    cluster.bed.world.nodes["a2"].ready_at = float("inf")
    found = await cluster.smoke()
    assert cluster.nodes == ["a1", "s1"]
    assert found["deployment"].evidence == "2 ready on a1, s1; left out: a2 is not Ready"


@pytest.mark.parametrize(
    ("expected", "stored", "result"),
    [
        (True, "k8s\0\nsecret", "failed"),
        (False, "k8s\0\nsecret", "not configured"),
        (False, "k8s:enc:secretbox:v1:k:", "passed"),
        (True, "", "failed"),
        (False, "", "failed"),
    ],
)
async def test_secrets_in_the_clear_fail_only_where_they_are_meant_to_be_encrypted(
    expected: bool, stored: str, result: str
) -> None:
    """And a key that is not there proves nothing."""
    cluster = Cluster(encrypted=expected)
    cluster.answers["test.etcdctl"] = lambda _: says(stored)
    found = await cluster.smoke()
    assert found["secrets"].result == result
    assert "secret" not in found["secrets"].evidence.replace("secrets", "").replace("secretbox", "")


async def test_a_probe_that_fails_does_not_keep_the_others_from_being_made() -> None:
    cluster = Cluster()
    cluster.answers["kube.logs"] = lambda _: fails("Error from server: dial tcp 10.0.0.11:10250: timeout")
    found = await cluster.smoke()
    assert [name for name, known in found.items() if known.result == "failed"] == ["logs"]
    assert "dial tcp 10.0.0.11:10250: timeout" in found["logs"].evidence


async def test_pods_that_do_not_start_say_why_in_their_own_words() -> None:
    """The container's reason and the last event; and it ends within its patience."""
    cluster = Cluster()
    cluster.answers["kube.get-pods"] = lambda _: cluster.pods(
        reason="ImagePullBackOff", message='Back-off pulling image "nope"'
    )
    cluster.answers["kube.get-events"] = lambda _: says(
        '{"items": [{"type": "Warning", "reason": "Failed", "message": "connection refused"}]}'
    )
    found = await cluster.smoke()
    assert 'ImagePullBackOff: Back-off pulling image "nope"' in found["deployment"].evidence
    assert "(last event: Failed: connection refused)" in found["deployment"].evidence
    assert 119 < found["deployment"].seconds < 160
    assert found["service"].evidence == "no pod runs to be asked"


async def test_where_port_forward_does_not_work_the_proxy_counts_and_is_named() -> None:
    cluster = Cluster()
    cluster.answers["kube.port-forward"] = lambda _: fails("unable to do port forwarding: socat not found")
    found = await cluster.smoke()
    assert found["port-forward"].result == "passed"
    assert "socat not found" in found["port-forward"].evidence


async def test_a_service_is_asked_from_every_node_and_at_every_node() -> None:
    """ClusterIP from each; NodePort of each, from the server."""
    cluster = Cluster()
    await cluster.smoke()
    asked = sorted(host for host, operation in cluster.done if operation == "kube.fetch")
    assert asked == ["a1", "a2", "s1", "s1", "s1", "s1", "s1", "s1", "s2", "s3"]


async def test_a_node_from_which_the_service_does_not_answer_is_named() -> None:
    cluster = Cluster()

    async def refuse(_host: SimulatedHost, _command: Command) -> Outcome:
        return fails("curl: (28) Connection timed out")

    cluster.bed.hosts["a2"].handles("kube.fetch")(refuse)
    found = await cluster.smoke()
    assert found["service"].evidence == (
        "1 of 10 do not answer: from a2, http://10.96.7.8:8080: curl: (28) Connection timed out"
    )


async def test_the_first_server_whose_api_answers_is_asked() -> None:
    cluster = Cluster()
    cluster.bed.hosts["s1"].power_off()
    found = await cluster.smoke()
    assert {host for host, operation in cluster.done if operation == "kube.exec"} == {"s2"}
    assert "s1" not in found["service"].evidence


async def test_without_a_server_that_answers_nothing_is_made() -> None:
    cluster = Cluster()
    for name in ("s1", "s2", "s3"):
        cluster.bed.hosts[name].power_off()
    with pytest.raises(Mk8sError, match="no server"):
        await cluster.smoke()
    assert cluster.done == []


async def test_leftovers_are_removed_first_and_the_namespace_at_the_end() -> None:
    cluster = Cluster()
    await cluster.smoke()
    operations = [operation for _, operation in cluster.done]
    assert (operations[0], operations[-1]) == ("kube.delete-namespace", "kube.delete-namespace")


async def test_an_interrupted_smoke_removes_its_namespace() -> None:
    """Ctrl-C cancels; what was made is removed all the same."""
    cluster = Cluster()
    cluster.answers["kube.get-pods"] = lambda _: cluster.pods(reason="ContainerCreating")
    with anyio.move_on_after(30):
        await cluster.smoke()
    assert cluster.count("kube.create-namespace") == 1
    assert cluster.count("kube.delete-namespace") == 2


async def test_a_namespace_that_cannot_be_removed_is_told_and_does_not_hide_the_results() -> None:
    cluster = Cluster()
    answers = iter([FINE, fails("Error from server: etcdserver: request timed out")])
    cluster.answers["kube.delete-namespace"] = lambda _: next(answers)
    found = await cluster.smoke()
    assert found["exec"].result == "passed"
    assert "is left behind" in cluster.told[-1]


async def test_leftovers_that_cannot_be_removed_end_it_before_anything_is_made() -> None:
    cluster = Cluster()
    cluster.answers["kube.delete-namespace"] = lambda _: fails("error: timed out waiting for the condition")
    with pytest.raises(Mk8sError, match="timed out waiting"):
        await cluster.smoke()
    assert (cluster.count("kube.delete-namespace"), cluster.made) == (1, [])


async def test_a_namespace_that_cannot_be_made_ends_with_the_clusters_words() -> None:
    cluster = Cluster()
    cluster.answers["kube.create-namespace"] = lambda _: fails("namespaces is forbidden")
    with pytest.raises(Mk8sError, match="namespaces is forbidden"):
        await cluster.smoke()


def test_the_namespace_is_the_same_for_the_same_cluster() -> None:
    """So that the next smoke finds what an interrupted one left; a valid name for any cluster."""
    name = smoking.namespace_of(Bed().cluster)
    assert name == smoking.namespace_of(Bed().cluster)
    assert name.startswith("mk8s-smoke-")
    assert len(name) <= 63


def test_the_table_has_a_row_for_each_probe() -> None:
    probed = [Probed("logs", "passed", "fine", 0.25), Probed("exec", "failed", "no", 12.0)]
    assert probes_as_text(probed).splitlines() == [
        "PROBE                    RESULT  SECONDS  EVIDENCE",
        "a pod's logs are read    passed  0.2      fine",
        "a command runs in a pod  failed  12.0     no",
    ]
    assert probes_as_data(probed) == {
        "passed": False,
        "probes": [
            {"probe": "logs", "result": "passed", "evidence": "fine", "seconds": 0.2},
            {"probe": "exec", "result": "failed", "evidence": "no", "seconds": 12.0},
        ],
    }
