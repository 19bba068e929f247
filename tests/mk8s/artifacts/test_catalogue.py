"""What is told of a release before any of it is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.artifacts.catalogue import Artifact, Listed, images_in_manifests, list_release, release_items
from mk8s.artifacts.words import listed_as_data, listed_as_text
from mk8s.cluster import Cluster
from mk8s.distros.base import catalogue_names, load_catalogue
from mk8s.errors import ManifestError
from mk8s.manifest import load_cluster
from mk8s.project import load_listing
from mk8s.release import expected_hashes

NODES = "nodes:\n  - {name: srv-1, address: 10.0.0.1, role: server}\n"
AGENT = "  - {name: agent-1, address: 10.0.0.2, role: agent}\n"
ARM = "  - {name: arm-1, address: 10.0.0.3, role: agent, arch: arm64}\n"
PODS = """\
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{image: "ghcr.io/shop/init:1"}]
      containers: [{image: ghcr.io/shop/web:2}]
      volumes: [{image: {reference: ghcr.io/shop/model:3}}, {configMap: {name: x}}]
---
kind: Other
spec: {image: not/a/pod:1, containers: [{name: no-image}]}
"""


def made(folder: Path, text: str, nodes: str = NODES) -> Cluster:
    manifest = folder / "shop.yaml"
    manifest.write_text(text + nodes)
    return load_cluster(manifest, distros=catalogue_names()).cluster


def listed(cluster: Cluster) -> Listed:
    return list_release(cluster, load_catalogue(cluster.distro))


def one(cluster: Cluster, id_: str) -> Artifact:
    return next(artifact for artifact in listed(cluster).artifacts if artifact.id == id_)


def test_the_pods_of_the_users_manifests_go_into_the_archive(tmp_path: Path) -> None:
    """What is listed is what is fetched: `release_items` has them too."""
    (tmp_path / "pods.yaml").write_text(PODS)
    cluster = made(tmp_path, "distro: vanilla\nversion: v1.20.15\nmanifests: [pods.yaml]\n")

    (archive,) = [item for item in release_items(cluster, load_catalogue("vanilla")) if item.id == "images"]

    assert images_in_manifests(cluster) == archive.origin.images[-3:] == one(cluster, "images").images[-3:]
    wanted = {image.name: image.wanted_by for image in listed(cluster).images}
    assert wanted["ghcr.io/shop/web:2"] == "pods of pods.yaml"


def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text("a: [")
    cluster = made(tmp_path, "distro: vanilla\nversion: v1.20.15\nmanifests: [pods.yaml]\n")

    said = listed(cluster).unknown
    assert said == (f"{tmp_path}/pods.yaml: cannot be read as YAML, so its images are not known",)


def test_a_local_file_has_its_size_and_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text(PODS)
    cluster = made(tmp_path, "distro: kubeadm\nversion: v1.20.15\nmanifests: [pods.yaml]\n", NODES + AGENT)

    found = one(cluster, "manifest-0")

    assert (found.kind, found.size, found.url, found.nodes) == ("local", len(PODS), "", ("srv-1",))


def test_a_file_of_one_architecture_goes_to_nodes_of_it(tmp_path: Path) -> None:
    cluster = made(tmp_path, "distro: rke2\nversion: v1.33.4+rke2r1\n", NODES + AGENT + ARM)

    assert one(cluster, "images").nodes == ("srv-1", "agent-1")
    assert one(cluster, "images-arm64").nodes == ("arm-1",)
    assert one(cluster, "checksums-arm64").nodes == ()


def test_servers_files_are_not_for_agents(tmp_path: Path) -> None:
    cluster = made(tmp_path, "distro: vanilla\nversion: v1.33.4\n", NODES + AGENT)
    assert one(cluster, "etcd").nodes == ("srv-1",)


def test_k0s_controllers_get_images_only_where_they_must_run_pods(tmp_path: Path) -> None:
    text = "distro: k0s\nversion: v1.33.4+k0s.0\n"

    assert one(made(tmp_path, text, NODES + AGENT), "images").nodes == ("agent-1",)
    assert one(made(tmp_path, text), "images").nodes == ("srv-1",)


def test_the_manifests_url_and_hash_win(tmp_path: Path) -> None:
    digest = "cd" * 32
    cluster = made(
        tmp_path,
        "distro: k3s\nversion: v1.33.4+k3s1\nmirrors: {'*': 'https://m.example'}\n"
        f"artifacts: {{binary: {{url: 'file:///srv/k3s', checksum: {digest}}}}}\n",
    )

    binary, images = one(cluster, "binary"), one(cluster, "images")

    assert (binary.url, binary.sha256) == ("file:///srv/k3s", digest)
    assert binary.upstream.startswith("https://github.com/k3s-io/k3s/")
    assert images.url.startswith("https://m.example/github.com/k3s-io/k3s/")
    assert images.checksums_url.startswith("https://m.example/github.com/k3s-io/k3s/")


def test_an_archive_that_the_user_brings_has_no_url(tmp_path: Path) -> None:
    cluster = made(
        tmp_path, "distro: k3s\nversion: v1.33.4+k3s1\nartifacts: {imagesShop: {name: shop.tar}}\n"
    )
    found = one(cluster, "imagesShop")

    assert (found.kind, found.url, found.nodes) == ("local", "", ("srv-1",))
    assert found.destination == "/var/lib/rancher/k3s/agent/images/shop.tar"


def test_an_archive_of_images_with_a_url_is_a_file(tmp_path: Path) -> None:
    """Then it is not put together here."""
    cluster = made(
        tmp_path,
        "distro: kubeadm\nversion: v1.33.4\nartifacts: {images: {url: 'https://m.example/all.tar'}}\n",
    )
    found = one(cluster, "images")

    assert (found.kind, found.url, found.images, found.unknown) == (
        "file",
        "https://m.example/all.tar",
        (),
        "",
    )


def test_what_only_kubeadm_knows_is_said(tmp_path: Path) -> None:
    said = listed(made(tmp_path, "distro: kubeadm\nversion: v1.33.4\n")).unknown
    assert any(
        words.startswith("images: the tags of pause, etcd and coredns are asked of kubeadm") for words in said
    )


def test_a_file_without_a_published_hash_is_said(tmp_path: Path) -> None:
    """And the manifest's own hash makes it silent."""
    old = "distro: k0s\nversion: v1.27.16+k0s.0\n"
    given = old + f"artifacts: {{binary: {{checksum: {'ab' * 32}}}}}\n"

    assert any(
        "nobody publishes a hash of k0s-v1.27.16+k0s.0-amd64" in words for words in _unknown(tmp_path, old)
    )
    assert not any(words.startswith("binary: nobody") for words in _unknown(tmp_path, given))


def _unknown(folder: Path, text: str) -> tuple[str, ...]:
    return listed(made(folder, text)).unknown


def test_another_form_of_the_images_is_held_against_its_own_hash(tmp_path: Path) -> None:
    """Chosen by its name; a name that upstream does not know is still the usual file."""
    zst, gz = "ab" * 32, "cd" * 32
    text = "distro: rke2\nversion: v1.33.4+rke2r1\nartifacts_dir: .\nartifacts: {images: {name: NAME}}\n"
    (tmp_path / "sha256sum-amd64.txt").write_text(
        f"{zst}  rke2-images.linux-amd64.tar.zst\n{gz}  rke2-images.linux-amd64.tar.gz\n"
    )

    def expected(name: str) -> str:
        cluster = made(tmp_path, text.replace("NAME", name))
        rke2 = load_catalogue("rke2")
        return expected_hashes(cluster, rke2, rke2.artifacts(cluster))[name]

    assert (expected("rke2-images.linux-amd64.tar.gz"), expected("mine.tar.zst")) == (gz, zst)


def test_the_table_names_every_file_and_its_url(tmp_path: Path) -> None:
    cluster = made(tmp_path, "distro: rke2\nversion: v1.33.4+rke2r1\n", NODES + AGENT + ARM)
    found = listed(cluster)

    text = listed_as_text(found, cluster)

    assert text.splitlines()[0].split() == ["id", "file", "arch", "size", "checksum", "nodes", "goes", "to"]
    assert all(artifact.url in text and artifact.file in text for artifact in found.artifacts)


def test_the_table_shows_no_login_and_no_signature_of_a_url(tmp_path: Path) -> None:
    """It is what people paste into their tickets."""
    cluster = made(
        tmp_path,
        "distro: k3s\nversion: v1.33.4+k3s1\n"
        "artifacts: {binary: {url: 'https://me:hush-hush@m.example/k3s?sig=hush-hush'}}\n",
    )
    text = listed_as_text(listed(cluster), cluster)
    assert "https://m.example/k3s?…" in text
    assert "hush-hush" not in text


def test_the_data_says_which_form_it_has(tmp_path: Path) -> None:
    cluster = made(tmp_path, "distro: rke2\nversion: v1.33.4+rke2r1\n")
    data = listed_as_data(listed(cluster), cluster)

    assert (data["format"], data["distro"], data["architectures"]) == (1, "rke2", ["amd64"])
    assert {entry["id"]: entry["checksum"] for entry in data["artifacts"]} == {
        "checksums": "none", "binary": "published", "images": "published"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("distro", "version"), [("k3s", "v1.33.4+k3s1"), ("k0s", "v1.33.4+k0s.0"), ("rke2", "v1.33.4+rke2r1")]
)
def test_a_listing_opens_manifests_of_every_distro(tmp_path: Path, distro: str, version: str) -> None:
    made(tmp_path, f"distro: {distro}\nversion: {version}\n")
    assert load_listing(tmp_path / "shop.yaml").catalogue.name == distro


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "components: {containerd: 1.7.27}\n",
            "components: has no meaning for k3s; a release has containerd, runc and etcd in it",
        ),
        (
            "artifacts: {binry: {name: x}}\n",
            "artifacts.binry: K3s needs no such file here; did you mean binary?",
        ),
    ],
)
def test_what_a_listing_cannot_obey_is_refused(tmp_path: Path, text: str, words: str) -> None:
    made(tmp_path, f"distro: k3s\nversion: v1.33.4+k3s1\n{text}")
    with pytest.raises(ManifestError) as refused:
        load_listing(tmp_path / "shop.yaml")
    assert words in str(refused.value)
