"""Vanilla on simulated hosts: the driver's own steps, and whole runs with faults, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from machines.simulation import FAULT_KINDS, FaultPlan
from mk8s.cluster import Cluster
from mk8s.distros.vanilla import DISTRO
from mk8s.distros.vanilla.flags import components
from mk8s.distros.vanilla.model import HANDLED
from mk8s.distros.vanilla.paths import ETCD_CLUSTER, ETCD_DATA
from mk8s.kube.world import World, world_of
from mk8s.modelled import OS_HANDLERS
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from mk8s.steps import Run, Step, WaitFor, WriteFile
from mk8s.unit_models import UNIT_HANDLERS
from tests.mk8s.distros.labs import DriverLab, Look
from tests.mk8s.distros.situations import commands_of, make_node
from tests.mk8s.distros.vanilla.clusters import every_situation, five, grown, situation_of
from transports.base import Command

pytestmark = pytest.mark.anyio

SEEDS, CHUNK = 50, 10
ENDS = {"healthy", "failed", "quarantined", "rolled-back"}
SERVERS = ("srv-1", "srv-2", "srv-3")
LABEL = "node-role.kubernetes.io/control-plane"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Lab(DriverLab):
    """A cluster's hosts, and its driver's hands on them. `look` says who founds the cluster."""

    def __init__(self, cluster: Cluster, look: Look = situation_of) -> None:
        super().__init__(DISTRO, cluster, look)
        self.world: World = world_of(self.network, cluster)

    def entering(self, name: str) -> list[Step]:
        return self.way_in(self.look(self.cluster, name))

    async def verify(self, *names: str) -> None:
        for name in names:
            await self.run(name, DISTRO.verify(self.look(self.cluster, name)))

    async def resume(self, name: str) -> None:
        """As the engine does: a start or a join whose effect is there already is not repeated."""
        s = self.look(self.cluster, name)
        asked = [
            question.judge(await self.executor.ask(question.on or name, question.command))
            for question in DISTRO.has_joined(s)
        ]
        if not all(verdict.met for verdict in asked):
            await self.enter(name)

    async def unmet(self, *names: str) -> list[str]:
        """What `has_joined` and `is_healthy` miss on these nodes, a minute later."""
        await anyio.sleep(60)
        reasons = []
        for name in names or self.hosts:
            s = self.look(self.cluster, name)
            for question in (*DISTRO.has_joined(s), *DISTRO.is_healthy(s)):
                verdict = question.judge(await self.executor.ask(question.on or name, question.command))
                reasons += [] if verdict.met else [f"{name}: {question.title}: {verdict.reason}"]
        return reasons

    def starts(self, name: str) -> dict[str, int]:
        """How often each unit of a node was begun: the host's own evidence."""
        units = {
            component: self.hosts[name].service(component)
            for component in components(self.look(self.cluster, name))
        }
        return {component: unit.starts for component, unit in units.items() if unit}


def every_command() -> Iterator[Command]:
    """Whatever the driver can send to a node."""
    for s in every_situation():
        enter = DISTRO.start if s.node.role == "primary" else DISTRO.join
        edges = (DISTRO.stage, DISTRO.bootstrap, enter, DISTRO.verify, DISTRO.refresh, DISTRO.stop_unit)
        yield from commands_of(DISTRO, s, (step for edge in edges for step in edge(s)))


def test_every_command_that_the_driver_can_send_has_a_model() -> None:
    """And no model is left over from a command that is gone."""
    sent = {command.operation for command in every_command()}

    assert {name for name in sent if name.startswith("vanilla.")} == set(HANDLED)
    assert sent - OS_HANDLERS.keys() - UNIT_HANDLERS.keys() - set(HANDLED) <= {
        name for name in sent if name.startswith(("kube.", "upstream."))
    }


async def test_a_cluster_becomes_healthy() -> None:
    """One etcd cluster is made, every node is in it, every unit was begun once."""
    lab = Lab(five())

    await lab.bootstrap()
    await lab.enter(*lab.hosts)

    assert await lab.unmet() == []
    assert len(lab.world.etcd.bootstraps) == 1
    assert lab.world.violations == []
    assert {count for name in lab.hosts for count in lab.starts(name).values()} == {1}


async def test_one_server_alone_is_a_cluster() -> None:
    """A quorum of one needs nobody."""
    lab = Lab(five(), grown)
    await lab.bootstrap("srv-1")

    await lab.enter("srv-1")

    assert list(lab.world.etcd.members) == ["https://10.0.0.11:2380"]
    assert lab.world.violations == []


async def test_one_server_grows_to_three() -> None:
    """The new ones join the etcd that is there, one after the other; nothing of the first is started anew."""
    lab = Lab(five(), grown)
    await lab.bootstrap("srv-1")
    await lab.enter("srv-1")
    before = lab.starts("srv-1")

    await lab.bootstrap("srv-2", "srv-3")
    await lab.run("srv-1", DISTRO.refresh(lab.look(lab.cluster, "srv-1")))
    await lab.enter("srv-2", "srv-3")

    assert await lab.unmet(*SERVERS) == []
    assert lab.starts("srv-1") == before
    assert [member.learner for member in lab.world.etcd.members.values()] == [False] * 3
    assert lab.world.etcd.bootstraps == ["srv-1"]
    assert lab.world.violations == []


async def test_a_server_joins_without_the_first() -> None:
    """The primary's cable is out: the other two have a quorum, and take the new one's request."""
    nodes = (*five().nodes[:3], make_node("srv-4", "server", "10.0.0.14"))
    cluster = replace(five(), nodes=nodes)
    lab = Lab(cluster, lambda known, name: situation_of(known, name, founders="srv-1,srv-2,srv-3"))
    await lab.bootstrap()
    await lab.enter(*SERVERS)

    lab.hosts["srv-1"].cut = True
    waits, adds = (step for step in lab.entering("srv-4") if _is_admission(step))
    outcome = await lab.executor.ask("srv-4", waits.command)

    assert outcome.ok
    assert adds.on is None


def _is_admission(step: Step) -> TypeGuard[Run | WaitFor]:
    return isinstance(step, (Run, WaitFor)) and step.command.operation in (
        "vanilla.members",
        "vanilla.add-member",
    )


@pytest.mark.parametrize("name", ["srv-1", "srv-2", "agent-1"])
async def test_what_runs_is_left_alone(name: str) -> None:
    """A second start or join begins no unit again."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "srv-2", "srv-3", "agent-1")
    before = lab.starts(name)

    await lab.bootstrap(name)
    await lab.enter(name)

    assert lab.starts(name) == before


@pytest.mark.parametrize("look", [situation_of, grown], ids=["founders", "growth"])
@pytest.mark.parametrize("name", ["srv-1", "srv-2", "agent-1"])
async def test_what_is_cut_off_anywhere_goes_on(name: str, look: Look) -> None:
    """Killed behind each step, mk8s ends in the same cluster: no unit begun twice, nothing forgotten."""
    cluster = replace(five(), manifests=(Path("/addons/a.yaml"),))
    steps = Lab(cluster, look).entering(name)
    for place in (place for place, step in enumerate(steps) if not isinstance(step, WriteFile)):
        lab = Lab(cluster, look)
        await lab.bootstrap()
        await lab.enter(*(other for other in ("srv-1",) if other != name))

        await lab.run(name, lab.entering(name)[: place + 1])
        await lab.resume(name)
        await lab.verify("srv-1", name)

        assert await lab.unmet("srv-1", name) == [], place
        assert set(lab.starts(name).values()) == {1}, place
        assert [path.rpartition("/")[2] for path in lab.world.applied][-1] == "manifest-0.yaml", place
        assert (LABEL in lab.world.nodes[name].labels) == name.startswith("srv"), place
        assert lab.world.violations == [], place


@pytest.mark.parametrize("look", [situation_of, grown], ids=["founders", "growth"])
async def test_a_power_loss_anywhere_in_a_join_is_survived(look: Look) -> None:
    """Units that were begun come up by themselves, the others with the next join."""
    places = len(Lab(five(), look).entering("srv-2"))
    for place in range(0, places, 3):
        lab = Lab(five(), look)
        await lab.bootstrap()
        await lab.enter("srv-1")

        await lab.run("srv-2", lab.entering("srv-2")[:place])
        lab.hosts["srv-2"].power_off()
        lab.hosts["srv-2"].power_on()
        await anyio.sleep(60)
        await lab.enter("srv-2")

        assert await lab.unmet("srv-1", "srv-2") == [], place
        assert lab.world.violations == [], place


async def test_a_reboot_of_all_brings_all_back() -> None:
    """Every unit is enabled, and etcd waits for its quorum as long as it takes."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)

    for host in lab.hosts.values():
        host.reboot()
    await anyio.sleep(60)

    assert await lab.unmet() == []


async def test_a_mended_setting_starts_its_unit_anew_and_no_other() -> None:
    """The user corrects the manifest after a failure, and runs again."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1")
    before = lab.starts("srv-1")

    mended = {"kubelet": {"maxPods": 200}}
    nodes = tuple(replace(node, config=mended) for node in lab.cluster.nodes)
    lab.cluster = replace(lab.cluster, nodes=nodes)
    await lab.enter("srv-1")

    assert lab.starts("srv-1") == {**before, "kubelet": 2}


async def test_a_server_waits_for_another_that_is_joining() -> None:
    """etcd has one learner at a time, whoever asks; the table tries again later."""
    lab = Lab(five(), grown)
    await lab.bootstrap()
    await lab.enter("srv-1")
    lab.world.etcd.add("https://10.0.0.13:2380", learner=True)

    with pytest.raises(ActionError) as raised:
        await lab.enter("srv-2")

    assert "etcd.learner" in raised.value.failure.lineage


async def test_a_server_whose_data_are_gone_is_told_what_to_do() -> None:
    """It is never taken for a new one: etcd would have two members at one address."""
    lab = Lab(five(), grown)
    await lab.bootstrap()
    await lab.enter("srv-1", "srv-2", "srv-3")
    await lab.run("srv-2", DISTRO.stop_unit(lab.look(lab.cluster, "srv-2")))
    lab.hosts["srv-2"].disk.remove(ETCD_DATA / "member")
    lab.hosts["srv-2"].disk.remove(ETCD_CLUSTER)

    with pytest.raises(ActionError) as raised:
        await lab.enter("srv-2")

    assert raised.value.failure.kind == "etcd.data-gone"
    assert raised.value.failure.final
    assert "etcdctl member remove" in raised.value.failure.remedy


async def test_stopping_takes_every_unit_down() -> None:
    """And none comes back at a boot; a later join begins them again."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "agent-1")

    await lab.run("agent-1", DISTRO.stop_unit(situation_of(lab.cluster, "agent-1")))

    units = [lab.hosts["agent-1"].service(component) for component in ("kubelet", "kube-proxy")]
    assert [(unit.state, unit.enabled) for unit in units if unit] == [("inactive", False)] * 2


async def test_the_users_manifests_are_applied_behind_our_own() -> None:
    """In order, once the first server's API is ready and its node is there."""
    lab = Lab(replace(five(), manifests=(Path("/addons/a.yaml"), Path("/addons/b.yaml"))))
    await lab.bootstrap()

    await lab.enter("srv-1")
    await lab.verify("srv-1")

    names = [PurePosixPath(path).name for path in lab.world.applied]
    assert names == ["apiserver-to-kubelet.yaml", "coredns.yaml", "manifest-0.yaml", "manifest-1.yaml"]


async def test_servers_are_labelled() -> None:
    """A kubelet may not say so itself; people look for it in `kubectl get nodes`."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    await lab.verify(*lab.hosts)

    labelled = [name for name, node in lab.world.nodes.items() if LABEL in node.labels]

    assert labelled == list(SERVERS)


async def test_all_conditions_of_a_healthy_cluster_are_met() -> None:
    """What `mk8s health` asks, asked."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    await anyio.sleep(60)

    conditions = DISTRO.conditions([situation_of(lab.cluster, name) for name in lab.hosts])

    for condition in conditions:
        for question in condition.questions[: 0 if condition.title == "all nodes answer" else None]:
            where = question.on if question.on in lab.hosts else "srv-1"
            verdict = question.judge(await lab.executor.ask(where, question.command))
            assert verdict.met, f"{condition.title}: {question.title}: {verdict.reason}"


# Whole runs


def faulty(seed: int, rate: float = 0.01) -> Rehearsal:
    """A rehearsal in which each operation meets one of all the kinds of fault at this rate."""
    return rehearse(
        Conditions(five(), DISTRO),
        seed,
        faults=FaultPlan(seed, dict.fromkeys(FAULT_KINDS, rate / len(FAULT_KINDS))),
    )


@pytest.mark.parametrize("version", ["v1.20.2", "v1.36.1"])
def test_without_faults_everyone_becomes_healthy(version: str) -> None:
    """Three servers, two agents; the order is the declared one, or a checker would have said so."""
    run = rehearse(Conditions(five(version), DISTRO))

    assert set(run.result.states.values()) == {"healthy"}
    assert len(world_of(run.network, five()).etcd.bootstraps) == 1


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_runs_with_faults_break_no_invariant(first: int) -> None:
    """Everyone ends, nothing is a bug, and the modelled cluster has seen nothing that must never happen."""
    healthy = 0
    for seed in range(first, first + CHUNK):
        run = faulty(seed)
        states, failures = run.result.states, run.result.failures
        assert world_of(run.network, five()).violations == [], f"seed {seed}"
        assert all(state in ENDS or name in run.result.blocked for name, state in states.items()), (
            f"seed {seed}"
        )
        assert not any(end.failure.kind == "internal" for end in failures.values()), f"seed {seed}"
        healthy += sum(state == "healthy" for state in states.values())
    assert healthy > CHUNK
