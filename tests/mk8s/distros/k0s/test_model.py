"""k0s on simulated hosts: the driver's own steps, and whole runs with faults, in virtual time."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from machines.simulation import FAULT_KINDS, FaultPlan
from mk8s.cluster import Cluster
from mk8s.distros.common.model import HANDLED as COMMON
from mk8s.distros.k0s import DISTRO
from mk8s.distros.k0s.model import HANDLED, k0s_world_of
from mk8s.distros.k0s.roles import TOKEN_FILE
from mk8s.distros.k0s.world import CONTROLLER, WORKER, K0sWorld
from mk8s.distros.upstream.model import HANDLED as UPSTREAM
from mk8s.kube.model import HANDLED as KUBE
from mk8s.modelled import OS_HANDLERS
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from mk8s.unit_models import UNIT_HANDLERS
from tests.mk8s.distros.k0s.clusters import CLUSTERS, VERSION, five, k0s, one, situation_of
from tests.mk8s.distros.k0s.test_steps import every_command
from tests.mk8s.distros.labs import DriverLab
from transports.simulated import SimulatedService

pytestmark = pytest.mark.anyio

SEEDS, CHUNK = 40, 10
ENDS = {"healthy", "failed", "quarantined", "rolled-back"}
LEARNERS = "v1.36.1+k0s.0"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Lab(DriverLab):
    """A cluster's hosts, and its driver's hands on them."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(DISTRO, cluster, situation_of)
        self.world: K0sWorld = k0s_world_of(self.network)

    def starts(self, name: str) -> int:
        service = self.hosts[name].service(WORKER if name.startswith("agent") else CONTROLLER)
        return service.starts if service else 0

    async def lose_data(self, name: str) -> SimulatedService:
        """A controller's folder goes while it is stopped; it is started again, and a minute goes by."""
        service = self.hosts[name].service(CONTROLLER)
        assert service is not None
        service.stop()
        self.hosts[name].disk.remove(PurePosixPath("/var/lib/k0s"))
        service.start()
        await anyio.sleep(60)
        self.network.timeline.catch_up()
        return service


def test_every_command_that_the_driver_can_send_has_a_model() -> None:
    """And no model is left over from a command that is gone."""
    sent = {command.operation for command in every_command()}
    shared = OS_HANDLERS.keys() | UNIT_HANDLERS.keys() | KUBE.keys() | UPSTREAM.keys() | COMMON.keys()

    assert sent - shared == set(HANDLED)


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_a_cluster_becomes_healthy(cluster: Cluster) -> None:
    """One cluster is made, every node is in it, and no rule of etcd's was broken."""
    run = rehearse(Conditions(cluster, DISTRO))
    world = k0s_world_of(run.network)

    assert run.result.ok
    assert world.inits == ([] if cluster.joins else ["srv-1"])
    assert sorted(world.joins) == [node.name for node in cluster.servers[1:]]
    assert world.world.violations == []
    assert world.tokens == {}, "every token was taken back"


@pytest.mark.parametrize("version", [VERSION, LEARNERS, "v1.30.14+k0s.0"])
def test_controllers_join_etcd_one_at_a_time(version: str) -> None:
    run = rehearse(Conditions(five(version), DISTRO), 3)
    world = k0s_world_of(run.network)

    assert run.result.ok
    assert len(world.world.etcd.voters) == 3
    assert world.world.violations == []


def test_only_nodes_with_pods_are_nodes_of_the_cluster() -> None:
    assert sorted(k0s_world_of(rehearse(Conditions(five(), DISTRO)).network).world.nodes) == [
        "agent-1",
        "agent-2",
    ]
    tainted = k0s_world_of(rehearse(Conditions(five(control_plane="tainted"), DISTRO)).network).world.nodes

    assert sorted(name for name, node in tainted.items() if node.taints) == ["srv-1", "srv-2", "srv-3"]
    assert sorted(name for name, node in tainted.items() if not node.taints) == ["agent-1", "agent-2"]


def test_one_seed_gives_one_journal() -> None:
    assert rehearse(Conditions(five(), DISTRO), 5).digest == rehearse(Conditions(five(), DISTRO), 5).digest


def _run(seed: int) -> Rehearsal:
    plan = FaultPlan(seed=seed, rates=dict.fromkeys(FAULT_KINDS, 0.02))
    return rehearse(Conditions(five(LEARNERS if seed % 2 else VERSION), DISTRO), seed, faults=plan)


@pytest.mark.parametrize("seeds", [range(first, first + CHUNK) for first in range(0, SEEDS, CHUNK)], ids=str)
def test_with_faults_no_second_cluster_is_made_and_etcd_keeps_its_rules(seeds: range) -> None:
    """Lost connections, power losses, torn writes: whatever comes, a run ends, and breaks nothing."""
    for seed in seeds:
        run = _run(seed)
        world = k0s_world_of(run.network)

        assert set(run.result.states.values()) <= ENDS | {"waiting", "bootstrapped"}, seed
        assert len(set(world.inits)) <= 1, seed
        assert [told for told in world.world.violations if "second" in told or "at once" in told] == [], seed


# The driver's steps


async def test_doing_it_all_again_changes_nothing() -> None:
    """A second run asks and leaves everything alone."""
    lab = Lab(k0s())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    changed = []
    for name in lab.hosts:
        s = situation_of(lab.cluster, name)
        report = await lab.run(name, [*DISTRO.stage(s), *DISTRO.bootstrap(s), *DISTRO.verify(s)])
        changed.append(report.changed)

    assert changed == [0, 0, 0]


async def test_a_join_that_is_done_again_needs_no_token_and_restarts_nothing() -> None:
    lab = Lab(k0s())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    made, starts = lab.world.made, lab.starts("srv-2")

    await lab.enter("srv-2", "agent-1")

    assert lab.world.made == made
    assert lab.starts("srv-2") == starts
    assert await lab.unmet("srv-2") == []


async def test_a_join_that_mk8s_lost_sight_of_is_waited_for() -> None:
    """The service goes on without us; a second start would cost etcd a member that never runs."""
    lab = Lab(k0s())
    await lab.bootstrap()
    await lab.enter("srv-1")
    await lab.begin("srv-2", "unit.run")

    await lab.enter("srv-2")

    assert lab.starts("srv-2") == 1
    assert lab.world.made == 1
    assert await lab.unmet("srv-2") == []


async def test_a_member_that_an_earlier_attempt_left_is_removed_first() -> None:
    """k0s asks etcd for it again, and is refused for ever."""
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "srv-2")
    lab.world.world.etcd.add("https://10.0.0.13:2380")

    await lab.enter("srv-3")

    assert await lab.unmet("srv-3") == []
    assert len(lab.world.world.etcd.members) == 3


async def test_a_controller_does_not_begin_beside_one_that_is_joining() -> None:
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter("srv-1", "srv-2")
    lab.world.world.etcd.add("https://10.0.0.99:2380")

    with pytest.raises(ActionError) as caught:
        await lab.enter("srv-3")

    assert caught.value.failure.lineage == ("etcd.busy", "etcd.learner", "etcd")
    assert "10.0.0.99" in caught.value.failure.message
    assert lab.starts("srv-3") == 0


async def test_nothing_is_left_of_a_token_and_a_reboot_brings_a_node_back_without_one() -> None:
    lab = Lab(k0s())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    for name in ("srv-2", "agent-1"):
        lab.hosts[name].reboot()
    await anyio.sleep(300)

    assert [lab.hosts[name].disk.read(TOKEN_FILE) for name in ("srv-2", "agent-1")] == [
        b"# used: this controller has joined\n", b"",
    ]  # fmt: skip
    assert await lab.unmet("srv-2") == []
    assert await lab.unmet("agent-1") == []
    assert lab.world.joins == ["srv-2"]


async def test_a_controller_whose_data_are_gone_founds_no_cluster() -> None:
    """What is left in the token's file is no token."""
    lab = Lab(k0s())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    service = await lab.lose_data("srv-2")

    assert lab.world.inits == ["srv-1"]
    assert any("failed to decode token" in line for line in service.journal)


async def test_a_first_controller_whose_data_are_gone_is_seen() -> None:
    """What no run may ever do."""
    lab = Lab(one())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    await lab.lose_data("srv-1")

    assert lab.world.world.violations == ["srv-1 made a second cluster; srv-1 had made the first one"]


async def test_a_worker_asks_until_a_controller_answers() -> None:
    """Workers retry by themselves; the token has to be good still when it is heard."""
    lab = Lab(k0s())
    await lab.bootstrap()
    await lab.enter("srv-1")
    lab.hosts["srv-1"].power_off()
    with pytest.raises(ActionError):
        await lab.enter("agent-1")
    lab.hosts["srv-1"].power_on()
    await anyio.sleep(120)

    await lab.enter("agent-1")
    await lab.run("agent-1", DISTRO.verify(situation_of(lab.cluster, "agent-1")))

    assert await lab.unmet("agent-1") == []


async def test_an_expired_token_is_refused_and_the_next_attempt_brings_another() -> None:
    lab = Lab(k0s())
    await lab.bootstrap()
    await lab.enter("srv-1")
    stale = await lab.informed("agent-1")
    await anyio.sleep(1200)
    with pytest.raises(ActionError) as caught:
        await lab.run("agent-1", DISTRO.join(stale))

    await lab.enter("agent-1")
    await lab.run("agent-1", DISTRO.verify(situation_of(lab.cluster, "agent-1")))

    assert caught.value.failure.lineage[0] == "join.token"
    assert await lab.unmet("agent-1") == []


async def test_without_a_quorum_no_controller_is_healthy() -> None:
    lab = Lab(five())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    for name in ("srv-2", "srv-3"):
        lab.hosts[name].power_off()

    assert any("deadline" in reason for reason in await lab.unmet("srv-1"))


async def test_a_file_that_changed_after_the_upload_is_not_installed() -> None:
    """The fourth verification: right before the installation."""
    lab = Lab(one())
    s = situation_of(lab.cluster)
    await lab.run("srv-1", DISTRO.stage(s))
    lab.hosts["srv-1"].disk.write(PurePosixPath(f"/var/lib/mk8s/artifacts/{VERSION}/k0s"), b"another")

    with pytest.raises(ActionError) as caught:
        await lab.run("srv-1", DISTRO.bootstrap(s))

    assert caught.value.failure.lineage[-1] in ("integrity", "exit")


async def test_taking_a_start_back_stops_the_unit_for_good_and_a_new_start_enables_it() -> None:
    lab = Lab(one())
    await lab.bootstrap()
    await lab.enter(*lab.hosts)
    await lab.run("srv-1", DISTRO.stop_unit(situation_of(lab.cluster)))
    service = lab.hosts["srv-1"].service(CONTROLLER)
    assert service is not None
    stopped = (service.state, service.enabled)

    await lab.enter(*lab.hosts)
    await lab.run("srv-1", DISTRO.verify(situation_of(lab.cluster)))

    assert stopped == ("inactive", False)
    assert await lab.unmet("srv-1") == []
    assert lab.world.world.violations == []
