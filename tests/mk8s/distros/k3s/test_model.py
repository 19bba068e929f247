"""K3s on simulated hosts: the driver's own steps, through the executor, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from mk8s.cluster import Balancer, Cluster, ControlPlane, Datastore
from mk8s.distros.k3s import DISTRO
from mk8s.distros.k3s.model import OWN
from mk8s.distros.rancher.model import HANDLED, world_of
from mk8s.needs import Kept
from mk8s.rehearsal import Conditions, rehearse
from tests.mk8s.distros.k3s.made import k3s, one_server, three_servers
from tests.mk8s.distros.k3s.test_steps import CLUSTERS as GOLDEN_CLUSTERS
from tests.mk8s.distros.rancher.labs import Lab
from tests.mk8s.distros.rancher.shown import every_command, every_situation
from tests.mk8s.distros.situations import TOKEN, make_node

pytestmark = pytest.mark.anyio

POSTGRES = Datastore("postgres://k3s@10.0.0.5:5432/k3s", "DB_PASSWORD")
STATE = PurePosixPath("/var/lib/rancher/k3s/server/db/state.db")
CONFIG = PurePosixPath("/etc/rancher/k3s/config.yaml")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def test_every_command_that_the_driver_can_send_has_a_model() -> None:
    """And no model is left over from a command that is gone."""
    situations = every_situation(DISTRO, GOLDEN_CLUSTERS.values())
    sent = {command.operation for command in every_command(DISTRO, situations)}

    assert {name for name in sent if name.startswith("k3s.")} == {f"k3s.{name}" for name in {*HANDLED, *OWN}}


MODES: dict[str, Cluster] = {
    "three servers": three_servers(),
    "one server": one_server(),
    "one server on SQLite": one_server({"cluster-init": False}),
    "with PostgreSQL": three_servers(datastore=POSTGRES),
    "with a datastore of the user's own": three_servers({"datastore-endpoint": "mysql://u:p@tcp(db)/k"}),
    "by install.sh": three_servers(install_method="script"),
    "with what is there already": three_servers(artifacts_mode="preinstalled"),
    "without a network": three_servers({"flannel-backend": "none", "disable-network-policy": True}),
    "behind an endpoint": three_servers(endpoint="api.example"),
    "with keepalived and haproxy": three_servers(endpoint="10.0.0.100", balancer=Balancer("keepalived")),
    "with kube-vip": three_servers(
        endpoint="10.0.0.100", balancer=Balancer("kube-vip", "eth0", "ghcr.io/kube-vip/kube-vip:v0.8.0")
    ),
    "an old release": three_servers(version="v1.21.14+k3s1"),
    "dedicated servers": GOLDEN_CLUSTERS["dedicated"],
    "with every key": GOLDEN_CLUSTERS["everything"],
}


@pytest.mark.parametrize("mode", MODES)
def test_a_cluster_of_every_mode_becomes_healthy(mode: str) -> None:
    """Through the real table and engine; one cluster is made, and no rule of etcd's is broken."""
    run = rehearse(Conditions(MODES[mode], DISTRO))
    world = world_of(run.network)

    assert set(run.result.states.values()) == {"healthy"}
    assert (world.violations, world.collisions, len(world.initialised)) == ([], 0, 1)


def test_agents_alone_join_a_control_plane_that_is_somebody_elses() -> None:
    agents = (make_node("agent-1", "agent", "10.0.0.21"), make_node("agent-2", "agent", "10.0.0.22"))
    run = rehearse(Conditions(k3s(*agents, joins=ControlPlane("10.9.9.9", "JOIN_TOKEN")), DISTRO))

    assert set(run.result.states.values()) == {"healthy"}
    assert world_of(run.network).initialised == []


async def test_doing_it_all_again_changes_nothing() -> None:
    """A second run asks and leaves everything alone."""
    lab = Lab(DISTRO, three_servers())
    await lab.bring_up()

    edges = (DISTRO.stage, DISTRO.bootstrap, DISTRO.refresh)
    reports = [await lab.do(name, edge) for name in lab.nodes for edge in edges]

    assert [(report.changed, report.uploaded) for report in reports] == [(0, 0)] * len(reports)


async def grown(version: str = "v1.33.4+k3s1") -> Lab:
    """A cluster that began as one server on SQLite, under a manifest that now has three servers."""
    lab = Lab(DISTRO, three_servers(version=version))
    wanted, first = lab.cluster, lab.nodes["srv-1"]
    lab.cluster = one_server({"cluster-init": False}, version=version)
    lab.nodes["srv-1"] = lab.cluster.primary
    await lab.do("srv-1", DISTRO.stage, DISTRO.bootstrap, DISTRO.start, DISTRO.verify)
    lab.cluster, lab.nodes["srv-1"] = wanted, first
    return lab


async def test_a_single_server_on_sqlite_becomes_the_first_of_three() -> None:
    """Its state moves into etcd before anybody joins, and nothing is begun anew."""
    lab = await grown()
    assert STATE in lab.hosts["srv-1"].files

    moved = await lab.do("srv-1", DISTRO.refresh)
    again = await lab.do("srv-1", DISTRO.refresh)
    for name in ("srv-2", "srv-3"):
        await lab.do(name, DISTRO.stage, DISTRO.bootstrap, DISTRO.join, DISTRO.verify)

    assert (moved.changed, again.changed) == (1, 0)
    assert b"cluster-init: true" in lab.hosts["srv-1"].disk.read(CONFIG)
    assert [await lab.unmet(name) for name in ("srv-1", "srv-2", "srv-3")] == [[], [], []]
    assert (lab.world.violations, lab.world.initialised) == ([], ["srv-1"])


async def test_nobody_joins_a_server_whose_state_is_still_in_sqlite() -> None:
    """The join is tried again later, as beside a learner."""
    lab = await grown()
    await lab.do("srv-2", DISTRO.stage, DISTRO.bootstrap)

    with pytest.raises(ActionError) as caught:
        await lab.do("srv-2", DISTRO.join)

    service = lab.hosts["srv-2"].service("k3s")
    assert caught.value.failure.lineage == ("etcd.learner", "etcd")
    assert service is not None
    assert service.starts == 0


async def test_a_release_that_cannot_move_its_state_says_so() -> None:
    lab = await grown("v1.21.14+k3s1")

    with pytest.raises(ActionError) as caught:
        await lab.do("srv-1", DISTRO.refresh)

    assert caught.value.failure.kind == "check.sqlite"
    assert "cluster-init: false" in caught.value.failure.remedy


async def test_a_full_token_is_the_same_token() -> None:
    """The long form that a server writes down may be given to those that join."""
    full = f"K10{'0a' * 32}::server:{TOKEN}"
    nodes = (
        make_node("srv-1", "primary", "10.0.0.11", {"token": TOKEN}),
        make_node("srv-2", "server", "10.0.0.12", {"token": full}),
        make_node("agent-1", "agent", "10.0.0.21", {"token": full}),
    )
    lab = Lab(DISTRO, k3s(*nodes))

    await lab.bring_up()

    assert DISTRO.faults(lab.cluster) == []
    assert [await lab.unmet(name) for name in lab.nodes] == [[], [], []]


async def test_the_password_of_a_datastore_is_in_the_config_alone() -> None:
    """It comes from the environment, and is written into a file of root's, escaped as a URL needs it."""
    kept = Kept(words={"datastore-password": "p@ss/word"})
    lab = Lab(DISTRO, one_server(datastore=POSTGRES), kept)

    await lab.bring_up()

    config = lab.hosts["srv-1"].disk.read(CONFIG)
    assert b"postgres://k3s:p%40ss%2Fword@10.0.0.5:5432/k3s" in config
    assert b"p%40ss" not in lab.hosts["agent-1"].disk.read(CONFIG)


async def test_a_host_without_the_program_is_not_bootstrapped_as_preinstalled() -> None:
    lab = Lab(DISTRO, one_server(artifacts_mode="preinstalled"))
    lab.hosts["agent-1"].disk.remove(PurePosixPath("/usr/local/bin/k3s"))

    with pytest.raises(ActionError) as caught:
        await lab.do("agent-1", DISTRO.stage, DISTRO.bootstrap)

    assert caught.value.failure.kind == "check.preinstalled"


async def test_a_program_that_changed_after_the_upload_is_not_installed() -> None:
    """The fourth verification: right before the installation."""
    lab = Lab(DISTRO, one_server())
    staged = PurePosixPath("/var/lib/mk8s/artifacts/v1.33.4+k3s1/k3s")

    assert await lab.refused_once_damaged("srv-1", staged) == ("integrity",)


async def test_a_reboot_brings_a_node_back_by_itself() -> None:
    lab = Lab(DISTRO, three_servers())
    await lab.bring_up()
    for name in ("srv-2", "agent-1"):
        lab.hosts[name].reboot()
    await anyio.sleep(300)

    assert await lab.unmet("srv-2") == []
    assert await lab.unmet("agent-1") == []


def test_a_node_may_be_of_another_architecture() -> None:
    made = three_servers()
    arm = replace(made.nodes[-1], arch="arm64")
    run = rehearse(Conditions(replace(made, nodes=(*made.nodes[:-1], arm)), DISTRO))

    assert run.result.ok
