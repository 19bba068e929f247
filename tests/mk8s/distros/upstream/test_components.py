"""Which versions of upstream's programs belong to a Kubernetes, and where they are published."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mk8s.distros.upstream.components import COMPONENTS, ROWS, origin, version_of
from tests.mk8s.distros.upstream.made import cluster, with_arm

DOCS = Path(__file__).resolve().parents[4] / "docs" / "artifacts.md"


@pytest.mark.parametrize(
    ("version", "containerd", "etcd", "crictl"),
    [
        ("v1.20.2", "1.4.12", "3.4.18", "1.20.0"),
        ("v1.23.1", "1.4.13", "3.4.18", "1.23.0"),
        ("v1.29.0", "1.7.22", "3.5.13", "1.29.0"),
        ("v1.36.3", "2.3.3", "3.6.14", "1.36.0"),
    ],
)
def test_versions_follow_the_minor_release(version: str, containerd: str, etcd: str, crictl: str) -> None:
    """A minor without a row of its own takes the one before it."""
    of = cluster(version=version)
    assert [version_of(of, name) for name in ("containerd", "etcd", "crictl")] == [containerd, etcd, crictl]


def test_the_manifests_version_wins() -> None:
    of = cluster(components={"runc": "1.3.0"})
    assert origin(of, "runc", "amd64").url.endswith("/v1.3.0/runc.amd64")


def test_before_arm_was_published_a_cluster_with_it_gets_what_was() -> None:
    """One version for all its nodes."""
    assert [version_of(with_arm(), name) for name in ("containerd", "runc", "etcd")] == [
        "1.6.21", "1.1.9", "3.4.18"
    ]  # fmt: skip


def test_kubernetes_own_programs_have_its_version() -> None:
    found = origin(cluster(version="v1.33.4"), "kubelet", "arm64")

    assert found.url == "https://dl.k8s.io/release/v1.33.4/bin/linux/arm64/kubelet"
    assert found.checksums_url == f"{found.url}.sha256"


@pytest.mark.parametrize(
    ("kind", "hashes"),
    [
        ("containerd", "containerd-2.0.5-linux-amd64.tar.gz.sha256sum"),
        ("runc", "runc.sha256sum"),
        ("cni-plugins", "cni-plugins-linux-amd64-v1.6.2.tgz.sha256"),
        ("crictl", "crictl-v1.33.0-linux-amd64.tar.gz.sha256"),
        ("etcd", "SHA256SUMS"),
    ],
)
def test_each_project_names_its_hashes_in_its_own_way(kind: str, hashes: str) -> None:
    found = origin(cluster(version="v1.33.4"), kind, "amd64")

    assert found.checksums_url.rpartition("/")[2] == hashes
    assert found.checksums_url.startswith(found.url.rpartition("/")[0])


def test_no_component_is_without_a_version() -> None:
    assert all(version_of(cluster(), name) for name in COMPONENTS)


def test_the_documentation_has_the_table() -> None:
    rows = re.findall(
        r"^\| v1\.(\d+) \| (\S+) \| (\S+) \| (\S+) \| RKE2", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    )
    known = {20 if minor == 0 else minor: tuple(row) for minor, row in ROWS.items()}
    assert {int(minor): tuple(row) for minor, *row in rows} == known
