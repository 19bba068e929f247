"""The modes that kubeadm and vanilla share: labels, taints, proxies, packages, and keys of other distros."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from mk8s.cluster import ArtifactSource, Balancer, Cluster, ControlPlane, Datastore, Proxy
from mk8s.distros.base import load_distro
from mk8s.distros.kubeadm import config
from mk8s.distros.vanilla import configs, flags
from mk8s.steps import Run, Upload, WriteFile
from tests.mk8s.distros.kubeadm.clusters import a_cluster as kubeadm_cluster
from tests.mk8s.distros.kubeadm.clusters import situation_of as kubeadm_situation
from tests.mk8s.distros.vanilla.clusters import a_cluster as vanilla_cluster
from tests.mk8s.distros.vanilla.clusters import situation_of as vanilla_situation

MAKERS = {"kubeadm": kubeadm_cluster, "vanilla": vanilla_cluster}
SITUATIONS = {"kubeadm": kubeadm_situation, "vanilla": vanilla_situation}
DISTROS = tuple(MAKERS)
GPU = ("gpu=yes:NoSchedule",)


def with_nodes(cluster: Cluster, **fields: Any) -> Cluster:
    """The same with these fields in every node."""
    return replace(cluster, nodes=tuple(replace(node, **fields) for node in cluster.nodes))


def registration(cluster: Cluster, name: str) -> dict[str, Any]:
    """What kubeadm is told of a node."""
    s = kubeadm_situation(cluster, name)
    text = config.init_config(s) if name == "srv-1" else config.join_config(s)
    return dict(next(iter(yaml.safe_load_all(text)))["nodeRegistration"])


def arguments(cluster: Cluster, name: str) -> dict[str, str]:
    return {item["name"]: item["value"] for item in registration(cluster, name)["kubeletExtraArgs"]}


# kubeadm


def test_kubeadm_taints_servers_by_itself_and_the_kubelet_begins_with_the_nodes_own() -> None:
    """Were kubeadm given any taint, it would leave its own out."""
    cluster = with_nodes(kubeadm_cluster(), taints=GPU, labels={"b": "2", "a": "1"})
    assert "taints" not in registration(cluster, "srv-1")
    assert arguments(cluster, "srv-1")["register-with-taints"] == "gpu=yes:NoSchedule"
    assert arguments(cluster, "srv-1")["node-labels"] == "a=1,b=2"


def test_kubeadm_gives_an_agent_its_taints() -> None:
    cluster = with_nodes(kubeadm_cluster(), taints=(*GPU, "x:NoExecute"))
    assert registration(cluster, "agent-1")["taints"] == [
        {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
        {"key": "x", "effect": "NoExecute"},
    ]
    assert "register-with-taints" not in arguments(cluster, "agent-1")


@pytest.mark.parametrize(
    ("way", "taints"), [("schedulable", []), ("tainted", "kubeadm's own"), (None, "kubeadm's own")]
)
def test_kubeadms_servers_are_tainted_as_the_manifest_says(way: Any, taints: object) -> None:
    cluster = kubeadm_cluster(control_plane=way)
    assert registration(cluster, "srv-1").get("taints", "kubeadm's own") == taints
    assert "taints" not in registration(cluster, "agent-1")


# vanilla


@pytest.mark.parametrize(("version", "in_config"), [("v1.22.17", False), ("v1.31.4", True)])
def test_vanillas_kubelet_begins_with_both_taints(version: str, in_config: bool) -> None:
    """The control plane's and the node's own; in the place that the release has for them."""
    s = vanilla_situation(with_nodes(vanilla_cluster(version), taints=GPU, labels={"a": "1"}))
    told = flags.kubelet(s)
    taints = configs.kubelet_fields(s).get("registerWithTaints")
    assert told["node-labels"] == "a=1"
    assert told.get("register-with-taints") == (
        None if in_config else "node-role.kubernetes.io/control-plane=:NoSchedule,gpu=yes:NoSchedule"
    )
    assert taints == (
        [
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
            {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
        ]
        if in_config
        else None
    )


def test_vanillas_servers_run_pods_where_the_manifest_says_so() -> None:
    s = vanilla_situation(vanilla_cluster(control_plane="schedulable"))
    assert "registerWithTaints" not in configs.kubelet_fields(s)


# Both


@pytest.mark.parametrize("distro", DISTROS)
def test_a_proxy_reaches_containerd_and_the_kubelet_before_they_start(distro: str) -> None:
    """And containerd is started anew when it changes."""
    cluster = with_nodes(MAKERS[distro](), proxy=Proxy(http="http://proxy.example:3128"))
    steps = load_distro(distro).bootstrap(SITUATIONS[distro](cluster))
    written = {str(step.target): step.content.decode() for step in steps if isinstance(step, WriteFile)}
    containerd, kubelet = (
        f"/etc/systemd/system/{unit}.service.d/50-mk8s-proxy.conf" for unit in ("containerd", "kubelet")
    )
    assert written[containerd] == written[kubelet]
    assert "10.244.0.0/16,10.96.0.0/16,.svc,.cluster.local" in written[kubelet]
    (start,) = [step for step in steps if isinstance(step, Run) and step.title == "start containerd"]
    assert containerd in start.command.args


@pytest.mark.parametrize("distro", DISTROS)
def test_packages_are_staged_and_installed_before_anything_else(distro: str) -> None:
    cluster = MAKERS[distro](
        artifacts={"packages": ArtifactSource("conntrack_1_amd64.deb", checksum="sha256:" + "0" * 64)}
    )
    s, driver = SITUATIONS[distro](cluster), load_distro(distro)
    assert [step.target.name for step in driver.stage(s) if isinstance(step, Upload)][-1] == (
        "conntrack_1_amd64.deb"
    )
    assert [step.title for step in driver.bootstrap(s)][:2] == [
        "the packages fit the host",
        "verify and install conntrack_1_amd64.deb",
    ]
    assert driver.faults(cluster) == []


@pytest.mark.parametrize("distro", DISTROS)
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"datastore": Datastore("postgres://u@h/d")}, "datastore"),
        ({"artifacts_mode": "preinstalled"}, "artifacts_mode"),
        ({"control_plane": "isolated"}, "control_plane"),
        ({"balancer": Balancer(node_local=True)}, "endpoint.node_local"),
        ({"balancer": Balancer("cplb"), "endpoint": "10.0.0.100"}, "endpoint.by"),
        ({"install_method": "script"}, "install_method"),
        ({"artifacts": {"packages": ArtifactSource("x.zip")}}, "artifacts.packages.name"),
    ],
)
def test_what_they_cannot_do_is_one_fault(distro: str, fields: dict[str, Any], path: str) -> None:
    (fault,) = load_distro(distro).faults(MAKERS[distro](**fields))
    assert fault.startswith(f"{path}: ")
    assert ";" in fault


@pytest.mark.parametrize("distro", DISTROS)
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"arguments": ("--debug",)}, "arguments"),
        ({"drop_ins": {"a.yaml": "b"}}, "drop_ins"),
        ({"labels": {"kubernetes.io/x": "1"}}, "nodes.srv-1.labels.kubernetes.io/x"),
        ({"proxy": Proxy(http="x")}, "proxy.http"),
    ],
)
def test_what_a_node_has_in_vain_is_a_fault(distro: str, fields: dict[str, Any], path: str) -> None:
    fault = load_distro(distro).faults(with_nodes(MAKERS[distro](), **fields))[0]
    assert fault.startswith(f"{path}: ")


@pytest.mark.parametrize("distro", DISTROS)
def test_agents_alone_are_refused_in_one_sentence(distro: str) -> None:
    """Other rules would ask a server that is not there."""
    cluster = MAKERS[distro](joins=ControlPlane("10.0.0.9", "TOKEN"))
    (fault,) = load_distro(distro).faults(replace(cluster, nodes=cluster.agents))
    assert fault.startswith(f"join: has no meaning for {distro}; ")


def test_taints_are_given_in_one_place() -> None:
    """The other would be lost."""
    given: dict[str, Any] = {"InitConfiguration": {"nodeRegistration": {"taints": []}}}
    (fault,) = load_distro("kubeadm").faults(kubeadm_cluster(config=given, control_plane="tainted"))[:1]
    assert "InitConfiguration.nodeRegistration.taints: stands beside" in fault
    own = vanilla_cluster(config={"kubelet": {"registerWithTaints": []}}, control_plane="tainted")
    assert "kubelet.registerWithTaints: stands beside" in load_distro("vanilla").faults(own)[0]


def test_labels_are_given_in_one_place() -> None:
    given = {"JoinConfiguration": {"nodeRegistration": {"kubeletExtraArgs": {"node-labels": "a=1"}}}}
    faults = load_distro("kubeadm").faults(with_nodes(kubeadm_cluster(config=given), labels={"b": "2"}))
    assert all("kubeletExtraArgs.node-labels: stands beside the node's own" in fault for fault in faults)
    assert len(faults) == 3
