"""What a manifest asks of K3s in vain is said before any node is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import ArtifactSource, Datastore
from mk8s.distros.base import load_distro
from mk8s.distros.k3s import DISTRO
from mk8s.distros.k3s.engine import K3S
from tests.mk8s.distros.k3s.made import VERSION, k3s
from tests.mk8s.distros.situations import make_cluster, make_node


def faults(
    primary: Any = "", server: Any = "", agent: Any = "", version: str = VERSION, **more: Any
) -> list[str]:
    return DISTRO.faults(
        k3s(
            make_node("srv-1", "primary", "10.0.0.11", primary),
            make_node("srv-2", "server", "10.0.0.12", server),
            make_node("agent-1", "agent", "10.0.0.21", agent),
            version=version,
            **more,
        )
    )


@pytest.mark.parametrize("version", ["v1.18.20+k3s1", "v1.22.2+k3s2", "v1.28.3+k3s2", "v1.36.3+k3s1"])
def test_a_plain_manifest_has_no_fault_in_any_release(version: str) -> None:
    assert faults(version=version) == []


POSTGRES = Datastore("postgres://k3s@10.0.0.5:5432/k3s", "DB_PASSWORD")
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "RKE2's version": (
        {"version": "v1.33.4+rke2r1"},
        "version: 'v1.33.4+rke2r1' is no K3s release; write one such as v1.33.4+k3s1",
    ),
    "several servers on SQLite": (
        {"primary": {"cluster-init": False}},
        "nodes.srv-1.config.cluster-init: without etcd there can be one server only; "
        "leave it out, or give a `datastore`",
    ),
    "a second beginning": (
        {"server": {"cluster-init": True}},
        "nodes.srv-2.config.cluster-init: only the first server begins the cluster; leave it out: "
        "mk8s gives it to the first server by itself",
    ),
    "etcd beside a datastore": (
        {"primary": {"cluster-init": True}, "datastore": POSTGRES},
        "nodes.srv-1.config.cluster-init: the datastore takes the place of etcd; leave one of the two out",
    ),
    "another port": (
        {"primary": {"https-listen-port": 7443}},
        "nodes.srv-1.config.https-listen-port: mk8s registers nodes at 6443; leave it out",
    ),
    "a part by RKE2's name": (
        {"primary": {"disable": ["rke2-coredns"]}},
        "nodes.srv-1.config.disable: rke2-coredns is RKE2's name; write coredns",
    ),
    "a part that K3s does not bring": (
        {"primary": {"disable": "rke2-snapshot-controller"}},
        "nodes.srv-1.config.disable: rke2-snapshot-controller is RKE2's name; "
        "K3s does not bring it; leave it out",
    ),
    "servers that differ": (
        {"primary": {"flannel-backend": "host-gw"}},
        "nodes.srv-2.config.flannel-backend: differs from srv-1's: absent, not 'host-gw'; "
        "`flannel-backend` must be the same on all servers",
    ),
    "a drop-in that is never read": (
        {"drop": {"shop.yml": "debug: true"}},
        "drop_ins.shop.yml: K3s reads files that end in .yaml; name it so",
    ),
    "a drop-in that is no mapping": (
        {"drop": {"shop.yaml": "- a"}},
        "drop_ins.shop.yaml: is no mapping of settings; write such as `debug: true`",
    ),
    "a datastore twice": (
        {
            "primary": {"datastore-endpoint": "x"},
            "server": {"datastore-endpoint": "x"},
            "datastore": POSTGRES,
        },
        "nodes.srv-1.config.datastore-endpoint: stands beside `datastore`; leave one of the two out",
    ),
    "a way of installing for nothing": (
        {"artifacts_mode": "preinstalled", "install_method": "script"},
        "install_method: nothing is installed where artifacts are preinstalled; leave one out",
    ),
}


@pytest.mark.parametrize(("manifest", "expected"), CASES.values(), ids=CASES)
def test_a_fault_names_the_place_the_mistake_and_the_way_out(manifest: dict[str, Any], expected: str) -> None:
    drop = manifest.pop("drop", None) if "drop" in manifest else None
    if drop:
        node = replace(make_node("srv-1", "primary", "10.0.0.11"), drop_ins=drop)
        assert expected in DISTRO.faults(k3s(node))
    else:
        assert expected in faults(**manifest)


def test_a_setting_in_a_drop_in_counts_as_one_of_the_config() -> None:
    """The engine reads both as one."""
    node = replace(make_node("srv-1", "primary", "10.0.0.11"), drop_ins={"90.yaml": "cni: cilium\n"})

    assert [fault.partition(":")[0] for fault in DISTRO.faults(k3s(node))] == ["nodes.srv-1.config.cni"]


FROM_RKE2: dict[str, Any] = {
    "cni": "cilium",
    "ingress-controller": "traefik",
    "profile": "cis",
    "kube-apiserver-extra-mount": ["/a:/a"],
    "etcd-extra-env": ["A=b"],
    "kube-proxy-image": "x",
    "kubelet-path": "/x",
    "control-plane-resource-requests": "x",
    "audit-policy-file": "/p",
    "disable": ["rke2-metrics-server"],
    "tls-san": ["vip.example"],
    "node-label": ["a=b"],
    "write-kubeconfig-mode": "0640",
    "kubelet-arg": ["max-pods=200"],
    "etcd-snapshot-retention": 9,
    "selinux": True,
}
KNOWN = (
    "tls-san",
    "node-label",
    "write-kubeconfig-mode",
    "kubelet-arg",
    "etcd-snapshot-retention",
    "selinux",
)


def test_a_manifest_of_rke2_is_told_exactly_which_keys_mean_nothing_here() -> None:
    """`distro` and `version` were changed, and nothing else."""
    found = faults(
        FROM_RKE2,
        FROM_RKE2,
        {"server": "https://10.0.0.11:9345"},
        artifacts={
            "binary": ArtifactSource(name="rke2.linux-amd64.tar.gz"),
            "imagesCilium": ArtifactSource(name="rke2-images-cilium.linux-amd64.tar.zst"),
        },
    )
    named = {fault.partition(": ")[0] for fault in found}

    assert named == {
        *(
            f"nodes.{node}.config.{key}"
            for node in ("srv-1", "srv-2")
            for key in FROM_RKE2.keys() - set(KNOWN)
        ),
        "nodes.agent-1.config.server",
        "artifacts.binary.name",
        "artifacts.imagesCilium.name",
    }
    assert all("; " in fault for fault in found)


def test_a_manifest_of_rke2_without_such_keys_just_works() -> None:
    given = {key: FROM_RKE2[key] for key in KNOWN}

    assert faults(given, given) == []


def test_each_key_of_the_sister_says_what_to_write_instead() -> None:
    assert [key.name for key in K3S.foreign_keys if not key.instead] == []


def test_nats_is_k3s_alone() -> None:
    """kine speaks it in both; only K3s' documentation names it."""
    nats = Datastore("nats://user@nats.example:4222")

    assert faults(datastore=nats) == []
    assert any(
        "rke2 knows no nats" in fault for fault in load_distro("rke2").faults(make_cluster(datastore=nats))
    )


def test_the_load_balancer_for_services_is_on_all_servers_or_on_none() -> None:
    """K3s' documentation names it among what must be equal; other parts may differ."""
    some = {"disable": ["servicelb", "traefik"]}

    (fault,) = faults(primary=some, server={"disable": "traefik"})
    assert fault.startswith("nodes.srv-1.config.disable: only srv-1 of 2 servers leave servicelb out")
    assert (
        faults(primary=some, server={"disable": "servicelb"}) == faults(primary={"disable": "traefik"}) == []
    )
