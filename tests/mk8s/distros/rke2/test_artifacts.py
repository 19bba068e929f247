"""Which files of a release a manifest needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest

from mk8s.cluster import ArtifactSource
from mk8s.distros.releases import has
from mk8s.distros.rke2 import DISTRO
from mk8s.distros.rke2.artifacts import archives
from mk8s.distros.rke2.versions import DATASTORE_ENDPOINT, UNIT_NOTIFIES, parse_version
from tests.mk8s.distros.situations import make_cluster, make_node, situation

BASE = ["sha256sum-amd64.txt", "rke2.linux-amd64.tar.gz"]


def files(config: Mapping[str, Any], version: str = "v1.33.4+rke2r1") -> list[str]:
    cluster = make_cluster(make_node("srv-1", "primary", "10.0.0.11", config), version=version)
    return [item.file for item in DISTRO.artifacts(cluster)][2:]


@pytest.mark.parametrize(
    ("config", "version", "expected"),
    [
        ({}, "v1.33.4+rke2r1", ["rke2-images.linux-amd64.tar.zst"]),
        ({"cni": "canal"}, "v1.33.4+rke2r1", ["rke2-images.linux-amd64.tar.zst"]),
        ({"cni": "none"}, "v1.33.4+rke2r1", ["rke2-images-core.linux-amd64.tar.zst"]),
        (
            {"cni": "cilium"},
            "v1.33.4+rke2r1",
            ["rke2-images-core.linux-amd64.tar.zst", "rke2-images-cilium.linux-amd64.tar.zst"],
        ),
        (
            {"cni": ["calico", "multus"]},
            "v1.33.4+rke2r1",
            [
                "rke2-images-core.linux-amd64.tar.zst",
                "rke2-images-multus.linux-amd64.tar.zst",
                "rke2-images-calico.linux-amd64.tar.zst",
            ],
        ),
        (
            {"ingress-controller": "traefik"},
            "v1.33.4+rke2r1",
            ["rke2-images.linux-amd64.tar.zst", "rke2-images-traefik.linux-amd64.tar.zst"],
        ),
        ({"ingress-controller": "traefik"}, "v1.36.0+rke2r1", ["rke2-images.linux-amd64.tar.zst"]),
        (
            {"ingress-controller": "ingress-nginx"},
            "v1.36.0+rke2r1",
            ["rke2-images.linux-amd64.tar.zst", "rke2-images-ingress-nginx.linux-amd64.tar.zst"],
        ),
        ({}, "v1.18.20+rke2r1", ["rke2-images.linux-amd64.tar.gz"]),
    ],
)
def test_the_images_follow_the_network_the_ingress_and_the_release(
    config: Mapping[str, Any], version: str, expected: list[str]
) -> None:
    """Core, multus first, one plugin; the complete file for canal; zst and variants where they exist."""
    assert files(config, version) == expected


def test_the_original_ids_name_the_files() -> None:
    """A manifest of the original format overrides by these ids."""
    cluster = make_cluster(install_method="script")

    found = {item.id: item.file for item in DISTRO.artifacts(cluster)}

    assert found == {
        "checksums": "sha256sum-amd64.txt",
        "binary": "rke2.linux-amd64.tar.gz",
        "installScript": "install.sh",
        "images": "rke2-images.linux-amd64.tar.zst",
    }


def test_the_manifest_may_name_a_file_otherwise() -> None:
    cluster = make_cluster(artifacts={"images": ArtifactSource(name="rke2-images.linux-amd64.tar.gz")})

    assert [item.file for item in DISTRO.artifacts(cluster)] == [*BASE, "rke2-images.linux-amd64.tar.gz"]


def test_the_manifest_may_add_image_archives() -> None:
    """Whatever else begins with `images` is placed beside RKE2's own, on every node."""
    cluster = make_cluster(artifacts={"imagesShop": ArtifactSource(name="shop.tar")})

    placed = archives(situation(cluster, cluster.nodes[2], DISTRO))

    assert [str(archive.target) for archive in placed] == [
        "/var/lib/rancher/rke2/agent/images/rke2-images.linux-amd64.tar.zst",
        "/var/lib/rancher/rke2/agent/images/shop.tar",
    ]


def test_an_added_archive_with_one_of_rke2s_own_names_comes_from_the_release() -> None:
    """Images of clouds are files of the release that no config names; RKE2's packaging scripts name them."""
    name = "rke2-images-vsphere.linux-amd64.tar.zst"
    cluster = make_cluster(artifacts={"imagesVsphere": ArtifactSource(name=name)})

    (added,) = [item for item in DISTRO.artifacts(cluster) if item.file == name]

    folder = "https://github.com/rancher/rke2/releases/download/v1.33.4%2Brke2r1"
    assert (added.origin.url, added.origin.checksums_url) == (
        f"{folder}/{name}",
        f"{folder}/sha256sum-amd64.txt",
    )
    assert added.origin.destination == f"/var/lib/rancher/rke2/agent/images/{name}"


def test_a_mixed_cluster_needs_both_architectures_and_each_node_gets_its_own() -> None:
    primary = make_node("srv-1", "primary", "10.0.0.11")
    agent = make_node("agent-1", "agent", "10.0.0.21", arch="arm64")
    cluster = make_cluster(primary, agent)

    assert {item.id: item.file for item in DISTRO.artifacts(cluster)} == {
        "checksums": "sha256sum-amd64.txt",
        "binary": "rke2.linux-amd64.tar.gz",
        "images": "rke2-images.linux-amd64.tar.zst",
        "checksums-arm64": "sha256sum-arm64.txt",
        "binary-arm64": "rke2.linux-arm64.tar.gz",
        "images-arm64": "rke2-images.linux-arm64.tar.zst",
    }
    assert [a.file.path.name for a in archives(situation(cluster, agent, DISTRO))] == [
        "rke2-images.linux-arm64.tar.zst"
    ]


def test_images_lie_where_the_engine_of_this_node_looks() -> None:
    """`data-dir` moves nearly everything."""
    node = make_node("srv-1", "primary", "10.0.0.11", {"data-dir": "/data/rke2/"})

    placed = archives(situation(make_cluster(node), node, DISTRO))

    assert placed[0].target.parent == PurePosixPath("/data/rke2/agent/images")


def test_checksum_files_are_read_in_every_form_in_use() -> None:
    """Two spaces, the binary marker, a leading ./; everything else is passed over."""
    digest = "ab" * 32
    text = f"# no hash\n{digest}  a.tar\n{digest} *b.tar\r\n{digest}  ./c.tar\n{digest}\nabc  d.tar\n"

    assert DISTRO.checksums(text) == {"a.tar": digest, "b.tar": digest, "c.tar": digest}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.27.12+rke2r1", False),
        ("v1.27.13+rke2r1", True),
        ("v1.26.99+rke2r1", False),
        ("v1.31.0-rc2+rke2r1", True),
    ],
)
def test_a_table_dates_a_change_by_minor_release(version: str, expected: bool) -> None:
    release = parse_version(version)

    assert release is not None
    assert has(release, DATASTORE_ENDPOINT) is expected


def test_a_minor_between_two_dated_ones_does_not_have_it() -> None:
    release = parse_version("v1.20.15+rke2r2")

    assert release is not None
    assert not has(release, UNIT_NOTIFIES)


@pytest.mark.parametrize(
    "text", ["1.33.4+rke2r1", "v1.33.4", "v1.33.4+k3s1", "v1.33+rke2r1", "v1.33.4+rke2r1 ", ""]
)
def test_anything_else_is_no_version(text: str) -> None:
    assert parse_version(text) is None
