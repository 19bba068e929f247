"""Labels, taints, and where servers run pods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Cluster, Node
from mk8s.distros.common import placement
from tests.mk8s.distros.situations import make_cluster, make_node


def of_distro(distro: str, *nodes: Node, **more: Any) -> Cluster:
    return replace(make_cluster(*nodes), distro=distro, **more)


@pytest.mark.parametrize(
    ("distro", "way"),
    [("rke2", "schedulable"), ("k3s", "schedulable"), ("k0s", "isolated"), ("kubeadm", "tainted"),
     ("vanilla", "tainted"), ("somebody-elses", "schedulable")],
)  # fmt: skip
def test_each_distro_has_its_own_way(distro: str, way: str) -> None:
    assert placement.control_plane(of_distro(distro)) == way


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla", "k0s"])
def test_servers_run_pods_where_nobody_else_is(distro: str) -> None:
    """Unless the manifest says otherwise."""
    alone = of_distro(distro, make_node("srv-1", "primary", "10.0.0.11"))
    assert placement.control_plane(alone) == "schedulable"
    assert placement.control_plane(replace(alone, control_plane="tainted")) == "tainted"


def test_the_manifest_wins() -> None:
    assert placement.control_plane(of_distro("k0s", control_plane="schedulable")) == "schedulable"


def test_rke2_is_told_the_control_planes_taint_before_the_nodes_own() -> None:
    """On servers alone."""
    cluster = of_distro("rke2", control_plane="tainted")
    server, _, agent = (replace(node, taints=("gpu=yes:NoSchedule",)) for node in cluster.nodes)
    assert placement.taints(cluster, server) == (placement.TAINT, "gpu=yes:NoSchedule")
    assert placement.taints(cluster, agent) == ("gpu=yes:NoSchedule",)


def test_a_distro_that_taints_by_itself_is_told_the_nodes_own_alone() -> None:
    cluster = of_distro("k0s", control_plane="tainted")
    assert placement.taints(cluster, cluster.primary) == ()


def test_labels_have_an_order_of_their_own() -> None:
    node = replace(make_node("n", "agent", "10.0.0.1"), labels={"b": "2", "a": "", "example.com/c": "x"})
    assert placement.labels(node) == ("a=", "b=2", "example.com/c=x")


def faults_of(distro: str = "rke2", isolated: str = "", **fields: Any) -> list[str]:
    node = replace(make_node("n", "primary", "10.0.0.1"), **fields)
    return list(placement.faults(of_distro(distro, node), isolated))


@pytest.mark.parametrize(
    "key",
    ["disk", "example.com/disk", "node.kubernetes.io/pool", "x.node.kubernetes.io/pool",
     "topology.kubernetes.io/zone", "kubernetes.io/arch", "mykubernetes.io/x"],
)  # fmt: skip
def test_a_kubelet_may_give_itself_these_labels(key: str) -> None:
    assert faults_of(labels={key: "v"}) == []


@pytest.mark.parametrize(
    "key",
    ["node-role.kubernetes.io/worker", "node-restriction.kubernetes.io/x", "kubernetes.io/x", "x.k8s.io/y"],
)
def test_a_label_of_kubernetes_own_is_a_fault(key: str) -> None:
    """The kubelet would not start."""
    (fault,) = faults_of(labels={key: ""})
    assert fault.startswith(f"nodes.n.labels.{key}: a kubelet may not give itself")
    assert "kubectl label node" in fault


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": {"-x": "1"}}, "'-x' is no label's name"),
        ({"labels": {"Example.com/x": "1"}}, "is no label's name"),
        ({"labels": {"x": "a b"}}, "'a b' is no label's value"),
        ({"labels": {"x": "a" * 64}}, "is no label's value"),
        ({"taints": ("gpu=yes",)}, "'gpu=yes' is no taint; write key=value:Effect"),
        ({"taints": ("gpu:NoWay",)}, "has no effect that Kubernetes knows; there are NoSchedule"),
        ({"taints": ("a=b=c:NoSchedule",)}, "is no taint"),
    ],
)
def test_a_word_in_no_form_is_a_fault(fields: dict[str, Any], words: str) -> None:
    (fault,) = faults_of(**fields)
    assert words in fault


@pytest.mark.parametrize("taint", ["gpu=yes:NoSchedule", "gpu:NoExecute", "example.com/x=:PreferNoSchedule"])
def test_taints_in_their_forms_are_none(taint: str) -> None:
    assert faults_of(taints=(taint,)) == []


def test_a_distro_whose_servers_always_run_pods_refuses_isolated() -> None:
    cluster = replace(of_distro("rke2"), control_plane="isolated")
    (fault,) = placement.faults(cluster, "its servers run a kubelet; write `tainted`")
    assert fault == "control_plane: its servers run a kubelet; write `tainted`"


def test_an_isolated_server_has_no_labels_and_taints() -> None:
    """It has no Node, so they would be lost."""
    server = replace(make_node("n", "primary", "10.0.0.1"), labels={"a": "1"}, taints=("b:NoSchedule",))
    found = placement.faults(of_distro("k0s", server, make_node("m", "agent", "10.0.0.2")))
    assert [fault.partition(":")[0] for fault in found] == ["nodes.n.labels", "nodes.n.taints"]
