"""k0s on real hosts, with its stand-in: whole clusters, killed runs, one node, agents alone."""

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
from tests.e2e.driving import Driver, drive, stand_in
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

DATA = "/var/lib/k0s"
TOKEN = "k0s token create --role worker --expiry 10m"

GZIP = "H4sI"  # how every token of k0s begins: base64 of what gzip writes


@pytest.fixture(scope="module")
def k0s() -> Path:
    """The release files: a stand-in for k0s."""
    return stand_in(DEFAULT_VERSIONS["k0s"])


@pytest.fixture(scope="module")
def five(lab: LabMaker, k0s: Path, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Three controllers and two workers, made by runs that were killed twice and then left to end."""
    driver = drive(lab.fresh(6), tmp_path_factory.mktemp("k0s"), k0s, distro="k0s", servers=3)
    last_node(driver)
    done = killed_and_resumed(driver, random.Random("k0s"), kills=2, longest=7.0)
    assert done.code == 0, done.err
    assert driver.node_states()[:5] == ["healthy"] * 5
    return driver


def test_killed_runs_end_in_one_whole_cluster(five: Driver) -> None:
    """One cluster was made; controllers have no Node object, workers have."""
    assert five.events(1, 2, 3, 4, 5).count("cluster-init") == 1
    join_order_holds(five)
    nodes = five.on_host(1, "k0s kubectl get nodes -o name").split()
    assert sorted(nodes) == [f"node/{five.lab.hosts[i].name}" for i in (3, 4)]


def test_controllers_join_one_after_another(five: Driver) -> None:
    """A second voter at once would leave etcd without a quorum."""
    spans_apart(five, [2, 3], "join-begin", "ready")


def test_no_token_is_left_anywhere(five: Driver) -> None:
    """Made when they were needed, gone when they had served: on the hosts and in the state folder."""
    for i in (2, 3, 4, 5):
        assert GZIP not in five.on_host(i, "cat /etc/k0s/*token* /etc/systemd/system/k0s*")
    kept = "".join(path.read_text("latin-1") for path in five.state.rglob("*") if path.is_file())
    assert GZIP not in kept


def test_a_second_run_changes_nothing(five: Driver) -> None:
    """Files, their inodes and times, units and processes."""
    nothing_changes(five, DATA, "k0scontroller", "k0sworker")


def test_a_worker_joins_a_control_plane_of_somebody_else(five: Driver, k0s: Path, tmp_path: Path) -> None:
    """A manifest with agents only: the token comes from the environment, the controllers are never asked."""
    node = last_node(drive(five.lab, tmp_path, k0s, distro="k0s", servers=3))
    alone = joining(five, node, tmp_path / "agents.yaml")

    done = alone.run(env={"TOKEN": five.on_host(1, TOKEN).strip()})
    again = alone.run(env={"TOKEN": "no longer needed"})

    assert done.code == 0, done.err
    assert "1 of 1 nodes healthy" in done.err
    assert "nothing to do" in again.err
    assert f"node/{five.lab.hosts[5].name}" in five.on_host(1, "k0s kubectl get nodes -o name").split()


def test_one_node_is_a_whole_cluster(lab: LabMaker, k0s: Path, tmp_path: Path) -> None:
    """k0s' single mode: a controller that runs workloads and lets nobody join."""
    driver = drive(lab.fresh(1), tmp_path, k0s, distro="k0s")
    driver.edit(r"^(    primary: true)$", r'\1\n    arguments: ["--single"]')
    whole(driver, driver.run())
    nothing_changes(driver, DATA, "k0scontroller")


def test_servers_may_run_workloads(lab: LabMaker, k0s: Path, tmp_path: Path) -> None:
    """A controller with a worker has a Node object of its own."""
    driver = drive(lab.fresh(1), tmp_path, k0s, distro="k0s")
    driver.add("control_plane: schedulable")
    whole(driver, driver.run())
    nodes = driver.on_host(1, "k0s kubectl get nodes -o name").split()
    assert nodes == [f"node/{driver.lab.hosts[0].name}"]
