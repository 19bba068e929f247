"""The models of `kube.` commands answer as a real server does, so that the same judges read both."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from trio.testing import MockClock

from mk8s.kube import commands, judges
from mk8s.kube.model import HANDLED, teach
from mk8s.kube.world import API, World, everywhere, replicas
from mk8s.steps import Judge
from tests.mk8s.distros.situations import make_cluster
from tests.mk8s.kube.answers import TOOLS
from transports.base import Command, Outcome
from transports.simulated import SimulatedHost, SimulatedNetwork

pytestmark = pytest.mark.anyio


NODE = commands.get_node(TOOLS, "srv-1")
MANIFEST = PurePosixPath("/etc/mk8s/m.yaml")
ASKED = [
    NODE,
    commands.get_nodes(TOOLS),
    commands.label_node(TOOLS, "srv-1", {"a": "b"}),
    commands.taint_node(TOOLS, "srv-1", "a=:NoSchedule"),
    commands.readyz(TOOLS),
    commands.api_answers(TOOLS),
    commands.healthz(TOOLS, 10257),
    commands.get_lease(TOOLS, "kube-scheduler"),
    commands.etcd_members(TOOLS),
    commands.etcd_health(TOOLS),
    commands.get_workload(TOOLS, "daemonset", "kube-proxy"),
    commands.get(TOOLS, "pods"),
    commands.apply(TOOLS, MANIFEST),
]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
async def world() -> World:
    """Two servers, of which the first one runs."""
    network = SimulatedNetwork()
    cluster = make_cluster()
    for node in cluster.nodes:
        host = network.add(SimulatedHost(node.name, node.address))
        host.disk.make_folder(PurePosixPath("/usr/bin"))
        host.disk.write(PurePosixPath("/usr/bin/kubectl"), b"", mode=0o755)
        world = teach(host, network, cluster)
    first = host_of(world, "srv-1")
    world.etcd.start(
        first,
        "srv-1",
        "https://10.0.0.11:2380",
        {"srv-1": "https://10.0.0.11:2380"},
        new=True,
        has_data=False,
    )
    world.open(first, API, 10257, 10259)
    world.register(first, "srv-1", labels={"x": "y"}, taints={"t": "NoSchedule"})
    world.workloads |= {"daemonset/kube-proxy": everywhere, "deployment/coredns": replicas(2)}
    return world


def host_of(world: World, name: str) -> SimulatedHost:
    return next(host for host in world.network.hosts.values() if host.name == name)


async def ask(world: World, command: Command, name: str = "srv-1") -> Outcome:
    return await host_of(world, name).perform(command)


def test_each_command_has_a_model() -> None:
    """A new one without a model fails here, and not in somebody's simulation."""
    assert {command.operation for command in ASKED} == set(HANDLED)


@pytest.mark.parametrize(
    ("command", "judge", "reason"),
    [
        (NODE, judges.node_is_ready("srv-1"), "node srv-1 is Ready"),
        (commands.get_nodes(TOOLS), judges.nodes_are_ready(["srv-1"]), "1 of 1"),
        (commands.readyz(TOOLS), judges.readyz_is_ok(), "5 checks ok"),
        (commands.api_answers(TOOLS), judges.api_does_answer(), "it answers"),
        (commands.healthz(TOOLS, 10257), judges.is_ok(), "ok"),
        (commands.get_lease(TOOLS, "kube-scheduler"), judges.someone_leads(), "srv-1 leads"),
        (commands.etcd_members(TOOLS), judges.etcd_members_are(["srv-1"]), "1 started: srv-1"),
        (commands.etcd_health(TOOLS), judges.etcd_is_healthy(), "all members answer"),
        (
            commands.get_workload(TOOLS, "daemonset", "kube-proxy"),
            judges.workload_is_ready(),
            "1 of 1 ready",
        ),
        (commands.get_workload(TOOLS, "deployment", "coredns"), judges.workload_is_ready(), "2 of 2 ready"),
    ],
)
async def test_a_healthy_model_satisfies_the_judge_of_its_command(
    world: World, command: Command, judge: Judge, reason: str
) -> None:
    verdict = judge(await ask(world, command))
    assert (verdict.met, verdict.reason) == (True, reason)


async def test_a_server_that_serves_nothing_refuses_in_kubectls_words(world: World) -> None:
    verdict = judges.readyz_is_ok()(await ask(world, commands.readyz(TOOLS), "srv-2"))
    assert verdict.reason.startswith("The connection to the server 127.0.0.1:6443 was refused")


async def test_without_a_majority_the_api_server_says_that_etcd_fails(world: World) -> None:
    """It runs and answers /version, but is not ready, and objects cannot be read."""
    world.etcd.add("https://10.0.0.12:2380")
    assert judges.readyz_is_ok()(await ask(world, commands.readyz(TOOLS))).reason == "checks that fail: etcd"
    assert (await ask(world, commands.api_answers(TOOLS))).ok
    assert "etcdserver: request timed out" in (await ask(world, NODE)).complaint


async def test_a_member_that_was_added_and_does_not_run_is_seen(world: World) -> None:
    world.etcd.add("https://10.0.0.12:2380")
    verdict = judges.etcd_members_are(["srv-1"])(await ask(world, commands.etcd_members(TOOLS)))
    assert verdict.reason == "the member at https://10.0.0.12:2380 has not started"


async def test_a_node_is_ready_when_its_network_is(world: World) -> None:
    world.register(host_of(world, "agent-1"), "agent-1", ready_in=float("inf"))
    verdict = judges.node_is_ready("agent-1")(await ask(world, commands.get_node(TOOLS, "agent-1")))
    assert "cni plugin not initialized" in verdict.reason


@pytest.mark.parametrize(("network", "well_in"), [(True, 5.0), (False, 0.0)])
async def test_a_node_without_a_network_is_never_ready_and_well_at_once(
    world: World, network: bool, well_in: float
) -> None:
    """Whoever brings his own network gets the node as it is."""
    agent = host_of(world, "agent-1")
    node = world.register(agent, "agent-1", ready_in=5.0, network=network)
    assert agent.well_at == world.now + well_in
    assert (node.ready_at == float("inf")) is not network


async def test_a_node_without_its_kubelet_is_unknown(world: World) -> None:
    world.kubelet_gone(host_of(world, "srv-1"))
    verdict = judges.node_is_ready("srv-1")(await ask(world, NODE))
    assert verdict.reason == "node srv-1 is not Ready: Kubelet stopped posting node status."


async def test_labels_and_taints_stay(world: World) -> None:
    await ask(world, commands.label_node(TOOLS, "srv-1", {"a": "b"}))
    await ask(world, commands.taint_node(TOOLS, "srv-1", "k=:NoExecute"))
    node = world.nodes["srv-1"]
    assert (node.labels, node.taints) == ({"x": "y", "a": "b"}, {"t": "NoSchedule", "k": "NoExecute"})


async def test_a_manifest_that_is_not_there_is_not_applied(world: World) -> None:
    outcome = await ask(world, commands.apply(TOOLS, MANIFEST))
    assert outcome.complaint == 'error: the path "/etc/mk8s/m.yaml" does not exist'


async def test_what_was_applied_is_known_to_the_world(world: World) -> None:
    host = host_of(world, "srv-1")
    host.disk.make_folder(MANIFEST.parent)
    host.disk.write(MANIFEST, b"kind: X\n")
    assert (await ask(world, commands.apply(TOOLS, MANIFEST))).ok
    assert world.applied == {str(MANIFEST): b"kind: X\n"}
