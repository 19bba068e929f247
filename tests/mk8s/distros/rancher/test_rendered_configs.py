"""config.yaml for a table of manifests, both distros and the versions that differ, as golden files.

After a wanted change run the test with UPDATE_GOLDEN=1, and read the difference before it is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.cluster import Balancer, Cluster, ControlPlane, Datastore, Network, Registries, RegistryMirror
from mk8s.distros.base import Situation, load_distro
from mk8s.needs import Kept
from mk8s.steps import WriteFile
from tests.mk8s.distros.rancher.shown import compare
from tests.mk8s.distros.situations import FACTS, make_cluster, make_node, release_of

VERSIONS = {
    "rke2": ("v1.20.15+rke2r2", "v1.24.17+rke2r1", "v1.30.3+rke2r1", "v1.36.3+rke2r1"),
    "k3s": ("v1.20.15+k3s1", "v1.24.17+k3s1", "v1.30.3+k3s1", "v1.36.3+k3s1"),
}
TABLES = [(distro, version) for distro, versions in VERSIONS.items() for version in versions]
Change = Callable[[Cluster], Cluster]


def with_(**more: Any) -> Change:
    return lambda cluster: replace(cluster, **more)


def on_nodes(**more: Any) -> Change:
    return lambda cluster: replace(cluster, nodes=tuple(replace(node, **more) for node in cluster.nodes))


def agents_alone(cluster: Cluster) -> Cluster:
    agent = make_node("agent-1", "agent", "10.0.0.21")
    return replace(cluster, nodes=(agent,), joins=ControlPlane("control.example", "JOIN_TOKEN"))


MANIFESTS: dict[str, Change] = {
    "plain": with_(),
    "endpoint": with_(endpoint="fd00::10"),
    "keepalived": with_(endpoint="10.0.0.100", balancer=Balancer("keepalived")),
    "network": with_(network=Network("10.64.0.0/16", "10.65.0.0/16", "shop.local")),
    "no network": with_(network=Network("10.64.0.0/16", "10.65.0.0/16", "shop.local", "none")),
    "tainted": with_(control_plane="tainted"),
    "labels and taints": on_nodes(labels={"disk": "ssd", "zone": "a"}, taints=("gpu=true:NoSchedule",)),
    "PostgreSQL": with_(
        datastore=Datastore("postgres://k3s@db:5432/k3s", "DB", Path("/ca"), Path("/c"), Path("/k"))
    ),
    "MySQL": with_(datastore=Datastore("mysql://k3s@tcp(db:3306)/k3s", "DB")),
    "agents alone": agents_alone,
    "registries": with_(
        registries=Registries({"docker.io": RegistryMirror(("https://mirror.example",))}, default="m.example")
    ),
    "drop-ins win": on_nodes(drop_ins={"50.yaml": "token: mine\ntls-san: [a.example]\n"}),
}


@pytest.mark.parametrize(("distro", "version"), TABLES)
def test_the_configs_are_the_ones_that_were_read(distro: str, version: str) -> None:
    """What the first server, a joining one and an agent get."""
    text = "\n".join(_rendered(distro, version)) + "\n"

    assert text == compare(f"rancher/config-{version}.txt", text)[1]


def _rendered(distro: str, version: str) -> Iterator[str]:
    for name, change in MANIFESTS.items():
        cluster = change(replace(make_cluster(version=version), distro=distro))
        yield f"== {name}"
        for node in cluster.nodes:
            yield f"  {node.name}, {node.role}"
            yield from (f"    {line}" for line in _config(cluster, node.name))


def _config(cluster: Cluster, name: str) -> list[str]:
    driver = load_distro(cluster.distro)
    node = next(node for node in cluster.nodes if node.name == name)
    kept = Kept(words={"datastore-password": "p@ss:w/rd", "endpoint-password": "word"})
    s = Situation(cluster, node, FACTS, release_of(cluster, driver), "secret-token", kept)
    try:
        written = [step for step in driver.bootstrap(s) if isinstance(step, WriteFile)]
    except KeyError:  # the password of the endpoint's holders has another name
        kept = Kept(words={need.name: "word" for need in driver.needs(cluster)} | dict(kept.words))
        written = [step for step in driver.bootstrap(replace(s, kept=kept)) if isinstance(step, WriteFile)]
    return next(step for step in written if step.target.name == "config.yaml").content.decode().splitlines()
