"""Which images a release must carry: what is certain, what kubeadm says, and what the manifest adds."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.artifacts.image_list import ImageListError, ask_kubeadm, images_known, images_needed, merged
from mk8s.cluster import Balancer, Cluster
from tests.mk8s.distros.situations import make_cluster

ANSWER = """registry.k8s.io/kube-apiserver:v1.34.1
registry.k8s.io/kube-controller-manager:v1.34.1
registry.k8s.io/kube-scheduler:v1.34.1
registry.k8s.io/kube-proxy:v1.34.1
registry.k8s.io/coredns/coredns:v1.12.1
registry.k8s.io/pause:3.10.1
registry.k8s.io/etcd:3.6.4-0
"""


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


def cluster(distro: str = "kubeadm", version: str = "v1.34.1", **more: Any) -> Cluster:
    return replace(make_cluster(), distro=distro, version=version, **more)


def kubeadm(folder: Path, script: str) -> tuple[Path, str]:
    """A stand-in for the program, not executable as a cached file is not, and its hash."""
    path = folder / "kubeadm-linux-amd64"
    path.write_text(f"#!/bin/sh\n{script}\n")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def saying(text: str) -> str:
    return f"cat <<'END'\n{text}END"


def test_v1_20_is_certain_as_a_whole() -> None:
    """The fact sheets name one tag for each component of that release."""
    names, unknown = images_known(cluster(version="v1.20.2"))
    assert unknown == ""
    assert names == (
        "k8s.gcr.io/kube-apiserver:v1.20.2",
        "k8s.gcr.io/kube-controller-manager:v1.20.2",
        "k8s.gcr.io/kube-scheduler:v1.20.2",
        "k8s.gcr.io/kube-proxy:v1.20.2",
        "k8s.gcr.io/pause:3.2",
        "k8s.gcr.io/etcd:3.4.13-0",
        "k8s.gcr.io/coredns:1.7.0",
    )


def test_a_tag_that_only_kubeadm_knows_is_not_made_up() -> None:
    """kube-* have the release's tag; the others are said to be unknown."""
    names, unknown = images_known(cluster())
    assert [name.rpartition("/")[2].partition(":")[0] for name in names] == [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
    ]
    assert unknown == "the tags of pause, etcd and coredns are asked of kubeadm v1.34.1 when it is fetched"


def test_the_registry_of_two_releases_depends_on_the_patch() -> None:
    """registry.k8s.io was taken over into some patch releases of 1.23 and 1.24: nothing is certain."""
    assert images_known(cluster(version="v1.24.3"))[0] == ()


def test_the_manifest_can_name_what_is_unknown() -> None:
    """Then nothing has to be asked."""
    own = ("r.example/pause:9", "r.example/etcd:9", "r.example/coredns:9")
    names, unknown = images_known(cluster(images=own))
    assert unknown == ""
    assert names[-3:] == own


def test_kubeadms_answer_is_the_list() -> None:
    """Whatever any table says."""
    assert images_needed(cluster(), ANSWER.split()) == tuple(ANSWER.split())


def test_an_image_of_the_manifest_replaces_the_one_of_its_name() -> None:
    """By the last part of the name; others are added."""
    own = ("registry.k8s.io/pause:3.10", "registry.k8s.io/etcd:1")
    found = merged(own, cluster(images=("r.example/x/pause:3.9", "busybox:1")))
    assert found == ("registry.k8s.io/etcd:1", "r.example/x/pause:3.9", "busybox:1")


def test_images_named_elsewhere_in_the_manifest_are_carried() -> None:
    """kube-vip's and the smoke test's, each once."""
    vip = Balancer("kube-vip", "eth0", "ghcr.io/kube-vip/kube-vip:v0.8.0")
    found = cluster("vanilla", "v1.32.3", balancer=vip, smoke_image="busybox:1.36", images=("busybox:1.36",))
    assert images_known(found)[0][2:] == ("busybox:1.36", "ghcr.io/kube-vip/kube-vip:v0.8.0")


def test_vanilla_needs_pause_and_coredns_only() -> None:
    """All else is a program of the release."""
    assert images_known(cluster("vanilla", "v1.32.3")) == (
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/coredns/coredns:v1.11.3"),
        "",
    )


@pytest.mark.parametrize("distro", ["rke2", "k3s", "k0s"])
def test_a_distro_with_archives_of_its_own_gets_only_what_the_manifest_adds(distro: str) -> None:
    """Its smoke image and others lie in archives of the user's, as ever."""
    assert images_known(cluster(distro, smoke_image="busybox:1")) == ((), "")
    assert images_known(cluster(distro, images=("busybox:1",))) == (("busybox:1",), "")


def test_where_kubeadm_cannot_be_asked_the_manifest_must_say(tmp_path: Path) -> None:
    """A guess would be found out on the nodes, behind the gap."""
    with pytest.raises(ImageListError, match="images of pause, etcd and coredns belong") as caught:
        images_needed(cluster(), ())
    assert "registry.k8s.io/coredns/coredns:TAG" in caught.value.remedy


@pytest.mark.anyio
async def test_kubeadm_is_asked_for_exactly_this_version(tmp_path: Path) -> None:
    """Without a version it would look it up on the internet."""
    wanted = '[ "$*" = "config images list --kubernetes-version v1.34.1" ] || exit 3\n' + saying(ANSWER)
    assert await ask_kubeadm(*kubeadm(tmp_path, wanted), "v1.34.1") == tuple(ANSWER.split())


@pytest.mark.anyio
async def test_kubeadm_runs_in_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No setting and no secret of the user's; whatever it would fetch goes nowhere."""
    monkeypatch.setenv("MY_SECRET", "x")
    script = '[ -z "$MY_SECRET" ] && [ "$HTTPS_PROXY" = http://127.0.0.1:9 ] || exit 3\n' + saying(ANSWER)
    assert await ask_kubeadm(*kubeadm(tmp_path, script), "v1.34.1")


@pytest.mark.anyio
async def test_a_kubeadm_with_another_hash_is_never_run(tmp_path: Path) -> None:
    """It may be anything."""
    trace = tmp_path / "ran"
    path, _ = kubeadm(tmp_path, f"touch {trace}\n{saying(ANSWER)}")
    with pytest.raises(ImageListError, match="was not run"):
        await ask_kubeadm(path, "0" * 64, "v1.34.1")
    assert not trace.exists()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "echo hello there",
        saying(ANSWER.replace("v1.34.1", "v1.34.2")),
        "true",
        "kill -9 $$",
        "echo 'a b../c'",
    ],
)
async def test_an_answer_that_makes_no_sense_is_none(script: str, tmp_path: Path) -> None:
    """Names become URLs and arguments."""
    with pytest.raises(ImageListError, match="did not say which images"):
        await ask_kubeadm(*kubeadm(tmp_path, script), "v1.34.1")
