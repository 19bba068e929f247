"""Settings as the engine reads them: drop-ins over the config; and who has which part of a control plane."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Cluster, ControlPlane, Datastore
from mk8s.distros.k3s import DISTRO as K3S_DRIVER
from mk8s.distros.k3s.engine import K3S
from mk8s.distros.rancher.roles import CONTROL_PLANE, ETCD, api_server, labels_of
from mk8s.distros.rancher.tokens import needs_token
from mk8s.distros.rancher.values import laid_over, settings_of
from mk8s.distros.rke2.engine import RKE2
from tests.mk8s.distros.k3s.made import k3s, one_server
from tests.mk8s.distros.situations import make_cluster, make_node


@pytest.mark.parametrize(
    ("drop_ins", "expected"),
    [
        ({}, {"a": 1, "l": ["x"]}),
        ({"1.yaml": "a: 2", "2.yaml": "a: 3"}, {"a": 3, "l": ["x"]}),
        ({"1.yaml": "l+: [y]"}, {"a": 1, "l": ["x", "y"]}),
        ({"1.yaml": "l: [y]"}, {"a": 1, "l": ["y"]}),
        ({"1.yml": "a: 2", "2.yaml": "- no", "3.yaml": "a: [b"}, {"a": 1, "l": ["x"]}),
    ],
)
def test_later_files_win_and_a_plus_adds_to_a_list(
    drop_ins: dict[str, str], expected: dict[str, Any]
) -> None:
    assert laid_over({"a": 1, "l": ["x"]}, drop_ins) == expected


def test_a_drop_in_can_make_a_server_a_control_plane_alone() -> None:
    node = replace(make_node("s", "server", "10.0.0.2"), drop_ins={"1.yaml": "disable-etcd: true\n"})
    cluster = make_cluster(make_node("p", "primary", "10.0.0.1"), node)

    assert settings_of(node) == {"disable-etcd": True}
    assert labels_of(RKE2, cluster, node) == [CONTROL_PLANE]


@pytest.mark.parametrize(
    ("cluster", "labels"),
    [
        (k3s(), [CONTROL_PLANE, ETCD]),
        (one_server(), [CONTROL_PLANE, ETCD]),
        (one_server({"cluster-init": False}), [CONTROL_PLANE]),
        (k3s(datastore=Datastore("postgres://u@db/k")), [CONTROL_PLANE]),
    ],
)
def test_where_the_state_lies_says_which_labels_a_server_gets(cluster: Cluster, labels: list[str]) -> None:
    assert labels_of(K3S, cluster, cluster.primary) == labels


def test_a_control_plane_that_exists_has_a_token_and_is_not_asked() -> None:
    """Nobody but whoever runs it can make one."""
    agents = k3s(make_node("a", "agent", "10.0.0.21"), joins=ControlPlane("10.9.9.9", "TOKEN"))

    assert not needs_token(agents)
    assert api_server(agents) is None
    assert K3S_DRIVER.faults(agents) == []
