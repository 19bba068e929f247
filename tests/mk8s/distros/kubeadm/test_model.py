"""kubeadm on simulated hosts: the driver's own steps, and whole runs with faults, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from machines.simulation import FAULT_KINDS, FaultPlan
from mk8s.cluster import Cluster
from mk8s.distros.kubeadm import DISTRO
from mk8s.distros.kubeadm.commands import find_missing_images
from mk8s.distros.kubeadm.model import HANDLED, kubeadm_world_of
from mk8s.distros.kubeadm.paths import DONE, KUBELET_UNIT, LOG, MANIFESTS, RUNNER_CONFIG, RUNNER_UNIT
from mk8s.distros.kubeadm.readiness import no_image_is_missing
from mk8s.distros.kubeadm.world import KubeadmWorld
from mk8s.modelled import OS_HANDLERS
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from tests.mk8s.distros.kubeadm.clusters import a_cluster, every_situation, situation_of
from tests.mk8s.distros.labs import DriverLab
from tests.mk8s.distros.situations import commands_of, make_node
from transports.base import Command

pytestmark = pytest.mark.anyio

SEEDS, CHUNK = 50, 10
ENDS = {"healthy", "failed", "quarantined", "rolled-back"}
OLD, NEW = "v1.20.2", "v1.31.4"  # etcd without learners, and with them


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def five(version: str = NEW, **more: Any) -> Cluster:
    """Three servers and two agents."""
    return a_cluster(
        version,
        nodes=(
            make_node("srv-1", "primary", "10.0.0.11"),
            make_node("srv-2", "server", "10.0.0.12"),
            make_node("srv-3", "server", "10.0.0.13"),
            make_node("agent-1", "agent", "10.0.0.21"),
            make_node("agent-2", "agent", "10.0.0.22"),
        ),
        **more,
    )


class Lab(DriverLab):
    """A cluster's hosts, and its driver's hands on them."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(DISTRO, cluster, situation_of)
        self.world: KubeadmWorld = kubeadm_world_of(self.network)

    def log(self, name: str) -> list[str]:
        """When kubeadm began and ended on a host: the host's own evidence."""
        host = self.hosts[name]
        return host.disk.read(LOG).decode().splitlines() if LOG in host.files else []


def every_command() -> Iterator[Command]:
    """Whatever the driver can send to a node."""
    for s in every_situation():
        edges = (DISTRO.stage, DISTRO.bootstrap, DISTRO.start, DISTRO.join, DISTRO.verify, DISTRO.stop_unit)
        yield from commands_of(DISTRO, s, (step for edge in edges for step in edge(s)))
    tools = DISTRO.tools(s.node, s.cluster)
    if tools.etcdctl:
        yield tools.etcdctl(("endpoint", "status"))


def test_every_command_that_the_driver_can_send_has_a_model() -> None:
    """And no model is left over from a command that is gone."""
    sent = {command.operation for command in every_command()}

    assert {name for name in sent if name.startswith("kubeadm.")} == set(HANDLED)
    assert sent - OS_HANDLERS.keys() - set(HANDLED) <= {
        name for name in sent if name.startswith(("kube.", "upstream."))
    }


@pytest.mark.parametrize("version", [OLD, NEW])
async def test_a_cluster_becomes_healthy(version: str) -> None:
    """One cluster is made, every node is in it, init ran once, and no rule of etcd's was broken."""
    lab = Lab(five(version))

    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    await anyio.sleep(60)

    assert [await lab.unmet(name) for name in lab.hosts] == [[]] * 5
    assert lab.world.inits == ["srv-1"]
    assert lab.world.world.violations == []
    assert not any(RUNNER_CONFIG in host.files for host in lab.hosts.values())


@pytest.mark.parametrize("name", ["srv-1", "srv-2", "agent-1"])
async def test_what_is_done_is_left_alone(name: str) -> None:
    """A second start or join runs no kubeadm, and its service's start is the first one still."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "srv-2", "agent-1")
    before = (lab.log(name), _starts(lab, name))

    await lab.enter(name)

    assert (lab.log(name), _starts(lab, name)) == before


def _starts(lab: Lab, name: str) -> int:
    kubelet = lab.hosts[name].service(KUBELET_UNIT.name)
    return kubelet.starts if kubelet else 0


@pytest.mark.parametrize("name", ["srv-1", "srv-2", "agent-1"])
@pytest.mark.parametrize("after", [0.0, 5.0, 60.0])
async def test_kubeadm_goes_on_without_mk8s(name: str, after: float) -> None:
    """Killed right behind the start, mk8s finds it running or done, and runs it once in all."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter(*(other for other in ("srv-1",) if other != name))

    await lab.begin(name, "kubeadm.start")
    await anyio.sleep(after)
    await lab.enter(name)

    assert [line.split()[0] for line in lab.log(name)] == ["begin", "end"]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("name", ["srv-1", "srv-2", "agent-1"])
@pytest.mark.parametrize("after", [1.0, 6.0, 9.0, 11.0, 12.5, 14.0, 16.0, 20.0])
async def test_a_power_loss_in_the_middle_is_taken_back(version: str, name: str, after: float) -> None:
    """The half-made node is reset, its etcd member removed, and the same join then succeeds."""
    lab = Lab(five(version))
    await lab.bootstrap()
    await lab.enter(*(other for other in ("srv-1",) if other != name))

    await lab.begin(name, "kubeadm.start")
    await anyio.sleep(after)
    lab.hosts[name].power_off()
    lab.hosts[name].power_on()
    await anyio.sleep(31)
    await lab.enter(name)
    await anyio.sleep(60)

    assert await lab.unmet(name) == []
    assert lab.world.world.violations == []
    assert len(lab.world.world.etcd.members) == (2 if name == "srv-2" else 1)


@pytest.mark.parametrize("name", ["srv-2", "agent-1"])
async def test_a_node_that_was_ready_already_may_join_again(name: str) -> None:
    """kubeadm refuses a name whose Node is Ready, and it stays so for 40 s after its kubelet has ended."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", name)
    await anyio.sleep(60)
    lab.hosts[name].disk.remove(DONE)
    lab.hosts[name].reboot()
    await anyio.sleep(120)

    await lab.enter(name)
    await anyio.sleep(60)

    assert await lab.unmet(name) == []


async def test_a_node_that_was_reset_by_hand_joins_again() -> None:
    """mk8s' mark outlives `kubeadm reset`, and says nothing without kubeadm's files."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "agent-1")
    lab.world.take_back(lab.hosts["agent-1"], "10.0.0.21")
    lab.hosts["agent-1"].disk.write(DONE, b"done\n")
    await anyio.sleep(60)

    await lab.enter("agent-1")
    await anyio.sleep(60)

    assert await lab.unmet("agent-1") == []


async def test_another_hosts_node_of_the_same_name_is_left_alone() -> None:
    """Only the Node that this host's own kubelet made is deleted."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "agent-2")
    await anyio.sleep(30)  # until its network is up
    lab.world.world.nodes["agent-1"] = lab.world.world.nodes.pop("agent-2")

    for _ in range(2):
        with pytest.raises(ActionError, match="already exists"):
            await lab.enter("agent-1")

    assert "agent-1" in lab.world.world.nodes


@pytest.mark.parametrize("learner", [True, False])
async def test_a_member_that_an_earlier_attempt_left_is_removed(learner: bool) -> None:
    """Also one that had a vote: its data are gone with the attempt, and kubeadm would wait for it."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "srv-2")
    etcd = lab.world.world.etcd
    member = etcd.add("https://10.0.0.13:2380", learner=learner)
    member.name, member.started = "srv-3", True

    await lab.enter("srv-3")
    await anyio.sleep(60)

    assert await lab.unmet("srv-3") == []
    assert lab.world.world.violations == []


async def test_a_reboot_brings_all_back() -> None:
    """Nothing of kubeadm runs again: the kubelet starts what is there."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    logs = {name: lab.log(name) for name in lab.hosts}

    for host in lab.hosts.values():
        host.reboot()
    await anyio.sleep(120)

    assert [await lab.unmet(name) for name in lab.hosts] == [[]] * 5
    assert {name: lab.log(name) for name in lab.hosts} == logs


async def test_a_first_server_that_others_joined_is_never_reset() -> None:
    """Without its marker it looks half made; what it holds is the cluster."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "agent-1")
    lab.hosts["srv-1"].disk.remove(DONE)

    with pytest.raises(ActionError, match="refused to start over: agent-1 has joined") as raised:
        await lab.enter("srv-1")

    assert raised.value.failure.final
    assert MANIFESTS / "etcd.yaml" in lab.hosts["srv-1"].files


@pytest.mark.parametrize("name", ["srv-2", "agent-1"])
async def test_what_expired_is_renewed_before_a_join(name: str) -> None:
    """A node that is added a week later joins with the same token and the same key."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1")

    await anyio.sleep(7 * 86400)
    await lab.enter(name)
    await anyio.sleep(60)

    assert await lab.unmet(name) == []


async def test_a_server_waits_for_another_that_is_joining() -> None:
    """etcd has one learner at a time, whoever asks."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1")
    lab.world.world.etcd.add("https://10.0.0.13:2380", learner=True)

    with pytest.raises(ActionError) as raised:
        await lab.enter("srv-2")

    assert "etcd.learner" in raised.value.failure.lineage
    assert lab.log("srv-2") == []


async def test_what_kubeadm_says_is_the_failure() -> None:
    """Its words stand in the unit's journal, and the catalogue knows them."""
    lab = Lab(five())
    await lab.bootstrap()
    s = replace(await lab.informed("srv-1"), learned={"progress": "none"})
    lab.hosts["srv-1"].disk.make_folder(MANIFESTS)
    lab.hosts["srv-1"].disk.write(MANIFESTS / "etcd.yaml", b"kind: Pod\n")

    with pytest.raises(ActionError) as raised:
        await lab.run("srv-1", DISTRO.start(s))

    assert raised.value.failure.kind == "check.leftovers"


async def test_stopping_takes_the_unit_and_the_kubelet_down() -> None:
    """And neither comes back at a boot; a later join enables the kubelet again."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "agent-1")

    await lab.run("agent-1", DISTRO.stop_unit(situation_of(lab.cluster, "agent-1")))

    kubelet, runner = (lab.hosts["agent-1"].service(unit.name) for unit in (KUBELET_UNIT, RUNNER_UNIT))
    assert kubelet is not None
    assert runner is not None
    assert (kubelet.state, kubelet.enabled, runner.state) == ("inactive", False, "inactive")


async def test_the_users_manifests_are_applied_on_the_first_server() -> None:
    """In order, by `verify`: a start that is cut off once kubeadm has succeeded counts as done."""
    lab = Lab(five(manifests=(Path("/addons/a.yaml"), Path("/addons/b.yaml"))))
    await lab.bootstrap("srv-1")

    await lab.enter("srv-1")
    by_start = dict(lab.world.world.applied)
    await lab.run("srv-1", DISTRO.verify(situation_of(lab.cluster, "srv-1")))

    assert by_start == {}
    names = [PurePosixPath(path).name for path in lab.world.world.applied]
    assert names == ["manifest-0.yaml", "manifest-1.yaml"]


# Whole runs


def faulty(seed: int, version: str, rate: float = 0.01) -> Rehearsal:
    """A rehearsal in which each operation meets one of all the kinds of fault at this rate."""
    faults = FaultPlan(seed, dict.fromkeys(FAULT_KINDS, rate / len(FAULT_KINDS)))
    return rehearse(Conditions(five(version), DISTRO), seed, faults=faults)


@pytest.mark.parametrize("version", [OLD, NEW])
def test_without_faults_everyone_becomes_healthy(version: str) -> None:
    """Three servers, two agents; the order is the declared one, or a checker would have said so."""
    run = rehearse(Conditions(five(version), DISTRO))

    assert set(run.result.states.values()) == {"healthy"}
    assert kubeadm_world_of(run.network).inits == ["srv-1"]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_runs_with_faults_break_no_invariant(version: str, first: int) -> None:
    """Everyone ends, nothing is a bug, and the modelled cluster has seen nothing that must never happen."""
    healthy = 0
    for seed in range(first, first + CHUNK):
        run = faulty(seed, version)
        assert kubeadm_world_of(run.network).world.violations == [], f"seed {seed}"
        assert all(
            state in ENDS or name in run.result.blocked for name, state in run.result.states.items()
        ), f"seed {seed}"
        assert not any(end.failure.kind == "internal" for end in run.result.failures.values()), f"seed {seed}"
        healthy += sum(state == "healthy" for state in run.result.states.values())
    assert healthy > CHUNK


async def test_a_node_that_was_given_no_images_lacks_them() -> None:
    """Asked before kubeadm begins; after the import nothing is missing."""
    lab = Lab(five())
    agent, ask = lab.hosts["agent-1"], find_missing_images(lab.cluster.nodes[-1])

    before = no_image_is_missing(await agent.perform(ask))
    await lab.bootstrap()
    after = no_image_is_missing(await agent.perform(ask))

    assert (before.met, before.lineage[0], after.met) == (False, "artifact.missing", True)
