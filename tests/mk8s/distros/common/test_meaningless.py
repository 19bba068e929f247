"""Keys that say nothing to a distro, or beside another key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Balancer, ControlPlane, Datastore, Network
from mk8s.distros.common import joins, meaningless
from tests.mk8s.distros.situations import make_cluster

HINTS = dict.fromkeys(meaningless.GIVEN, "leave it out")


def test_what_the_manifest_does_not_give_is_no_fault() -> None:
    assert list(meaningless.faults(make_cluster(), HINTS)) == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"datastore": Datastore("postgres://h/d")}, "datastore"),
        ({"balancer": Balancer("cplb")}, "endpoint.by"),
        ({"balancer": Balancer(node_local=True)}, "endpoint.node_local"),
        ({"artifacts_mode": "preinstalled"}, "artifacts_mode"),
        ({"joins": ControlPlane("a", "B")}, "join"),
        ({"network": Network()}, "network"),
    ],
)
def test_what_it_gives_is_one_fault_with_a_hint(fields: dict[str, Any], path: str) -> None:
    (fault,) = meaningless.faults(make_cluster(**fields), HINTS)
    assert fault == f"{path}: has no meaning for rke2; leave it out"


def test_what_a_node_gives_counts_as_well() -> None:
    cluster = make_cluster()
    nodes = (replace(cluster.primary, arguments=("--debug",), drop_ins={"a": "b"}), *cluster.nodes[1:])
    found = list(meaningless.faults(replace(cluster, nodes=nodes), HINTS))
    assert [fault.partition(":")[0] for fault in found] == ["arguments", "drop_ins"]


def test_only_what_the_driver_asks_for_is_looked_at() -> None:
    assert list(meaningless.faults(make_cluster(network=Network()), {"datastore": "x"})) == []


def test_beside_an_existing_control_plane_its_own_keys_mean_nothing() -> None:
    """Nothing is refused where it is not there."""
    cluster = make_cluster(network=Network(), datastore=Datastore("postgres://h/d"))
    assert list(joins.faults(cluster)) == []
    found = list(joins.faults(replace(cluster, joins=ControlPlane("a", "B"))))
    assert found == [
        "datastore: has no meaning beside `join`; it is the existing control plane's to say; leave it out",
        "network: has no meaning beside `join`; it is the existing control plane's to say; leave it out",
    ]
