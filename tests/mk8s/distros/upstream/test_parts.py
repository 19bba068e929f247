"""Which files, under which names, and where they go."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from mk8s.cluster import ArtifactSource
from mk8s.distros.releases import Release
from mk8s.distros.upstream import images, parts
from mk8s.distros.upstream.versions import parse_version, release_of
from mk8s.steps import Run, Upload
from tests.mk8s.distros.situations import make_node
from tests.mk8s.distros.upstream.made import cluster, situation, with_arm


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("v1.20.2", Release(20, 2)),
        ("v1.36.0-rc.1", Release(36, 0)),
        ("1.20.2", None),
        ("v1.20", None),
        ("v1.020.2", None),
        ("v1.20.2+rke2r1", None),
        ("v1.20.2\n", None),
    ],
)
def test_only_upstreams_tags_are_versions(text: str, release: Release | None) -> None:
    assert parse_version(text) == release


def test_a_version_that_is_none_counts_as_the_newest() -> None:
    """It is a fault of the manifest; everything else still has to be said about it."""
    assert release_of(cluster(version="latest")) > Release(50, 0)


def test_files_have_the_names_of_a_release_folder() -> None:
    ids = ("kubelet", "runc", "cni-plugins", "images", "containerd", "checksums")

    assert {item.id: item.file for item in parts.items(cluster(), ids)} == {
        "kubelet": "kubelet-linux-amd64",
        "runc": "runc.amd64",
        "cni-plugins": "cni-plugins-linux-amd64.tgz",
        "images": "images-linux-amd64.tar",
        "containerd": "containerd-linux-amd64.tar.gz",
        "checksums": "SHA256SUMS",
    }


def test_checksums_may_be_missing_and_go_to_no_node() -> None:
    (item,) = parts.items(cluster(), ["checksums"])
    assert (item.required, item.on_nodes) == (False, False)


def test_another_architecture_has_ids_of_its_own() -> None:
    """And only the files of the roles that have it."""
    items = [*parts.items(with_arm(), ["kubelet"]), *parts.items(with_arm(), ["kubeadm"], parts.SERVERS)]

    assert [(item.id, item.file) for item in items] == [
        ("kubelet", "kubelet-linux-amd64"),
        ("kubelet-arm64", "kubelet-linux-arm64"),
        ("kubeadm", "kubeadm-linux-amd64"),
    ]


def test_each_node_is_staged_the_files_of_its_architecture() -> None:
    uploads = [
        step for step in parts.stage(situation(with_arm(), "arm-1"), ["kubelet"]) if isinstance(step, Upload)
    ]

    assert [(step.source.path.name, str(step.target)) for step in uploads] == [
        ("kubelet-linux-arm64", "/var/lib/mk8s/artifacts/v1.20.2/kubelet-linux-arm64")
    ]


def test_the_manifests_name_for_a_file_wins_here_and_is_forgotten_on_the_node() -> None:
    renamed = cluster(artifacts={"kubelet": ArtifactSource(name="my-kubelet")})
    found = parts.staged(situation(renamed), "kubelet")

    assert found is not None
    assert (found[0].path.name, found[1].name) == ("my-kubelet", "kubelet-linux-amd64")


def test_files_to_apply_go_to_the_primary_in_order() -> None:
    of = cluster(manifests=(Path("/m/b.yaml"), Path("/m/a.yaml")))
    staged = [parts.staged(situation(of), name) for name in parts.manifest_ids(of)]

    assert [(str(pair[0].path), pair[1].name) for pair in staged if pair] == [
        ("/m/b.yaml", "manifest-0.yaml"),
        ("/m/a.yaml", "manifest-1.yaml"),
    ]
    assert {item.roles for item in parts.manifest_items(of)} == {frozenset({"primary"})}


def test_ids_that_name_nothing_are_found() -> None:
    odd = cluster(artifacts={"kubelet": ArtifactSource(), "kubelett": ArtifactSource()})
    assert parts.unknown_ids(odd, parts.items(odd, ["kubelet"])) == ["kubelett"]


@pytest.mark.parametrize(
    ("usr_local", "folder"),
    [("writable", "/usr/local/bin"), ("read-only", "/opt/bin"), ("mount", "/opt/bin")],
)
def test_programs_go_where_they_may_be_written_and_have_one_path_everywhere(
    usr_local: str, folder: str
) -> None:
    step = parts.install_binary(situation(cluster(), usr_local=usr_local), "kubelet", "kubelet")

    assert step.command.args[2:] == (f"{folder}/kubelet", "/var/lib/mk8s/bin/kubelet")
    assert parts.program("kubelet") == PurePosixPath("/var/lib/mk8s/bin/kubelet")


def test_a_missing_program_is_a_bug_not_a_step() -> None:
    """Releases are complete before any step is made."""
    with pytest.raises(KeyError, match="kubeadm"):
        parts.install_binary(situation(cluster()), "kubeadm", "kubeadm")


def test_every_installation_is_checked_first() -> None:
    s = situation(cluster())
    steps: list[Run] = [
        parts.install_binary(s, "kubelet", "kubelet"),
        parts.install_archive(s, "crictl", parts.bin_dir(s)),
        parts.link(parts.bin_dir(s) / "crictl"),
    ]
    assert all(step.check for step in steps)


def test_images_are_named_as_the_release_has_them() -> None:
    """Whatever the version's own registry and tags would be."""
    s = situation(cluster(), images=("a.example:5000/x/pause:1", "a.example:5000/x/kube-apiserver@sha256:0"))

    assert images.named(s, "pause") == "a.example:5000/x/pause:1"
    assert images.repository(s) == "a.example:5000/x"


@pytest.mark.parametrize(
    ("version", "pause", "coredns"),
    [
        ("v1.20.2", "k8s.gcr.io/pause:3.2", "k8s.gcr.io/coredns:1.7.0"),
        ("v1.24.1", "k8s.gcr.io/pause:3.6", "k8s.gcr.io/coredns/coredns:v1.8.6"),
        ("v1.32.3", "registry.k8s.io/pause:3.10", "registry.k8s.io/coredns/coredns:v1.11.3"),
    ],
)
def test_without_a_release_names_are_nominal(version: str, pause: str, coredns: str) -> None:
    """The registry and the path have changed with the versions."""
    s = situation(cluster(version=version), images=())
    assert (images.named(s, "pause"), images.named(s, "coredns")) == (pause, coredns)


def test_a_component_that_nobody_has_is_a_bug() -> None:
    with pytest.raises(KeyError, match="flannel"):
        images.named(situation(cluster()), "flannel")


def test_two_nodes_of_one_architecture_share_files() -> None:
    of = cluster(make_node("srv-1", "primary", "10.0.0.11"), make_node("agent-1", "agent", "10.0.0.21"))
    assert [item.id for item in parts.items(of, ["images"])] == ["images"]
