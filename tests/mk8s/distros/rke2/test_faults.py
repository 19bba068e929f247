"""What a manifest asks for in vain is said before any node is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.cluster import ArtifactSource
from mk8s.distros.rke2 import DISTRO
from tests.mk8s.distros.situations import make_cluster, make_node


def faults(
    primary: Any = "", server: Any = "", agent: Any = "", version: str = "v1.33.4+rke2r1", **more: Any
) -> list[str]:
    return DISTRO.faults(
        make_cluster(
            make_node("srv-1", "primary", "10.0.0.11", primary),
            make_node("srv-2", "server", "10.0.0.12", server),
            make_node("agent-1", "agent", "10.0.0.21", agent),
            version=version,
            **more,
        )
    )


@pytest.mark.parametrize(
    "version", ["v1.18.20+rke2r1", "v1.20.15+rke2r1", "v1.28.3+rke2r2", "v1.36.3+rke2r1"]
)
def test_a_plain_manifest_has_no_fault_in_any_release(version: str) -> None:
    assert faults(version=version) == []


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no RKE2 version": (
        {"version": "1.30"},
        "version: '1.30' is no RKE2 release; write one such as v1.33.4+rke2r1",
    ),
    "a list for a config": (
        {"agent": "- a"},
        "nodes.agent-1.config: not a mapping of settings, such as `cni: cilium`; "
        "see RKE2's configuration file reference",
    ),
    "the primary joins somebody": (
        {"primary": {"server": "https://x:9345"}},
        "nodes.srv-1.config.server: the first server joins nobody; "
        "leave `server` out, or make another node the primary",
    ),
    "an empty token": (
        {"primary": {"token": None}},
        "nodes.srv-1.config.token: is empty; give it a value or leave the line out",
    ),
    "two tokens": (
        {"primary": {"token": "one"}, "agent": {"token": "two"}},
        "nodes.agent-1.config.token: differs from the other nodes'; one cluster has one token",
    ),
    "a token that mk8s cannot know": (
        {"primary": {"token-file": "/t"}, "server": {"token-file": "/t"}},
        "nodes.agent-1.config: another node reads the token from a file on its host; "
        "give this node `token` or `token-file` too",
    ),
    "a reset in the config": (
        {"primary": {"cluster-reset": True}},
        "nodes.srv-1.config.cluster-reset: it would reset the cluster at every start; leave it out",
    ),
    "node ids": (
        {"agent": {"with-node-id": "true"}},
        "nodes.agent-1.config.with-node-id: mk8s asks the cluster for its nodes by name; "
        "give `node-name` instead",
    ),
    "servers that differ": (
        {"primary": {"cluster-cidr": "10.0.0.0/16"}},
        "nodes.srv-2.config.cluster-cidr: differs from srv-1's: absent, not '10.0.0.0/16'; "
        "`cluster-cidr` must be the same on all servers",
    ),
    "a secret that differs is not shown": (
        {"primary": {"agent-token": "hush"}},
        "nodes.srv-2.config.agent-token: differs from srv-1's; `agent-token` must be the same on all servers",
    ),
    "a misspelt network": (
        {"primary": {"cni": "celium"}, "server": {"cni": "celium"}},
        "nodes.srv-1.config.cni: 'celium' is not in v1.33.4+rke2r1; did you mean cilium?",
    ),
    "two networks": (
        {"primary": {"cni": "calico,cilium"}, "server": {"cni": ["calico", "cilium"]}},
        "nodes.srv-1.config.cni: calico, cilium exclude each other; name one, after multus",
    ),
    "multus alone": (
        {"primary": {"cni": "multus"}, "server": {"cni": "multus"}},
        "nodes.srv-1.config.cni: multus needs a plugin beside it; name one, after multus",
    ),
    "a network before its time": (
        {"primary": {"cni": "flannel"}, "server": {"cni": "flannel"}, "version": "v1.26.13+rke2r1"},
        "nodes.srv-1.config.cni: 'flannel' is not in v1.26.13+rke2r1; "
        "it has canal, cilium, none, calico, multus",
    ),
    "an ingress before its time": (
        {"primary": {"ingress-controller": "traefik"}, "version": "v1.29.9+rke2r1"},
        "nodes.srv-1.config.ingress-controller: 'traefik' is not in v1.29.9+rke2r1; "
        "it has none, ingress-nginx",
    ),
    "a datastore before its time": (
        {
            "primary": {"datastore-endpoint": "x"},
            "server": {"datastore-endpoint": "x"},
            "version": "v1.24.17+rke2r1",
        },
        "nodes.srv-1.config.datastore-endpoint: v1.24.17+rke2r1 ignores it; "
        "it is read from v1.27.13, v1.28.9, v1.29.4 and v1.30.0 on",
    ),
    "a name that is none": (
        {"agent": {"node-name": "Agent_1"}},
        "nodes.agent-1.config.node-name: 'Agent_1' is no lower-case DNS name; use a-z, 0-9 and -",
    ),
    "one name for two": (
        {"server": {"node-name": "a"}, "agent": {"node-name": "a"}},
        "nodes.agent-1.config.node-name: 'a' is also srv-2's; every node needs its own",
    ),
    "a profile before its time": (
        {"primary": {"profile": "cis"}, "version": "v1.24.17+rke2r1"},
        "nodes.srv-1.config.profile: 'cis' is not in v1.24.17+rke2r1; it has cis-1.5, cis-1.6",
    ),
    "a setting of K3s'": (
        {"primary": {"flannel-backend": "host-gw"}},
        "nodes.srv-1.config.flannel-backend: RKE2 has no such setting; write `cni: flannel` where the "
        "release has it; tune it with a HelmChartConfig in `manifests`",
    ),
    "a part by K3s' name": (
        {"primary": {"disable": ["metrics-server"]}},
        "nodes.srv-1.config.disable: metrics-server is K3s' name; write rke2-metrics-server",
    ),
    "a file of K3s'": (
        {"artifacts": {"images": ArtifactSource(name="k3s-airgap-images-amd64.tar.zst")}},
        "artifacts.images.name: 'k3s-airgap-images-amd64.tar.zst' is no file of RKE2's release; "
        "leave the entry out, or name the file that takes its place",
    ),
    "half of an etcd server": (
        {"server": {"disable-apiserver": True}},
        "nodes.srv-2.config.disable-apiserver: a member of etcd alone needs disable-controller-manager, "
        "disable-scheduler too; add them",
    ),
    "a first server without etcd": (
        {"primary": {"disable-etcd": True}},
        "nodes.srv-1.config.disable-etcd: the first server begins the cluster's etcd; "
        "make a server that has etcd the primary",
    ),
    "an isolated control plane": (
        {"control_plane": "isolated"},
        "control_plane: its servers always run a kubelet; write `control_plane: tainted`",
    ),
    "taints in two places": (
        {"primary": {"node-taint": ["a=b:NoSchedule"]}, "control_plane": "tainted"},
        "nodes.srv-1.config.node-taint: stands beside the manifest's `taints or control_plane`; "
        "write all in one place",
    ),
    "manifests of one name": (
        {"manifests": (Path("/a/web.yaml"), Path("/b/web.yaml"))},
        "manifests: 2 files are called web.yaml, and all go into one folder; rename them",
    ),
    "the port of K3s": (
        {"agent": {"server": "https://10.0.0.11:6443"}},
        "nodes.agent-1.config.server: RKE2 registers nodes at port 9345; "
        "correct the port, or leave `server` out: mk8s writes it",
    ),
    "a mirror before its time": (
        {
            "primary": {"embedded-registry": True},
            "server": {"embedded-registry": True},
            "version": "v1.26.12+rke2r1",
        },
        "nodes.srv-1.config.embedded-registry: is not in v1.26.12+rke2r1; "
        "it is from v1.26.13, v1.27.10, v1.28.6 and v1.29.1 on",
    ),
    "names in /etc/hosts": (
        {"hosts_entries": True},
        "hosts_entries: has no meaning for rke2; "
        "its nodes find each other by address; write /etc/hosts yourself where you need it",
    ),
    "swap": (
        {"swap": "disable"},
        "swap: has no meaning for rke2; its kubelet runs with swap in any case; leave the key out",
    ),
    "a misspelt artifact": (
        {"artifacts": {"checksum": ArtifactSource(name="x")}},
        "artifacts.checksum: RKE2 needs no such file here; did you mean checksums?",
    ),
    "a list of images": (
        {"artifacts": {"images": ArtifactSource(name="rke2-images.linux-amd64.txt")}},
        "artifacts.images.name: 'rke2-images.linux-amd64.txt' is no image archive; "
        "RKE2 reads .tar, .tar.lz4, .tar.bz2, .tbz, .tar.gz, .tgz, .tar.zst, .tzst",
    ),
}


@pytest.mark.parametrize(("manifest", "expected"), CASES.values(), ids=CASES)
def test_a_fault_names_the_place_the_mistake_and_the_way_out(manifest: dict[str, Any], expected: str) -> None:
    assert expected in faults(**manifest)


def test_a_nodes_inner_address_belongs_into_its_config() -> None:
    """RKE2 reads `node-ip` itself."""
    moved = replace(make_node("srv-1", "primary", "srv-1.example"), node_ip="10.0.0.11")

    assert DISTRO.faults(make_cluster(moved)) == [
        "nodes.srv-1.node_ip: has no meaning for rke2; "
        "write `node-ip: 10.0.0.11` into the node's `config` instead"
    ]


def test_all_faults_come_at_once() -> None:
    """Nobody corrects a manifest one error at a time."""
    found = faults(primary={"server": "https://x:9345"}, server="- a", version="latest")

    assert [fault.split(":")[0] for fault in found] == [
        "version",
        "nodes.srv-2.config",
        "nodes.srv-1.config.server",
    ]


def test_the_same_token_in_long_and_short_form_is_one_token() -> None:
    full = f"K10{'0' * 64}::server:secret"

    assert faults(primary={"token": "secret"}, server={"token": full}, agent={"token": full}) == []
