"""The list of every distro's files, for releases that differ: compared with what was read and found right.

After a change that is meant: ``UPDATE_GOLDEN=1 pytest tests/mk8s/artifacts/test_golden_lists.py``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mk8s.artifacts.catalogue import list_release
from mk8s.artifacts.words import listed_as_data
from mk8s.distros.base import catalogue_names, load_catalogue
from mk8s.manifest import load_cluster_text

GOLDEN = Path(__file__).parent / "golden"
NODES = """\
nodes:
  - {name: srv-1, address: 10.0.0.1, role: server, primary: true}
  - {name: srv-2, address: 10.0.0.2, role: server}
  - {name: agent-1, address: 10.0.0.11, role: agent}
  - {name: agent-2, address: 10.0.0.12, role: agent, arch: arm64}
"""
ADDED = "images: [ghcr.io/shop/web:1.4]\n"
LISTS = {
    "rke2-v1.18.20-before-zst": "distro: rke2\nversion: v1.18.20+rke2r1\n",
    "rke2-v1.28.3-cilium-and-multus": (
        "distro: rke2\nversion: v1.28.3+rke2r2\nconfig: {servers: {cni: [multus, cilium]}}\n"
    ),
    "rke2-v1.33.4-script": (
        "distro: rke2\nversion: v1.33.4+rke2r1\ninstall_method: script\n"
        f"config: {{servers: {{ingress-controller: traefik}}}}\n{ADDED}"
    ),
    "rke2-v1.36.3-gz-and-nginx": (
        "distro: rke2\nversion: v1.36.3+rke2r1\nconfig: {servers: {ingress-controller: ingress-nginx}}\n"
        "artifacts: {images: {name: rke2-images.linux-amd64.tar.gz}}\n"
    ),
    "k3s-v1.25.12-before-zst": "distro: k3s\nversion: v1.25.12+k3s1\n",
    "k3s-v1.33.4-script": f"distro: k3s\nversion: v1.33.4+k3s1\ninstall_method: script\n{ADDED}",
    "k3s-v1.36.1-gz": (
        "distro: k3s\nversion: v1.36.1+k3s1\nartifacts: {images: {name: k3s-airgap-images-amd64.tar.gz}}\n"
    ),
    "k0s-v1.27.16-without-hashes": "distro: k0s\nversion: v1.27.16+k0s.0\n",
    "k0s-v1.33.4": f"distro: k0s\nversion: v1.33.4+k0s.0\n{ADDED}",
    "k0s-v1.36.3-renamed-bundle": "distro: k0s\nversion: v1.36.3+k0s.2\n",
    "kubeadm-v1.20.15": "distro: kubeadm\nversion: v1.20.15\n",
    "kubeadm-v1.23.4-registry-unsure": "distro: kubeadm\nversion: v1.23.4\n",
    "kubeadm-v1.32.3-added": (
        "distro: kubeadm\nversion: v1.32.3\nendpoint: 10.0.0.100\n"
        "images: [ghcr.io/shop/web:1.4, registry.example/mine/etcd:3.5.24-0]\n"
        "kube_vip: {interface: eth0, image: 'ghcr.io/kube-vip/kube-vip:v0.8.0'}\n"
        "smoke_image: busybox:1.36\ncomponents: {containerd: 1.7.27}\n"
    ),
    "vanilla-v1.20.15": "distro: vanilla\nversion: v1.20.15\n",
    "vanilla-v1.36.1-mirrored": (
        "distro: vanilla\nversion: v1.36.1\ncomponents: {etcd: v3.6.6, cni-plugins: 1.6.2}\n"
        "mirrors: {'*': 'https://mirror.example/all', 'https://dl.k8s.io': 'file:///srv/k8s'}\n"
        "artifacts:\n  runc: {url: 'https://other.example/runc', checksum: " + "ab" * 32 + "}\n"
    ),
}


def the_list(text: str) -> str:
    """The data of `--output json`, one file or image a line."""
    place = Path("/srv/clusters/shop.yaml")
    loaded = load_cluster_text(text + NODES, place, operator="anna", distros=catalogue_names())
    catalogue = load_catalogue(loaded.cluster.distro)
    assert catalogue.faults(loaded.cluster) == []
    data = listed_as_data(list_release(loaded.cluster, catalogue), loaded.cluster)
    lines = [f" {json.dumps(key)}: {_value(value)}" for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: object) -> str:
    if not isinstance(value, list) or not value or isinstance(value[0], str):
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n ]"


@pytest.mark.parametrize("name", LISTS)
def test_the_list_is_the_one_that_was_found_right(name: str) -> None:
    """URLs, hashes, nodes and places of every file, of a cluster with two architectures."""
    text, golden = the_list(LISTS[name]), GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")

    assert text == golden.read_text(encoding="utf-8")


def test_a_golden_file_is_the_list_of_a_test() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == sorted(LISTS)
