"""What kubeadm is given to read: golden files for the versions that differ, and each API version's own rules.

After a wanted change run with UPDATE_GOLDEN=1, and read the difference before it is committed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mk8s.cluster import Network
from mk8s.distros.base import Situation
from mk8s.distros.kubeadm.config import api_version, cluster_config, init_config, join_config
from tests.mk8s.distros.kubeadm.clusters import KEY, TOKEN, VERSIONS, a_cluster, situation_of
from tests.mk8s.distros.situations import make_node

GOLDEN = Path(__file__).parents[1] / "golden" / "kubeadm"
WAYS = {"init": "srv-1", "join-server": "srv-2", "join-agent": "agent-1"}

# The fields of each document by API version, from kubeadm's reference. What is new is in the later set only.
INIT = {"apiVersion", "kind", "bootstrapTokens", "certificateKey", "localAPIEndpoint", "nodeRegistration"}
CLUSTER = {
    "apiVersion", "kind", "kubernetesVersion", "controlPlaneEndpoint", "imageRepository", "networking",
    "apiServer", "controllerManager", "scheduler", "etcd", "dns", "certificatesDir", "clusterName",
    "featureGates",
}  # fmt: skip
JOIN = {"apiVersion", "kind", "discovery", "nodeRegistration", "controlPlane", "caCertPath"}
FIELDS: Mapping[str, Mapping[str, set[str]]] = {
    "v1beta2": {"InitConfiguration": INIT, "ClusterConfiguration": CLUSTER, "JoinConfiguration": JOIN},
    "v1beta3": {
        "InitConfiguration": INIT | {"skipPhases", "patches"},
        "ClusterConfiguration": CLUSTER,
        "JoinConfiguration": JOIN | {"skipPhases", "patches"},
    },
    "v1beta4": {
        "InitConfiguration": INIT | {"skipPhases", "patches", "timeouts"},
        "ClusterConfiguration": CLUSTER
        | {"proxy", "certificateValidityPeriod", "caCertificateValidityPeriod", "encryptionAlgorithm"},
        "JoinConfiguration": JOIN | {"skipPhases", "patches", "timeouts"},
    },
}
REGISTRATION = {"name", "criSocket", "taints", "kubeletExtraArgs", "ignorePreflightErrors"}
API_SERVER = {"certSANs", "extraArgs", "extraVolumes"}


def test_which_api_version_belongs_to_which_release() -> None:
    """v1beta2 until 1.21, v1beta3 until 1.30, v1beta4 from 1.31 on: each is readable by its releases."""
    releases = ("v1.20.2", "v1.21.0", "v1.22.0", "v1.30.9", "v1.31.0", "v1.36.1")

    found = [api_version(a_cluster(version)) for version in releases]

    assert found == ["v1beta2", "v1beta2", "v1beta3", "v1beta3", "v1beta4", "v1beta4"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", WAYS)
def test_the_config_is_the_one_that_was_read(version: str, way: str) -> None:
    """Every document of every way into a cluster, for each version that renders otherwise."""
    golden = GOLDEN / f"{version}-{way}.yaml"
    rendered = _config(situation_of(a_cluster(version), WAYS[way])).decode()
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered, encoding="utf-8")

    assert rendered == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["srv-1", "srv-2", "agent-1"])
def test_each_document_has_only_fields_of_its_api_version(version: str, name: str) -> None:
    """The rules of the API, held against everything that can be rendered of a node."""
    cluster = a_cluster(version, swap="allow", endpoint="api.example.org")

    rendered = _documents(_config(situation_of(cluster, name, cgroup="v1", resolv_conf="/run/resolv.conf")))

    assert [trouble for document in rendered for trouble in _strange(document)] == []


def _config(s: Situation) -> bytes:
    return init_config(s) if s.node.role == "primary" else join_config(s)


def _documents(content: bytes) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(content))


def _document(content: bytes, kind: str) -> dict[str, Any]:
    return next(document for document in _documents(content) if document["kind"] == kind)


def _strange(document: Mapping[str, Any]) -> Iterator[str]:
    """What this document may not have."""
    group, _, api = document["apiVersion"].partition("/")
    if group != "kubeadm.k8s.io":
        return
    yield from (name for name in document if name not in FIELDS[api][document["kind"]])
    registration = REGISTRATION | ({"imagePullPolicy"} if api != "v1beta2" else set())
    registration |= {"imagePullSerial"} if api == "v1beta4" else set()
    yield from (name for name in document.get("nodeRegistration", {}) if name not in registration)
    server = API_SERVER | (set() if api == "v1beta4" else {"timeoutForControlPlane"})
    yield from (name for name in document.get("apiServer", {}) if name not in server)
    if api == "v1beta4" and "timeout" in document.get("discovery", {}):
        yield "discovery.timeout"
    yield from _wrong_arguments(document, list if api == "v1beta4" else dict)


def _wrong_arguments(value: Any, form: type) -> Iterator[str]:
    """Arguments in the other API's form, or with values that are no text."""
    if isinstance(value, list):
        for item in value:
            yield from _wrong_arguments(item, form)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("extraArgs", "kubeletExtraArgs"):
                words = inner.values() if form is dict else [item["value"] for item in inner]
                if type(inner) is not form or not all(isinstance(word, str) for word in words):
                    yield name
            yield from _wrong_arguments(inner, form)


def test_the_endpoint_is_always_set() -> None:
    """It cannot be added later, so even one server alone has one."""
    alone = a_cluster(nodes=(make_node("srv-1", "primary", "10.0.0.11"),))

    rendered = _document(init_config(situation_of(alone)), "ClusterConfiguration")

    assert rendered["controlPlaneEndpoint"] == "10.0.0.11:6443"


def test_the_certificate_has_every_name_of_every_server() -> None:
    """Whoever calls a server by its name, its address, the endpoint or from the host itself is answered."""
    cluster = a_cluster(endpoint="api.example.org")

    rendered = _document(init_config(situation_of(cluster)), "ClusterConfiguration")

    assert rendered["apiServer"]["certSANs"] == [
        "api.example.org", "10.0.0.11", "srv-1", "10.0.0.12", "srv-2", "127.0.0.1", "localhost"
    ]  # fmt: skip


def test_the_users_names_are_added_to_the_certificates() -> None:
    """A list of names that replaced ours would lock the nodes out."""
    given = {"ClusterConfiguration": {"apiServer": {"certSANs": ["shop.example.org", "localhost"]}}}

    rendered = _document(init_config(situation_of(a_cluster(config=given))), "ClusterConfiguration")

    assert rendered["apiServer"]["certSANs"][-3:] == ["127.0.0.1", "localhost", "shop.example.org"]


def test_only_servers_without_agents_run_pods() -> None:
    """kubeadm's taint stays where there is anybody else to run pods."""
    alone = a_cluster(nodes=(make_node("srv-1", "primary", "10.0.0.11"),))

    with_agent = _document(init_config(situation_of(a_cluster())), "InitConfiguration")
    without = _document(init_config(situation_of(alone)), "InitConfiguration")

    assert "taints" not in with_agent["nodeRegistration"]
    assert without["nodeRegistration"]["taints"] == []


@pytest.mark.parametrize(("version", "form"), [("v1.30.1", dict), ("v1.31.0", list)])
def test_arguments_take_the_form_of_the_api(version: str, form: type) -> None:
    """Whichever form the user wrote, kubeadm gets its own; our arguments and the user's are both in it."""
    by_list = {"extraArgs": [{"name": "v", "value": 2}]}
    by_mapping = {"extraArgs": {"bind-address": "0.0.0.0", "profiling": False}}
    given = {"ClusterConfiguration": {"controllerManager": by_list, "scheduler": by_mapping}}

    rendered = _document(init_config(situation_of(a_cluster(version, given))), "ClusterConfiguration")

    expected = [("allocate-node-cidrs", "false"), ("v", "2")]
    assert _pairs(rendered["controllerManager"]["extraArgs"], form) == expected
    assert _pairs(rendered["scheduler"]["extraArgs"], form)[-1] == ("profiling", "false")


def _pairs(arguments: Any, form: type[Any]) -> list[tuple[str, str]]:
    if type(arguments) is not form:
        return []
    return list(arguments.items()) if form is dict else [(a["name"], a["value"]) for a in arguments]


def test_the_users_fields_are_laid_over_ours() -> None:
    """A field of a mapping is merged, any other value replaces ours, and what is ours beside it stays."""
    given = {
        "KubeletConfiguration": {"maxPods": 200},
        "InitConfiguration": {"nodeRegistration": {"kubeletExtraArgs": {"node-labels": "zone=a"}}},
    }

    rendered = init_config(situation_of(a_cluster("v1.29.14", given)))

    kubelet = _document(rendered, "KubeletConfiguration")
    registration = _document(rendered, "InitConfiguration")["nodeRegistration"]
    assert (kubelet["maxPods"], kubelet["cgroupDriver"]) == (200, "systemd")
    assert registration["kubeletExtraArgs"] == {"node-ip": "10.0.0.11", "node-labels": "zone=a"}


@pytest.mark.parametrize(("version", "allowed"), [("v1.34.2", False), ("v1.36.1", True)])
def test_cgroup_v1_is_allowed_where_the_kubelet_would_refuse_it(version: str, allowed: bool) -> None:
    """From 1.35 on a kubelet does not start on cgroup v1 unless told: by config, and by flag."""
    cluster = a_cluster(version)

    first = init_config(situation_of(cluster, cgroup="v1"))
    other = _document(join_config(situation_of(cluster, "agent-1", cgroup="v1")), "JoinConfiguration")

    assert (_document(first, "KubeletConfiguration").get("failCgroupV1") is False) == allowed
    flags = {flag["name"]: flag["value"] for flag in other["nodeRegistration"]["kubeletExtraArgs"]}
    assert (flags.get("fail-cgroupv1") == "false") == allowed


def test_swap_that_is_allowed_is_allowed_everywhere() -> None:
    """By the kubelet, and by kubeadm's own check on every node."""
    cluster = a_cluster(swap="allow")

    first, other = init_config(situation_of(cluster)), join_config(situation_of(cluster, "agent-1"))

    assert _document(first, "KubeletConfiguration")["failSwapOn"] is False
    for content, kind in ((first, "InitConfiguration"), (other, "JoinConfiguration")):
        assert _document(content, kind)["nodeRegistration"]["ignorePreflightErrors"] == ["Swap"]


def test_the_cluster_config_has_no_secret() -> None:
    """It lies on every node for as long as the node lives."""
    content = cluster_config(situation_of(a_cluster()))

    assert TOKEN.encode() not in content
    assert KEY.encode() not in content


def test_a_network_of_the_users_gets_pod_networks_from_kubernetes() -> None:
    """Only the built-in network has its own way to give each node its part."""
    rendered = _document(
        init_config(situation_of(a_cluster(network=Network(cni="none")))), "ClusterConfiguration"
    )

    assert "controllerManager" not in rendered
