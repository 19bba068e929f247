"""What releases of k3s and k0s consist of, where their versions and manifests differ."""

from __future__ import annotations

from typing import Any

import pytest

from mk8s.cluster import ArtifactSource, Cluster
from mk8s.distros.base import ArtifactItem, load_catalogue
from mk8s.distros.k0s import artifacts as k0s
from mk8s.distros.k3s import artifacts as k3s
from tests.mk8s.distros.situations import make_cluster, make_node

K3S, K0S = "v1.33.4+k3s1", "v1.33.4+k0s.0"


def mixed(version: str, **more: Any) -> Cluster:
    return make_cluster(
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("agent-1", "agent", "10.0.0.21", arch="arm64"),
        version=version,
        **more,
    )


def by_id(items: list[ArtifactItem]) -> dict[str, str]:
    return {item.id: item.file for item in items}


def test_only_the_program_of_amd64_has_no_suffix() -> None:
    assert by_id(k3s.artifact_items(mixed(K3S))) == {
        "checksums": "sha256sum-amd64.txt",
        "binary": "k3s",
        "images": "k3s-airgap-images-amd64.tar.zst",
        "checksums-arm64": "sha256sum-arm64.txt",
        "binary-arm64": "k3s-arm64",
        "images-arm64": "k3s-airgap-images-arm64.tar.zst",
    }


def test_the_install_script_comes_only_where_it_is_wanted() -> None:
    """It is one for all architectures."""
    script = by_id(k3s.artifact_items(mixed(K3S, install_method="script")))
    assert [id_ for id_ in script if id_.startswith("install")] == ["installScript"]


@pytest.mark.parametrize(
    ("version", "bundle"),
    [
        ("v1.35.7+k0s.0", "k0s-airgap-bundle-v1.35.7+k0s.0-arm64"),
        ("v1.36.0+k0s.0", "k0s-airgap-bundle-v1.36.0+k0s.0-linux-arm64.tar"),
    ],
)
def test_k0s_renamed_its_bundle_with_v1_36(version: str, bundle: str) -> None:
    assert by_id(k0s.artifact_items(mixed(version)))["images-arm64"] == bundle


@pytest.mark.parametrize(
    ("version", "listed"),
    [
        ("v1.27.16+k0s.0", False),
        ("v1.28.1+k0s.0", False),
        ("v1.28.2+k0s.0", True),
        ("v1.29.0+k0s.0", True),
    ],
)
def test_k0s_publishes_hashes_from_v1_28_2_on(version: str, listed: bool) -> None:
    items = k0s.artifact_items(mixed(version))

    assert ("checksums" in by_id(items)) is listed
    assert all(bool(item.origin.checksums_url) is listed for item in items if item.id != "checksums")


def test_a_plus_is_escaped_in_urls_and_kept_in_names() -> None:
    binary = next(item for item in k0s.artifact_items(mixed(K0S)) if item.id == "binary")

    assert binary.file == "k0s-v1.33.4+k0s.0-amd64"
    assert binary.origin.url == (
        "https://github.com/k0sproject/k0s/releases/download/v1.33.4%2Bk0s.0/k0s-v1.33.4%2Bk0s.0-amd64"
    )


def test_images_lie_where_the_engine_of_this_cluster_looks() -> None:
    node = make_node("srv-1", "primary", "10.0.0.11", {"data-dir": "/data/k3s"})
    items = k3s.artifact_items(make_cluster(node, version=K3S))

    assert items[-1].origin.destination == "/data/k3s/agent/images/k3s-airgap-images-amd64.tar.zst"


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("k3s-airgap-images-amd64.tar", "k3s-airgap-images-amd64.tar"),
        ("x.tar.zst", "k3s-airgap-images-amd64.tar.zst"),
    ],
)
def test_another_form_of_the_images_is_chosen_by_its_name(name: str, published: str) -> None:
    """Any other name is the manifest's own for the usual file."""
    items = k3s.artifact_items(mixed(K3S, artifacts={"images": ArtifactSource(name=name)}))
    images = next(item for item in items if item.id == "images")

    assert (images.file, images.origin.url.rpartition("/")[2]) == (name, published)


def test_the_manifests_images_get_an_archive_for_each_architecture() -> None:
    items = k3s.artifact_items(mixed(K3S, images=("ghcr.io/shop/web:1",)))
    added = {item.file: item.origin.images for item in items if item.id.startswith("imagesAdded")}

    assert added == {
        "images-added-linux-amd64.tar": ("ghcr.io/shop/web:1",),
        "images-added-linux-arm64.tar": ("ghcr.io/shop/web:1",),
    }


@pytest.mark.parametrize(
    ("distro", "config", "secrets"),
    [
        ("k3s", {"token": "hush", "node-label": ["a=b"]}, ["hush"]),
        ("k0s", {"spec": {"storage": {"kine": {"dataSource": "mysql://a:hush@b"}}}}, ["mysql://a:hush@b"]),
        (
            "k0s",
            {
                "spec": {
                    "network": {
                        "controlPlaneLoadBalancing": {"keepalived": {"vrrpInstances": [{"authPass": "hush"}]}}
                    }
                }
            },
            ["hush"],
        ),
        ("k0s", {"spec": "odd"}, []),
    ],
)
def test_secrets_of_a_config_are_known(distro: str, config: dict[str, object], secrets: list[str]) -> None:
    """They are taken out of a bundle."""
    assert load_catalogue(distro).secrets_in(config) == secrets


@pytest.mark.parametrize("distro", ["k3s", "k0s"])
def test_a_version_of_another_distro_is_a_fault(distro: str) -> None:
    (fault,) = load_catalogue(distro).faults(make_cluster(version="v1.33.4+rke2r1"))
    assert fault.startswith(f"version: 'v1.33.4+rke2r1' is no {'K3s' if distro == 'k3s' else 'k0s'} release")
