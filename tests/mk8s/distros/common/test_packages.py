"""Packages: which node gets which, what a host of another kind is told, and unusable entries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from trio.testing import MockClock

from mk8s.cluster import ArtifactSource, Cluster
from mk8s.distros.base import Situation
from mk8s.distros.common import commands, model, packages
from mk8s.executor import Executor, StepsReport
from mk8s.modelled import model_os
from mk8s.parts_model import modelled_delivery
from mk8s.steps import Run, Upload
from tests.mk8s.distros.situations import FACTS, make_cluster, make_node
from transports.base import File
from transports.simulated import Profile, SimulatedHost, SimulatedNetwork, SimulatedTransport

pytestmark = pytest.mark.anyio

SUM = "sha256:" + "ab" * 32
GIVEN = {
    "packages": ArtifactSource("rke2-selinux-0.18-1.el9.noarch.rpm", checksum=SUM),
    "packages-haproxy-servers": ArtifactSource("haproxy-2.8.5-1.el9.x86_64.rpm", checksum=SUM),
    "packages-haproxy-servers-deb": ArtifactSource("haproxy_2.6.12-1_amd64.deb", checksum=SUM),
    "packages-agents-arm": ArtifactSource("nfs_1_arm64.deb", checksum=SUM),
}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def a_cluster(**given: ArtifactSource) -> Cluster:
    nodes = (
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("agent-1", "agent", "10.0.0.21"),
        make_node("agent-2", "agent", "10.0.0.22", arch="arm64"),
    )
    return make_cluster(*nodes, artifacts=given or GIVEN)


def situation(name: str, cluster: Cluster | None = None) -> Situation:
    cluster = cluster or a_cluster()
    node = next(node for node in cluster.nodes if node.name == name)
    release = {
        item.id: File(cluster.artifacts_dir / item.file, 10, f"{number:064x}")
        for number, item in enumerate(packages.items(cluster))
    }
    return Situation(cluster, node, FACTS, release, "")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("srv-1", ["rke2-selinux-0.18-1.el9.noarch.rpm", "haproxy-2.8.5-1.el9.x86_64.rpm",
                   "haproxy_2.6.12-1_amd64.deb"]),
        ("agent-1", ["rke2-selinux-0.18-1.el9.noarch.rpm"]),
        ("agent-2", ["rke2-selinux-0.18-1.el9.noarch.rpm", "nfs_1_arm64.deb"]),
    ],
)  # fmt: skip
def test_a_node_gets_what_its_role_and_architecture_need(name: str, files: list[str]) -> None:
    staged = [step.target.name for step in packages.stage(situation(name)) if isinstance(step, Upload)]
    assert staged == files


def test_all_of_a_kind_are_one_transaction() -> None:
    """And each kind has its own: a host has one of them."""
    runs = [step for step in packages.install(situation("srv-1")) if isinstance(step, Run)]
    assert [step.command.args[0] for step in runs] == ["dpkg", "rpm"]
    assert runs[1].command.args[1] == "2"


def test_without_packages_there_are_no_steps() -> None:
    nothing = make_cluster()
    assert packages.stage(situation("srv-1", nothing)) == []
    assert packages.install(situation("srv-1", nothing)) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (ArtifactSource(), "'' is no package; name a file that ends in .rpm or .deb"),
        (ArtifactSource("policy.tar.gz"), "'policy.tar.gz' is no package"),
        (ArtifactSource("../x.rpm"), "'../x.rpm' is no file name"),
    ],
)
def test_an_unusable_entry_is_a_fault_and_no_item(source: ArtifactSource, words: str) -> None:
    cluster = a_cluster(packages=source)
    (fault,) = packages.faults(cluster)
    assert fault.startswith("artifacts.packages.name: ")
    assert words in fault
    assert packages.items(cluster) == []


def test_one_file_under_two_ids_is_a_fault() -> None:
    source = ArtifactSource("a.rpm", checksum=SUM)
    (fault,) = packages.faults(a_cluster(packages=source, packages2=source))
    assert "'a.rpm' is also packages's" in fault


def test_a_package_without_a_hash_is_a_fault() -> None:
    """Root installs it, and nobody publishes what must be in it."""
    (fault,) = packages.faults(a_cluster(packages=ArtifactSource("a.rpm", "https://example.org/a.rpm")))
    assert fault.startswith("artifacts.packages.checksum: 'a.rpm' is installed as root")
    assert "; write sha256: and what `sha256sum a.rpm` says" in fault


def test_good_entries_are_no_faults() -> None:
    assert list(packages.faults(a_cluster())) == []


def test_selinux_is_turned_on_where_the_host_enforces_it() -> None:
    """Unless the user says otherwise, or the host does not."""
    s = situation("srv-1")
    enforcing = replace(s, facts=replace(FACTS, selinux="enforcing"))
    given = replace(enforcing, node=make_node("srv-1", "primary", "10.0.0.11", {"selinux": False}))
    assert [packages.selinux(one) for one in (s, enforcing, given)] == [{}, {"selinux": "true"}, {}]


async def run(host: SimulatedHost) -> StepsReport:
    network = SimulatedNetwork()
    model_os(network.add(host))
    model.teach(host)
    executor = Executor({"srv-1": SimulatedTransport("srv-1", host, network)}, delivery=modelled_delivery)
    s = situation("srv-1")
    await executor.run_steps("srv-1", packages.stage(s))
    return await executor.run_steps("srv-1", packages.install(s))


@pytest.mark.parametrize(
    ("system", "changed", "seen"),
    [
        ("rocky", 1, "rpm installs them"),
        ("debian", 1, "dpkg installs them"),
        ("alpine", 0, "left out: neither rpm nor dpkg keeps its packages"),
    ],
)
async def test_a_host_takes_its_own_kind_and_says_so(system: str, changed: int, seen: str) -> None:
    """The other kind is left out, on a host with neither both are."""
    report = await run(SimulatedHost("srv-1", "10.0.0.11", profile=Profile(os_id=system)))
    assert (report.changed, report.seen) == (changed, (f"the packages fit the host: {seen}",))


async def test_a_second_run_installs_nothing() -> None:
    host = SimulatedHost("srv-1", "10.0.0.11", profile=Profile(os_id="rocky"))
    await run(host)
    assert (await run(host)).changed == 0


def test_every_command_has_a_model() -> None:
    made = [
        commands.ask_manager(), commands.has_packages("rpm", []), commands.install_packages("rpm", [])
    ]  # fmt: skip
    assert {command.operation for command in made} == set(model.HANDLED)
