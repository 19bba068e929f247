"""K3s on real hosts, with its stand-in: whole clusters, killed runs, one server, a database, agents alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mk8s.lab.manifest_writer import DEFAULT_VERSIONS
from tests.e2e.distro_runs import (
    join_order_holds,
    joining,
    killed_and_resumed,
    last_node,
    nothing_changes,
    spans_apart,
    whole,
)
from tests.e2e.driving import Driver, drive, intervals, stand_in
from tests.e2e.labs import LabMaker
from tests.e2e.postgres import postgres

pytestmark = pytest.mark.e2e

DATA = "/var/lib/rancher"
TOKEN = "cat /var/lib/rancher/k3s/server/token"


@pytest.fixture(scope="module")
def k3s() -> Path:
    """The release files: a stand-in for K3s."""
    return stand_in(DEFAULT_VERSIONS["k3s"])


@pytest.fixture(scope="module")
def five(lab: LabMaker, k3s: Path, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Three servers and two agents, made by runs that were killed twice and then left to end."""
    driver = drive(lab.fresh(6), tmp_path_factory.mktemp("k3s"), k3s, distro="k3s", servers=3)
    last_node(driver)
    whole_of_five(driver, killed_and_resumed(driver, random.Random("k3s"), kills=2, longest=7.0).code)
    return driver


def whole_of_five(driver: Driver, code: int) -> None:
    assert code == 0
    assert driver.node_states()[:5] == ["healthy"] * 5


def test_killed_runs_end_in_one_whole_cluster(five: Driver) -> None:
    """One cluster was made, two servers were promoted, two agents came."""
    events = five.events(1, 2, 3, 4, 5)
    assert events.count("cluster-init") == 1
    assert events.count("join-promoted") == 2
    assert five.events(4, 5).count("agent-join") == 2
    join_order_holds(five)
    for i in (2, 3, 4, 5):  # whoever joins believes the holder of the cluster's CA alone
        assert "::server:" in five.on_host(i, "grep ^token: /etc/rancher/k3s/config.yaml")


def test_servers_join_one_after_another(five: Driver) -> None:
    """etcd permits one learner."""
    spans_apart(five, [2, 3], "join-learner", "join-promoted")


def test_a_second_run_changes_nothing(five: Driver) -> None:
    """Files, their inodes and times, units and processes."""
    nothing_changes(five, DATA, "k3s", "k3s-agent")


def test_an_agent_joins_a_control_plane_of_somebody_else(five: Driver, k3s: Path, tmp_path: Path) -> None:
    """A manifest with agents only: the token comes from the environment, the servers are never asked."""
    node = last_node(drive(five.lab, tmp_path, k3s, distro="k3s", servers=3))
    alone = joining(five, node, tmp_path / "agents.yaml")

    refused = alone.run()
    done = alone.run(env={"TOKEN": five.on_host(1, TOKEN).strip()})
    again = alone.run(env={"TOKEN": five.on_host(1, TOKEN).strip()})

    assert (refused.code, "join: the environment variable TOKEN is not set" in refused.err) == (2, True)
    assert done.code == 0, done.err
    assert "1 of 1 nodes healthy" in done.err
    assert "nothing to do" in again.err
    nodes = five.on_host(1, "k3s kubectl get nodes -o name").split()
    assert f"node/{five.lab.hosts[5].name}" in nodes


def test_one_server_is_a_whole_cluster(lab: LabMaker, k3s: Path, tmp_path: Path) -> None:
    """No quorum is asked of it; and with the manifest's word it is SQLite's."""
    driver = drive(lab.fresh(1), tmp_path, k3s, distro="k3s")
    driver.edit(r"^(    config: \|)$", r"\1\n      cluster-init: false")
    whole(driver, driver.run())
    assert driver.on_host(1, "ls /var/lib/rancher/k3s/server/db/state.db").strip()
    nothing_changes(driver, DATA, "k3s")


def test_servers_that_share_a_database_join_at_the_same_time(
    lab: LabMaker, k3s: Path, tmp_path: Path
) -> None:
    """A real PostgreSQL: a wrong password is named; then three servers come, none waits for a learner."""
    driver = drive(lab.fresh(4), tmp_path, k3s, distro="k3s", servers=3)
    with postgres(driver.lab) as database:
        where = f"postgres://{database.user}@{database.address}:{database.port}/k3s?sslmode=disable"
        driver.add(f"datastore: {{endpoint: '{where}', password_env: DATABASE}}")

        wrong = driver.run(env={"DATABASE": "not that"})
        done = driver.run(env={"DATABASE": database.password})

        assert wrong.code == 1
        assert "password" in wrong.err
        whole(driver, done)
        joins = sorted(intervals(driver.records(), "join-server").values())
        assert len(joins) == 2
        assert joins[1][0] < joins[0][1]
        assert driver.events(1, 2, 3).count("cluster-init") == 1
        assert int(database.rows("k3s", "select count(*) from kine")) > 0
        found = driver.on_host(1, "ls -l /etc/rancher/k3s/config.yaml; cat /proc/*/cmdline | tr '\\0' ' '")
        assert database.password not in found
        assert found.startswith("-rw-------")
        kept = "".join(path.read_text("latin-1") for path in driver.state.rglob("*") if path.is_file())
        assert database.password not in kept
