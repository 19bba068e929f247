"""What a runtime cannot do with `registries`, told before any node is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Registries, RegistryAccess, RegistryMirror
from mk8s.distros.base import load_distro
from mk8s.registries.faults import of_containerd, of_engine, of_k0s
from tests.mk8s.distros.situations import make_cluster, make_node
from tests.mk8s.registries.made import BUNKER, WITH_FALLBACK, with_mirror


def rke2(config: dict[str, Any], registries: Registries = BUNKER) -> list[str]:
    node = make_node("srv-1", "primary", "10.0.0.11", config)
    return list(of_engine(make_cluster(node, registries=registries)))


def containerd(registries: Registries, version: str = "2.1.5") -> list[str]:
    return list(of_containerd(make_cluster(registries=registries), version))


def test_sound_registries_have_no_fault() -> None:
    for registries in (BUNKER, WITH_FALLBACK):
        cluster = make_cluster(registries=registries)
        assert [*of_engine(cluster), *of_containerd(cluster, "1.7.27"), *of_k0s(cluster)] == []


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"private-registry": "/etc/mine.yaml"}, "private-registry"),
        ({"system-default-registry": "other"}, "system-default-registry"),
        ({"disable-default-registry-endpoint": False}, "disable-default-registry-endpoint"),
    ],
)
def test_a_config_that_contradicts_registries_is_refused(config: dict[str, Any], path: str) -> None:
    """The config would win, and the manifest's own words would say something else."""
    [fault] = rke2(config, replace(BUNKER, default="mirror.bunker:5000"))

    assert fault.startswith(f"nodes.srv-1.config.{path}: ")


def test_a_config_that_says_the_same_is_left_as_it_is() -> None:
    """Nothing is added to what the user gave."""
    config = {"system-default-registry": "m:5000", "disable-default-registry-endpoint": True}

    assert rke2(config, replace(BUNKER, default="m:5000")) == []


@pytest.mark.parametrize(
    "registries",
    [
        with_mirror("https://user:secret@m"),
        with_mirror("ftp://m"),
        with_mirror("https://m", registry="../etc"),
        with_mirror("https://m", registry=""),
        Registries(access={"*": RegistryAccess("u")}),
        Registries(access={"https://m": RegistryAccess("u")}),
    ],
)
def test_words_that_are_no_registry_are_refused(registries: Registries) -> None:
    """Names become folders on nodes."""
    assert len(rke2({}, registries)) == len(containerd(registries)) == 1


def test_an_address_with_a_password_in_it_is_not_repeated() -> None:
    assert "secret" not in rke2({}, with_mirror("https://user:secret@m"))[0]


@pytest.mark.parametrize("rewrite", [{"^rancher/(.*)": "x/$1"}, {"(.*)": "$1"}, {"(.*)": "x/$1", "a": "b"}])
def test_containerd_is_not_asked_to_rewrite(rewrite: dict[str, str]) -> None:
    """It can put a folder before every image, and nothing else."""
    [fault] = containerd(with_mirror("https://m", **rewrite))

    assert "containerd can only put a folder before every image" in fault


def test_a_mirror_without_an_address_means_something_to_the_engine_alone() -> None:
    """There it lets nodes share images; containerd would ask nobody."""
    empty = Registries({"docker.io": RegistryMirror(())})

    assert rke2({}, empty) == []
    assert "is empty" in containerd(empty)[0]


@pytest.mark.parametrize(
    ("version", "words"), [("1.4.13", "reads no hosts.toml"), ("1.6.16", "by name only")]
)
def test_an_old_containerd_is_not_trusted_with_what_it_lacks(version: str, words: str) -> None:
    [fault] = containerd(BUNKER, version)

    assert words in fault


def test_the_version_of_containerd_is_the_one_that_comes_with_the_release() -> None:
    """Or the one that the manifest's `components` names."""
    cluster = replace(make_cluster(version="v1.20.2", registries=BUNKER), distro="kubeadm")
    newer = replace(cluster, components={"containerd": "1.7.27"})
    told = [
        [fault for fault in load_distro("kubeadm").faults(of) if "regist" in fault] for of in (cluster, newer)
    ]

    assert [len(faults) for faults in told] == [1, 0]


def test_a_default_registry_is_not_taken_where_the_archives_name_images() -> None:
    assert "registries.default" in containerd(replace(BUNKER, default="m"))[0]


def test_k0s_reads_drop_ins_from_this_release_on() -> None:
    old = make_cluster(version="v1.27.0+k0s.0", registries=BUNKER)

    assert "reads no drop-ins" in next(of_k0s(old))
