"""The steps of every edge, for a table of manifests, against files that a person has read.

After a wanted change run the test with UPDATE_GOLDEN=1, and read the difference before it is committed.
Scripts are left out here: `test_scripts` runs them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.cluster import ArtifactSource, Cluster, ControlPlane, Datastore, Network, Proxy
from mk8s.distros.base import Situation
from mk8s.distros.k3s import DISTRO
from mk8s.steps import WriteFile
from tests.mk8s.distros.k3s.made import k3s, one_server, three_servers
from tests.mk8s.distros.rancher.shown import (
    begun_early,
    compare,
    every_command,
    every_situation,
    every_step,
    rendered,
)
from tests.mk8s.distros.situations import TOKEN, make_node

PROXY = Proxy("http://proxy.example:3128", "http://proxy.example:3128", (".shop.example",))
ETCD_ALONE = {"disable-apiserver": True, "disable-controller-manager": True, "disable-scheduler": True}


def with_everything() -> Cluster:
    """Every key of the manifest that K3s takes beside its own config."""
    made = one_server(
        manifests=(Path("/srv/web.yaml"),),
        network=Network("10.64.0.0/16", "10.65.0.0/16", "shop.local", "none"),
        control_plane="tainted",
        images=("ghcr.io/shop/web:1",),
        artifacts={
            "packages-selinux": ArtifactSource(
                "k3s-selinux-1.6-1.el9.noarch.rpm", checksum="sha256:" + "0" * 64
            )
        },
    )
    nodes = tuple(
        replace(
            node,
            proxy=PROXY,
            labels={"disk": "ssd"},
            taints=("gpu=true:NoSchedule",) if not node.is_server else (),
            drop_ins={"90-shop.yaml": "debug: true\n"},
        )
        for node in made.nodes
    )
    return replace(made, nodes=nodes)


CLUSTERS: dict[str, Cluster] = {
    "etcd": k3s(),
    "sqlite": one_server({"cluster-init": False}),
    "script": one_server(install_method="script"),
    "datastore": three_servers(
        datastore=Datastore(
            "postgres://k3s@10.0.0.5:5432/k3s",
            "DB_PASSWORD",
            Path("/ca.pem"),
            Path("/c.pem"),
            Path("/k.pem"),
        )
    ),
    "preinstalled": one_server(artifacts_mode="preinstalled"),
    "agents-alone": k3s(
        make_node("agent-1", "agent", "10.0.0.21"), joins=ControlPlane("10.9.9.9", "JOIN_TOKEN")
    ),
    "dedicated": k3s(
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("etcd-2", "server", "10.0.0.12", ETCD_ALONE),
        make_node("api-3", "server", "10.0.0.13", {"disable-etcd": True}),
    ),
    "old-without-conversion": three_servers(version="v1.21.14+k3s1"),
    "everything": with_everything(),
}


def situations() -> list[Situation]:
    return list(every_situation(DISTRO, CLUSTERS.values()))


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_steps_are_the_ones_that_were_read(name: str) -> None:
    """Every file, command and wait of every node and edge."""
    text, golden = compare(f"k3s/{name}.txt", "\n".join(rendered(DISTRO, CLUSTERS[name])) + "\n")

    assert text == golden


@pytest.mark.parametrize("name", CLUSTERS)
def test_each_of_these_manifests_has_no_fault(name: str) -> None:
    assert DISTRO.faults(CLUSTERS[name]) == []


def test_without_a_writable_usr_local_everything_goes_to_opt() -> None:
    """The same rule as install.sh's."""
    text, golden = compare("k3s/in-opt.txt", "\n".join(rendered(DISTRO, one_server(), "mount")) + "\n")

    assert text == golden
    assert "/usr/local/bin/k3s-" not in text


def test_no_secret_stands_in_a_title_a_description_or_an_argument() -> None:
    words = [step.title for s in situations() for step in every_step(DISTRO, s)]
    for command in every_command(DISTRO, situations()):
        words += [command.description, command.script, *command.args, *command.env.values()]

    assert [word for word in words if TOKEN in word] == []


def test_every_file_that_holds_the_token_is_secret_and_roots_alone() -> None:
    files = [step for s in situations() for step in every_step(DISTRO, s) if isinstance(step, WriteFile)]

    assert any(TOKEN.encode() in file.content for file in files)
    assert [
        f.target for f in files if TOKEN.encode() in f.content and not (f.secret and f.mode == 0o600)
    ] == []


def test_nothing_is_started_before_its_edge() -> None:
    """All nodes bootstrap at once; a unit that starts there would join before its signal."""
    assert not begun_early(DISTRO, situations()) & {"k3s.start", "unit.start", "k3s.convert"}


def test_servers_may_join_together_only_where_there_is_no_etcd() -> None:
    """A database has no learners."""
    assert DISTRO.pacing(CLUSTERS["etcd"]) == {}
    assert DISTRO.pacing(CLUSTERS["datastore"])["etcd-joins"] > 1
    assert DISTRO.pacing(three_servers({"datastore-endpoint": "nats://x"}))["etcd-joins"] > 1


def test_the_conversion_is_offered_to_the_first_of_several_servers_alone() -> None:
    """Every run would ask it otherwise, and nobody else has a state to move."""
    asked = [
        (name, s.node.name)
        for name, cluster in CLUSTERS.items()
        for s in every_situation(DISTRO, [cluster])
        if DISTRO.refresh(s) and s.facts
    ]

    assert asked == [("etcd", "srv-1"), ("dedicated", "srv-1"), ("old-without-conversion", "srv-1")]
