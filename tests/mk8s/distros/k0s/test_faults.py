"""What a manifest asks of k0s in vain, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.cluster import ArtifactSource, Balancer, Cluster, ControlPlane, Datastore, Node
from mk8s.distros.k0s import DISTRO
from tests.mk8s.distros.k0s.clusters import BY_HAND, CLUSTERS, SERVERS, five, k0s, one
from tests.mk8s.distros.situations import make_node

AGENT = make_node("agent-1", "agent", "10.0.0.21")


def faults(cluster: Cluster) -> list[str]:
    return DISTRO.faults(cluster)


def given(config: dict[str, Any], **more: Any) -> Cluster:
    """Two servers with this config, and an agent."""
    return k0s(*(make_node(n.name, n.role, n.address, config) for n in SERVERS[:2]), AGENT, **more)


def spec(**below: Any) -> dict[str, Any]:
    return {"spec": below}


def arguments(*words: str, version: str = "v1.33.4+k0s.0", node: Node = AGENT) -> Cluster:
    mine = replace(node, arguments=words)
    return k0s(*([mine] if node.is_server else [SERVERS[0], mine]), version=version)


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_a_sound_manifest_has_none(cluster: Cluster) -> None:
    assert faults(cluster) == []


NETWORK = "config.spec.network"

EACH: dict[str, tuple[Cluster, str]] = {
    "another distro's version": (
        five("v1.33.4+rke2r1"),
        "version: 'v1.33.4+rke2r1' is no k0s release; write one such as v1.33.4+k0s.0",
    ),
    "a config of another kind": (
        given({"kind": "Cluster"}),
        "nodes.srv-1.config.kind: 'Cluster' is no config of k0s; "
        "write `kind: ClusterConfig`, or leave it out",
    ),
    "a config of another group": (
        given({"apiVersion": "k0sctl.k0sproject.io/v1beta1"}),
        "nodes.srv-1.config.apiVersion: 'k0sctl.k0sproject.io/v1beta1' is no config of k0s; "
        "write `apiVersion: k0s.k0sproject.io/v1beta1`, or leave it out",
    ),
    "a spec that is no mapping": (
        given({"spec": ["api"]}),
        "nodes.srv-1.config.spec: is no mapping; see k0s' documentation of its configuration",
    ),
    "controllers that differ": (
        k0s(
            SERVERS[0],
            make_node("srv-2", "server", "10.0.0.12", spec(network={"provider": "calico"})),
            AGENT,
        ),
        "nodes.srv-2.config.spec: differs from srv-1's; "
        "a ClusterConfig is the same on all controllers but for their own addresses",
    ),
    "a worker's own config": (
        k0s(SERVERS[0], make_node("agent-1", "agent", "10.0.0.21", spec(telemetry={"enabled": True}))),
        "nodes.agent-1.config: k0s' workers read no config; write `labels`, `taints` or `arguments`, or "
        "`spec.workerProfiles` into the servers' config and `--profile=NAME` into `arguments`",
    ),
    "an API that the loopback does not reach": (
        given(spec(api={"onlyBindToAddress": True})),
        "nodes.srv-1.config.spec.api.onlyBindToAddress: mk8s asks at the loopback; leave it out",
    ),
    "another port": (
        given(spec(api={"port": 7443})),
        "nodes.srv-1.config.spec.api.port: mk8s knows only 6443 so far; leave it out",
    ),
    "components": (
        five(components={"containerd": "2.0.0"}),
        "components: has no meaning for k0s; a release of k0s has containerd, runc and etcd in it; "
        "choose them by its `version`",
    ),
    "its script": (
        five(install_method="script"),
        "install_method: has no meaning for k0s; k0s is one program, and its script only fetches that; "
        "leave it out",
    ),
    "a virtual address before there was one": (
        k0s(version="v1.29.9+k0s.0", endpoint="10.0.0.100", balancer=Balancer("cplb")),
        "endpoint.by: v1.29.9+k0s.0 has no cplb; take v1.30.0 or later, or `by: external`",
    ),
    "virtual servers beside workers": (
        given(
            spec(network={"controlPlaneLoadBalancing": {"keepalived": {"virtualServers": [{"ip": "x"}]}}}),
            control_plane="tainted",
        ),
        f"{NETWORK}.controlPlaneLoadBalancing.keepalived.virtualServers: do not go with workers on "
        "controllers; leave them out, or write `control_plane: isolated`",
    ),
    "workers that balance before they could": (
        k0s(version="v1.25.5+k0s.0", balancer=Balancer(node_local=True)),
        "endpoint.node_local: v1.25.5+k0s.0 has none; take v1.26.0 or later",
    ),
    "workers that balance beside an external address": (
        given(spec(api={"externalAddress": "lb.example"}), balancer=Balancer(node_local=True)),
        "endpoint.node_local: does not go with an external address; leave out `spec.api.externalAddress`, or "
        "give `endpoint` with `by: cplb` and `node_local: true`",
    ),
    "a list of names that lacks the endpoint": (
        given(spec(api={"sans": ["a.example"]}), endpoint="b.example"),
        "nodes.srv-1.config.spec.api.sans: lacks b.example; add it, or leave the list to mk8s",
    ),
    "two endpoints": (
        given(spec(api={"externalAddress": "a.example"}), endpoint="b.example"),
        "config.spec.api.externalAddress: contradicts `endpoint`; leave one of the two out",
    ),
    "a file for several controllers": (
        given(spec(storage={"type": "kine"})),
        "config.spec.storage.kine: several controllers cannot share a file; "
        "give `datastore`, or leave `storage` out for etcd",
    ),
    "two datastores": (
        given(
            spec(storage={"kine": {"dataSource": "mysql://u:p@tcp(db)/k"}}),
            datastore=Datastore("postgres://u@db:5432/k"),
        ),
        "nodes.srv-1.config.spec.storage.kine.dataSource: stands beside `datastore`; "
        "leave one of the two out",
    ),
    "another etcd before k0s could": (
        k0s(version="v1.23.4+k0s.0", datastore=Datastore("https://e:2379")),
        "datastore: v1.23.4+k0s.0 knows no etcd but its own; take v1.23.5 or later",
    ),
    "certificates for a database": (
        five(datastore=Datastore("postgres://u@db:5432/k", None, Path("ca.crt"))),
        "datastore: k0s gives no certificates to kine, which asks databases; write where they lie on the "
        "servers into the endpoint, as the database's own parameters (postgres: ?sslrootcert=/path)",
    ),
    "a single process that others join": (
        k0s(replace(SERVERS[0], arguments=("--single",)), AGENT),
        "nodes.srv-1.arguments: --single makes a cluster that nobody can join; leave it out, "
        "or be its only node",
    ),
    "servers without a taint before that could be said": (
        k0s(version="v1.22.3+k0s.0", control_plane="schedulable"),
        "control_plane: v1.22.3+k0s.0 taints its servers always; take v1.23.1, or write `tainted`",
    ),
    "nobody that runs pods": (
        one(control_plane="isolated"),
        "control_plane: isolated servers run no pods, and no node is an agent; write `schedulable`",
    ),
    "labels of a node that is none": (
        k0s(replace(SERVERS[0], labels={"a": "b"}), AGENT),
        "nodes.srv-1.labels: an isolated server is no Node of the cluster, so it has none; "
        "leave them out, or write `control_plane: tainted`",
    ),
    "a word that has a key of its own": (
        arguments("--labels=a=b"),
        "nodes.agent-1.arguments: --labels is not for here; write `labels`",
    ),
    "a controller's word for a worker": (
        arguments("--disable-components=metrics-server"),
        "nodes.agent-1.arguments: --disable-components is a controller's; leave it out",
    ),
    "data in no place": (
        arguments("--data-dir", "data"),
        "nodes.agent-1.arguments: --data-dir is no absolute path; write --data-dir=/data/k0s",
    ),
    "drop-ins before they were read": (
        k0s(SERVERS[0], replace(AGENT, drop_ins={"a.toml": ""}), version="v1.27.0+k0s.0"),
        "drop_ins.a.toml: v1.27.0+k0s.0 reads no drop-ins for containerd; take v1.27.1 or later",
    ),
    "a drop-in where no containerd runs": (
        k0s(replace(SERVERS[0], drop_ins={"a.toml": ""}), AGENT),
        "drop_ins.a.toml: is containerd's, and these servers run none; give it to `agents`, or leave it out",
    ),
    "a drop-in of another name": (
        k0s(SERVERS[0], replace(AGENT, drop_ins={"a.yaml": ""})),
        "drop_ins.a.yaml: k0s reads containerd's files NAME.toml from /etc/k0s/containerd.d; "
        "choose another name",
    ),
    "a compressed archive": (
        five(artifacts={"images": ArtifactSource(name="k0s-images.tar.zst")}),
        "artifacts.images.name: 'k0s-images.tar.zst' is compressed, and k0s imports plain tar only; "
        "unpack it first",
    ),
    "a file that is not needed": (
        five(artifacts={"binry": ArtifactSource(name="x")}),
        "artifacts.binry: k0s needs no such file here; did you mean binary?",
    ),
    "a server's key beside another control plane": (
        k0s(AGENT, joins=ControlPlane("10.9.9.9", "T"), datastore=Datastore("https://e:2379")),
        "datastore: has no meaning beside `join`; it is the existing control plane's to say; leave it out",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cluster", "expected"), EACH.values(), ids=EACH)
def test_each_fault_names_the_place_the_reason_and_what_to_do(cluster: Cluster, expected: str) -> None:
    assert expected in faults(cluster)


OLD, NEW = "v1.35.7+k0s.0", "v1.36.1+k0s.0"


@pytest.mark.parametrize(
    ("version", "text", "told"),
    [
        (OLD, "version = 2\n", ""),
        (OLD, "version = 3\n", "is for containerd 2"),
        (OLD, "[plugins.'io.containerd.cri.v1.runtime']\n", "is for containerd 2"),
        (NEW, "version = 2\n", "is for containerd 1"),
        (NEW, "[plugins.'io.containerd.grpc.v1.cri'.containerd]\n", "is for containerd 1"),
        (NEW, "version = 3\n", ""),
    ],
)
def test_a_drop_in_has_the_form_of_the_releases_containerd(version: str, text: str, told: str) -> None:
    """With the older form k0s from v1.36 on does not start."""
    found = faults(k0s(SERVERS[0], replace(AGENT, drop_ins={"a.toml": text}), version=version))

    assert [told in fault for fault in found] == ([True] if told else [])


def test_addresses_may_differ_from_controller_to_controller_and_nothing_else() -> None:
    def config(address: str, source: str) -> dict[str, Any]:
        instance = {"virtualIPs": ["10.0.0.100/32"], "authPass": "x", "unicastSourceIP": source}
        balancing = {"enabled": True, "keepalived": {"vrrpInstances": [instance]}}
        return spec(
            api={"address": address},
            storage={"etcd": {"peerAddress": address}},
            network={"controlPlaneLoadBalancing": balancing},
        )

    cluster = k0s(
        make_node("srv-1", "primary", "10.0.0.11", config("10.0.0.11", "10.0.0.11")),
        make_node("srv-2", "server", "10.0.0.12", config("10.0.0.12", "10.0.0.12")),
        AGENT,
    )

    assert faults(cluster) == []


def test_a_shared_config_may_reach_workers_too() -> None:
    """`config.all` is meant for whoever reads it."""
    nodes = [make_node(node.name, node.role, node.address, BY_HAND) for node in (*SERVERS[:2], AGENT)]

    assert faults(k0s(*nodes)) == []


def test_a_manifest_of_another_distro_is_told_of_every_key_that_has_no_meaning() -> None:
    """Switched from RKE2 by `distro` and `version` alone: each key once, with what takes its place."""
    servers = {"cni": "cilium", "tls-san": ["a"], "token": "hush", "profile": "cis"}
    agents = {"node-label": ["a=b"], "token": "hush"}
    cluster = k0s(
        *(make_node(node.name, node.role, node.address, servers) for node in SERVERS[:2]),
        make_node("agent-1", "agent", "10.0.0.21", agents),
    )

    assert faults(cluster) == [
        "config.cni: has no meaning for k0s, whose config is a ClusterConfig; "
        "write `spec.network.provider`: kuberouter, calico or custom",
        "config.tls-san: has no meaning for k0s, whose config is a ClusterConfig; write `spec.api.sans`",
        "config.token: has no meaning for k0s, whose config is a ClusterConfig; "
        "leave it out: controllers make join tokens at the moment of use",
        "config.profile: has no meaning for k0s, whose config is a ClusterConfig; "
        "leave it out: k0s has no CIS profile",
        "nodes.agent-1.config.node-label: has no meaning for k0s, whose config is a ClusterConfig; "
        "write the nodes' `labels`",
    ]


def test_a_key_that_nobody_has_gets_the_one_that_comes_close() -> None:
    assert faults(given({"specs": {}}))[0].endswith("did you mean spec?")


def test_what_is_preinstalled_needs_no_files() -> None:
    assert [item.id for item in DISTRO.artifacts(five(artifacts_mode="preinstalled"))] == []
    assert [item.id for item in DISTRO.artifacts(five(artifacts_mode="preinstalled", images=("a/b:1",)))] == [
        "imagesAdded"
    ]


@pytest.mark.parametrize(
    ("way", "roles"),
    [(None, {"agent"}), ("isolated", {"agent"}), ("tainted", {"primary", "server", "agent"})],
)
def test_images_go_where_pods_run(way: str | None, roles: set[str]) -> None:
    images = next(item for item in DISTRO.artifacts(five(control_plane=way)) if item.id == "images")

    assert images.roles == roles
