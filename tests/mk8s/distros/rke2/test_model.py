"""RKE2 on simulated hosts: the driver's own steps, through the executor, in virtual time."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from mk8s.cluster import Cluster, ControlPlane
from mk8s.distros.rancher.model import HANDLED
from mk8s.distros.rke2 import DISTRO
from mk8s.distros.rke2.model import OWN
from tests.mk8s.distros.rancher.labs import Lab
from tests.mk8s.distros.rancher.shown import every_command, every_situation
from tests.mk8s.distros.rke2.test_steps import CLUSTERS as GOLDEN_CLUSTERS
from tests.mk8s.distros.situations import make_cluster, make_node

pytestmark = pytest.mark.anyio

CONFIG = PurePosixPath("/etc/rancher/rke2/config.yaml")
KUBECONFIG = PurePosixPath("/etc/rancher/rke2/rke2.yaml")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def three_servers() -> Cluster:
    return make_cluster(
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("srv-2", "server", "10.0.0.12"),
        make_node("srv-3", "server", "10.0.0.13"),
        make_node("agent-1", "agent", "10.0.0.21"),
    )


def with_config(config: dict[str, Any], version: str = "v1.33.4+rke2r1", **more: Any) -> Cluster:
    return make_cluster(
        make_node("srv-1", "primary", "10.0.0.11", config),
        make_node("srv-2", "server", "10.0.0.12", config),
        make_node("agent-1", "agent", "10.0.0.21"),
        version=version,
        **more,
    )


def test_every_command_that_the_driver_can_send_has_a_model() -> None:
    """And no model is left over from a command that is gone."""
    situations = every_situation(DISTRO, [*CLUSTERS.values(), *GOLDEN_CLUSTERS.values()])
    sent = {command.operation for command in every_command(DISTRO, situations)}

    assert {name for name in sent if name.startswith("rke2.")} == {
        f"rke2.{name}" for name in {*HANDLED, *OWN}
    }


ETCD_ALONE = {
    "disable-apiserver": True,
    "disable-controller-manager": True,
    "disable-scheduler": True,
}


def dedicated() -> Cluster:
    """A whole server, one of etcd alone, two control planes alone."""
    return make_cluster(
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("etcd-2", "server", "10.0.0.12", ETCD_ALONE),
        make_node("etcd-3", "server", "10.0.0.13", ETCD_ALONE),
        make_node("api-4", "server", "10.0.0.14", {"disable-etcd": True}),
        make_node("agent-1", "agent", "10.0.0.21"),
    )


CLUSTERS = {
    "plain": three_servers(),
    "by install.sh, behind an endpoint": with_config({}, install_method="script", endpoint="api.example"),
    "units that do not notify": with_config({}, "v1.20.15+rke2r1"),
    "without a network": with_config({"cni": "none"}),
    "with an external datastore": with_config({"datastore-endpoint": "postgres://u:p@db/k"}),
    "with the CIS profile and a token of one's own": with_config({"profile": "cis", "token": "mine"}),
    "with what is there already": with_config({}, artifacts_mode="preinstalled"),
    "with dedicated servers": dedicated(),
    "with data elsewhere": with_config({"data-dir": "/data", "write-kubeconfig": "/root/kubeconfig"}),
}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
async def test_a_cluster_becomes_healthy(cluster: Cluster) -> None:
    """One cluster is made, every node is in it, and no rule of etcd's was broken."""
    lab = Lab(DISTRO, cluster)

    await lab.bring_up()

    assert [await lab.unmet(name) for name in lab.nodes] == [[]] * len(lab.nodes)
    assert lab.world.initialised == ["srv-1"]
    assert lab.world.violations == []
    assert DISTRO.kubeconfig(cluster) in lab.hosts["srv-1"].files


async def test_agents_join_a_control_plane_that_is_somebody_elses() -> None:
    """Each asks for its own Node with its kubelet's kubeconfig; nobody's server is asked."""
    agents = (make_node("agent-1", "agent", "10.0.0.21"), make_node("agent-2", "agent", "10.0.0.22"))
    lab = Lab(DISTRO, make_cluster(*agents, joins=ControlPlane("10.9.9.9", "JOIN_TOKEN")))

    await lab.prepare()
    for name in lab.nodes:
        await lab.do(name, DISTRO.join, DISTRO.verify)

    assert [await lab.unmet(name) for name in lab.nodes] == [[], []]
    assert b"https://10.9.9.9:9345" in lab.hosts["agent-1"].disk.read(CONFIG)


async def test_doing_it_all_again_changes_nothing() -> None:
    """A second run asks and leaves everything alone."""
    lab = Lab(DISTRO, make_cluster())
    await lab.bring_up()

    reports = [await lab.do(name, edge) for name in lab.nodes for edge in (DISTRO.stage, DISTRO.bootstrap)]

    assert [(report.changed, report.uploaded) for report in reports] == [(0, 0)] * len(reports)


async def test_questions_change_nothing_on_a_host() -> None:
    lab = Lab(DISTRO, make_cluster())
    await lab.bring_up()
    host = lab.hosts["agent-1"]
    before = dict(host.files)

    await lab.unmet("agent-1")

    assert host.files == before
    assert {name: service.starts for name, service in host.services.items()} == {"rke2-agent.service": 1}


async def test_a_server_does_not_start_beside_one_that_is_joining() -> None:
    """The driver sees that srv-2 is not settled, and its table tries again later."""
    lab = Lab(DISTRO, make_cluster(*three_servers().servers, make_node("srv-4", "server", "10.0.0.14")))
    await lab.prepare()
    await lab.do("srv-1", DISTRO.start, DISTRO.verify)
    await lab.do("srv-2", DISTRO.join)
    await lab.do("srv-3", DISTRO.join)
    lab.hosts["srv-3"].power_off()

    with pytest.raises(ActionError) as caught:
        await lab.do("srv-4", DISTRO.join)

    service = lab.hosts["srv-4"].service("rke2-server")
    assert caught.value.failure.lineage == ("etcd.learner", "etcd")
    assert "srv-3" in caught.value.failure.message
    assert service is not None
    assert service.starts == 0


async def test_two_servers_at_once_meet_the_real_refusal() -> None:
    """The model has etcd's rule and its words; the driver turns them into their class."""
    lab = Lab(DISTRO, three_servers())
    await lab.prepare()
    await lab.do("srv-1", DISTRO.start, DISTRO.verify)
    errors: list[ActionError] = []

    async def join(name: str) -> None:
        try:
            await lab.do(name, DISTRO.join)
        except ActionError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(join, "srv-2")
        tasks.start_soon(join, "srv-3")

    assert [error.failure.lineage for error in errors] == [("etcd.learner", "etcd")]
    assert "too many learner members" in errors[0].failure.message
    assert lab.world.collisions > 0
    assert lab.world.violations == []


async def test_a_second_cluster_is_seen() -> None:
    """What no run may ever do: a first server whose disk was wiped makes another cluster."""
    lab = Lab(DISTRO, make_cluster())
    await lab.bring_up()
    service = lab.hosts["srv-1"].service("rke2-server")
    assert service is not None
    service.stop()
    lab.hosts["srv-1"].disk.remove(PurePosixPath("/var/lib/rancher/rke2/server"))

    service.start()
    await anyio.sleep(300)
    lab.network.timeline.catch_up()

    assert lab.world.violations == ["srv-1 made a second cluster; srv-1 had made the first one"]


async def test_a_reboot_brings_a_node_back_by_itself() -> None:
    """The units are enabled, and data on disk outweigh `server:`."""
    lab = Lab(DISTRO, three_servers())
    await lab.bring_up()
    for name in ("srv-2", "agent-1"):
        lab.hosts[name].reboot()
    await anyio.sleep(300)

    assert await lab.unmet("srv-2") == []
    assert await lab.unmet("agent-1") == []
    assert lab.world.collisions == 0


async def test_without_a_quorum_the_api_does_not_answer() -> None:
    lab = Lab(DISTRO, three_servers())
    await lab.bring_up()
    for name in ("srv-2", "srv-3"):
        lab.hosts[name].power_off()

    assert any("refused" in reason for reason in await lab.unmet("srv-1"))


async def test_an_agent_asks_until_a_server_answers() -> None:
    """It may be started first; it does not exit."""
    lab = Lab(DISTRO, make_cluster())
    await lab.prepare()
    service = lab.hosts["agent-1"].service("rke2-agent")
    assert service is not None
    service.start()
    await anyio.sleep(600)
    lab.network.timeline.catch_up()
    waiting = (service.state, service.starts)

    await lab.do("srv-1", DISTRO.start, DISTRO.verify)
    await lab.do("agent-1", DISTRO.join)

    assert waiting == ("activating", 1)
    assert service.starts == 1


async def test_an_agent_with_anothers_name_is_rejected_at_once() -> None:
    """It would say so for ever, so the driver does not wait for the timeout."""
    twins = make_cluster(
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("agent-1", "agent", "10.0.0.21"),
        make_node("agent-2", "agent", "10.0.0.22"),
    )
    lab = Lab(DISTRO, twins)
    lab.hosts["agent-2"].hostname = "agent-1"
    await lab.prepare()
    await lab.do("srv-1", DISTRO.start, DISTRO.verify)
    await lab.do("agent-1", DISTRO.join)
    began = anyio.current_time()

    with pytest.raises(ActionError) as caught:
        await lab.do("agent-2", DISTRO.join)

    assert caught.value.failure.lineage == ("join.rejected", "join")
    assert "kubectl delete node" in caught.value.failure.remedy
    assert anyio.current_time() - began < 30


async def test_a_server_that_differs_is_rejected_with_the_rule_and_joins_once_it_is_mended() -> None:
    """`faults` knows some of the rules and RKE2 all. The next start takes the config as it is then."""
    lab = Lab(DISTRO, make_cluster())
    mended = lab.nodes["srv-2"]
    lab.nodes["srv-2"] = make_node("srv-2", "server", "10.0.0.12", {"cluster-cidr": "10.99.0.0/16"})
    await lab.prepare()
    await lab.do("srv-1", DISTRO.start, DISTRO.verify)

    with pytest.raises(ActionError) as caught:
        await lab.do("srv-2", DISTRO.join)

    assert caught.value.failure.lineage == ("join.rejected", "join")
    assert "cluster-cidr" in caught.value.failure.remedy

    await lab.do("srv-2", DISTRO.stop_unit)
    lab.nodes["srv-2"] = mended
    await lab.do("srv-2", DISTRO.join, DISTRO.verify)
    assert await lab.unmet("srv-2") == []


async def test_a_missing_image_archive_ends_the_start() -> None:
    """Without the runtime image RKE2 would ask a registry that is not there."""
    lab = Lab(DISTRO, make_cluster())
    await lab.prepare()
    lab.hosts["srv-1"].disk.remove(PurePosixPath("/var/lib/rancher/rke2/agent/images"))

    with pytest.raises(ActionError) as caught:
        await lab.do("srv-1", DISTRO.start)

    assert caught.value.failure.lineage == ("artifact.missing", "artifact")


async def test_a_file_that_changed_after_the_upload_is_not_installed() -> None:
    """The fourth verification: right before the installation."""
    lab = Lab(DISTRO, make_cluster())
    bundle = PurePosixPath("/var/lib/mk8s/artifacts/v1.33.4+rke2r1/rke2.linux-amd64.tar.gz")

    assert await lab.refused_once_damaged("srv-1", bundle) == ("integrity",)


async def test_taking_a_start_back_stops_the_unit_for_good_and_a_new_start_enables_it() -> None:
    lab = Lab(DISTRO, make_cluster())
    await lab.prepare()
    await lab.do("srv-1", DISTRO.start)

    await lab.do("srv-1", DISTRO.stop_unit)
    service = lab.hosts["srv-1"].service("rke2-server")
    assert service is not None
    stopped = (service.state, service.enabled)
    await lab.do("srv-1", DISTRO.start, DISTRO.verify)

    assert stopped == ("inactive", False)
    assert await lab.unmet("srv-1") == []
    assert lab.world.violations == []


async def test_one_seed_gives_the_same_times() -> None:
    """Chance is keyed by seed, host and start, never by the order in which things are asked."""

    async def ready_at() -> dict[str, float]:
        lab = Lab(DISTRO, make_cluster())
        began = anyio.current_time()
        await lab.bring_up()
        return {name: round(node.ready_at - began, 3) for name, node in lab.world.nodes.items()}

    assert await ready_at() == await ready_at()
