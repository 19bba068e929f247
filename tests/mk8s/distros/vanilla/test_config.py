"""Every small file of a vanilla node: golden files for the versions that differ, and the rules behind them.

After a wanted change run with UPDATE_GOLDEN=1, and read the difference before it is committed.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from mk8s.cluster import Balancer, Network
from mk8s.distros.base import Situation
from mk8s.distros.vanilla import flags
from mk8s.distros.vanilla.files import folders, made_of, rendered
from mk8s.distros.vanilla.paths import ETCD_CLUSTER, config_of, unit_path
from tests.mk8s.distros.situations import make_node
from tests.mk8s.distros.vanilla.clusters import (
    VERSIONS,
    a_cluster,
    every_situation,
    five,
    grown,
    situation_of,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "vanilla"
WAYS = {
    "primary": lambda version: situation_of(a_cluster(version)),
    "joining-server": lambda version: grown(a_cluster(version), "srv-2"),
    "agent": lambda version: situation_of(a_cluster(version), "agent-1"),
}

# What a release's own flag parser would refuse: first minor that lacks the flag, or that has the field.
GONE = {
    "kube-apiserver": {"insecure-port": 24},
    "kube-controller-manager": {"port": 24},
    "kubelet": {
        "container-runtime": 27, "network-plugin": 24, "cni-conf-dir": 24, "cni-bin-dir": 24,
        "pod-infra-container-image": 35,
    },
}  # fmt: skip
FIELD_SINCE = {"containerRuntimeEndpoint": 27, "registerWithTaints": 23, "failCgroupV1": 31}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", WAYS)
def test_the_files_are_the_ones_that_were_read(version: str, way: str) -> None:
    """Every file of every way into a cluster, its mode, and its content, for each version."""
    golden = GOLDEN / f"{version}-{way}.txt"
    text = "\n".join(_shown(WAYS[way](version))) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")

    assert text == golden.read_text(encoding="utf-8")


def _shown(s: Situation) -> Iterator[str]:
    for step in folders(s):
        yield f"folder {' '.join(step.command.args).strip()}"
    for file in rendered(s):
        yield f"== {file.mode:o} {file.target}{' secret' if file.secret else ''}"
        yield file.content.decode().rstrip("\n")


def test_a_file_with_a_key_in_it_is_roots_alone() -> None:
    """Mode 0600 and never shown; whatever else there is has no key."""
    for s in every_situation():
        secrets = [pair.private for pair in s.kept.pairs.values()] + [s.kept.words["encryption-key"].encode()]
        secrets += [base64.b64encode(secret) for secret in secrets]
        for file in rendered(s):
            holds = any(secret in file.content for secret in secrets)
            assert file.secret == (file.mode == 0o600)
            assert file.secret or not holds, file.target


def test_keys_of_authorities_go_no_further_than_they_must() -> None:
    """An agent has no authority's key; a server has the one that its controller manager signs with."""
    names = {
        name: {str(file.target) for file in rendered(situation_of(five(), name))}
        for name in ("srv-2", "agent-1")
    }

    assert {path for path in names["srv-2"] if path.endswith("ca.key")} == {"/etc/kubernetes/pki/ca.key"}
    assert {path for path in names["agent-1"] if path.endswith(".key")} == {"/etc/kubernetes/pki/kubelet.key"}


@pytest.mark.parametrize("version", VERSIONS)
def test_no_flag_and_no_field_is_unknown_to_the_release(version: str) -> None:
    """One unknown flag, and a component does not start."""
    minor = int(version.split(".")[1])
    s = situation_of(a_cluster(version), cgroup="v1")

    for component, gone in GONE.items():
        given = flags.RENDERED[component](s)
        assert [name for name, since in gone.items() if name in given and minor >= since] == []
    fields = _config(s, "kubelet")
    assert [name for name, since in FIELD_SINCE.items() if name in fields and minor < since] == []


@pytest.mark.parametrize(
    ("version", "runtime", "plugin"), [("v1.20.2", True, True), ("v1.24.17", False, False)]
)
def test_old_kubelets_are_told_of_containerd_by_flags(version: str, runtime: bool, plugin: bool) -> None:
    """Up to 1.23 a kubelet would use Docker and no network plugin otherwise."""
    given = flags.kubelet(situation_of(a_cluster(version)))

    assert ("container-runtime" in given, "network-plugin" in given) == (runtime, plugin)


@pytest.mark.parametrize(
    ("version", "api"),
    [("v1.20.2", "v1beta1"), ("v1.22.0", "v1beta1"), ("v1.23.0", "v1beta3"), ("v1.24.1", "v1beta3"),
     ("v1.25.0", "v1"), ("v1.36.1", "v1")],
)  # fmt: skip
def test_which_scheduler_configuration_belongs_to_which_release(version: str, api: str) -> None:
    assert _config(situation_of(a_cluster(version)), "kube-scheduler")["apiVersion"].endswith(f"/{api}")


@pytest.mark.parametrize("version", ["v1.22.9", "v1.23.0"])
def test_servers_take_only_their_own_pods_where_there_are_agents(version: str) -> None:
    """The taint is a flag until 1.22, and a field from 1.23 on."""

    def tainted(s: Situation) -> bool:
        return "register-with-taints" in flags.kubelet(s) or "registerWithTaints" in _config(s, "kubelet")

    alone = a_cluster(version, nodes=(make_node("srv-1", "primary", "10.0.0.11"),))

    assert tainted(situation_of(a_cluster(version)))
    assert not tainted(situation_of(alone))
    assert not tainted(situation_of(a_cluster(version), "agent-1"))


def test_only_founders_begin_a_cluster_of_their_own() -> None:
    """A server of a later run asks the cluster first: the file is made on the node then."""
    cluster = five()
    written = {
        name: next(
            (file.content for file in rendered(grown(cluster, name)) if file.target == ETCD_CLUSTER), None
        )
        for name in ("srv-1", "srv-2")
    }

    assert (
        written["srv-1"]
        == b"ETCD_INITIAL_CLUSTER=srv-1=https://10.0.0.11:2380\nETCD_INITIAL_CLUSTER_STATE=new\n"
    )
    assert written["srv-2"] is None


def test_growth_changes_no_file_that_a_running_unit_reads() -> None:
    """Else the servers that are there would be started anew."""
    small = a_cluster(
        nodes=(make_node("srv-1", "primary", "10.0.0.11"), make_node("a", "agent", "10.0.0.21"))
    )
    before, after = situation_of(small), grown(five(), "srv-1")

    old = {file.target: file.content for file in rendered(before)}

    for component in flags.components(before):
        assert made_of(before, component) == made_of(after, component)
        read = set(made_of(before, component))
        assert [
            file.target
            for file in rendered(after)
            if file.target in read and file.content != old[file.target]
        ] == []


def test_a_unit_is_made_of_all_that_it_names() -> None:
    """So a key or a setting that changed starts it anew; what etcd reads but once does not."""
    found = {str(path) for path in made_of(situation_of(five()), "kubelet")}
    etcd = made_of(situation_of(five()), "etcd")

    assert found == {
        "/usr/local/bin/kubelet",
        "/etc/systemd/system/kubelet.service",
        "/etc/kubernetes/config/kubelet.yaml",
        "/etc/kubernetes/kubelet.conf",
        "/etc/kubernetes/pki/ca.crt",
        "/etc/kubernetes/pki/kubelet.crt",
        "/etc/kubernetes/pki/kubelet.key",
    }
    assert ETCD_CLUSTER not in etcd
    assert PurePosixPath("/etc/kubernetes/pki/etcd/server.key") in etcd


def test_the_users_settings_are_laid_over_ours() -> None:
    """Flags by name, fields of mappings within; what stands beside them stays."""
    config = {
        "kube-apiserver": {
            "feature-gates": {"A": True, "B": False},
            "enable-admission-plugins": ["NodeRestriction", "X"],
        },
        "kubelet": {"maxPods": 200, "evictionHard": {"memory.available": "5%"}},
        "kube-proxy": {"conntrack": {"maxPerCore": 0}},
    }
    s = situation_of(a_cluster(config=config))

    line = flags.command_line(s, "kube-apiserver")

    assert "--feature-gates=A=true,B=false" in line
    assert "--enable-admission-plugins=NodeRestriction,X" in line
    assert (_config(s, "kubelet")["maxPods"], _config(s, "kubelet")["cgroupDriver"]) == (200, "systemd")
    assert _config(s, "kube-proxy")["conntrack"] == {"maxPerCore": 0}


def test_a_unit_file_keeps_what_systemd_would_read_otherwise() -> None:
    """``%`` and ``$`` mean something in a unit; spaces part words."""
    s = situation_of(a_cluster(config={"etcd": {"log-outputs": "a b%c$d"}}))

    unit = next(file.content.decode() for file in rendered(s) if file.target == unit_path("etcd"))

    assert '"--log-outputs=a b%%c$$d"' in unit


def test_cgroup_v1_is_allowed_only_where_the_host_has_it() -> None:
    """From 1.35 on a kubelet refuses it by default."""
    fields = [
        _config(situation_of(a_cluster(version), cgroup=cgroup), "kubelet").get("failCgroupV1")
        for version, cgroup in (("v1.36.1", "v1"), ("v1.36.1", "v2"), ("v1.34.0", "v1"))
    ]

    assert fields == [False, None, None]


def test_the_kubelet_hands_on_real_name_servers() -> None:
    """systemd-resolved's stub is on the loopback, which is another one inside a pod."""
    s = situation_of(a_cluster(), resolv_conf="/run/systemd/resolve/resolv.conf")

    assert _config(s, "kubelet")["resolvConf"] == "/run/systemd/resolve/resolv.conf"


def test_a_network_of_the_users_gets_pod_networks_from_kubernetes() -> None:
    """Only the built-in network has its own way to give each node its part."""
    found = [
        flags.controller_manager(situation_of(a_cluster(network=Network(cni=cni))))["allocate-node-cidrs"]
        for cni in ("bridge", "none")
    ]

    assert found == ["false", "true"]


def test_kube_vip_holds_the_endpoint() -> None:
    """A static pod on every server, and the endpoint in the kubeconfigs of all nodes."""
    vip = Balancer("kube-vip", "eth1", "ghcr.io/kube-vip/kube-vip:v0.8.0")
    s = situation_of(a_cluster(endpoint="10.0.0.100", balancer=vip), "srv-2")

    files = {str(file.target): file.content.decode() for file in rendered(s)}

    assert "10.0.0.100" in files["/etc/kubernetes/manifests/kube-vip.yaml"]
    assert "https://10.0.0.100:6443" in files["/etc/kubernetes/kubelet.conf"]
    assert _config(s, "kubelet")["staticPodPath"] == "/etc/kubernetes/manifests"


def _config(s: Situation, component: str) -> dict[str, Any]:
    content = next(file.content for file in rendered(s) if file.target == config_of(component))
    loaded: dict[str, Any] = yaml.safe_load(content)
    return loaded
