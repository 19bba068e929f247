"""Every file about registries, for each distro and the versions that differ, against files that were read.

After a wanted change run the test with UPDATE_GOLDEN=1, and read the difference before it is committed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.cluster import Registries
from mk8s.distros.base import Distro, Situation, load_distro
from mk8s.needs import pretend
from mk8s.registries import Given, engine, k0s
from mk8s.registries.hosts import host_files
from mk8s.registries.steps import authority_steps, host_steps
from mk8s.steps import Step, WriteFile
from tests.mk8s.distros.situations import FACTS, make_cluster, release_of
from tests.mk8s.registries.made import BUNKER, WITH_FALLBACK, given

GOLDEN = Path(__file__).parent / "golden"
OURS = ("registries", "certs.d", "containerd-", "rke2/config.yaml")
DRIVEN = {
    "rke2-v1.25.16": ("rke2", "v1.25.16+rke2r1"),
    "rke2-v1.33.4": ("rke2", "v1.33.4+rke2r1"),
    "kubeadm-v1.24.17": ("kubeadm", "v1.24.17"),
    "kubeadm-v1.36.1": ("kubeadm", "v1.36.1"),
    "vanilla-v1.24.17": ("vanilla", "v1.24.17"),
    "vanilla-v1.36.1": ("vanilla", "v1.36.1"),
}
BARE = {
    "k3s-v1.25.16": "v1.25.16+k3s1",
    "k3s-v1.33.4": "v1.33.4+k3s1",
    "k0s-v1.35.4": "v1.35.4+k0s.0",
    "k0s-v1.36.1": "v1.36.1+k0s.0",
}
KINDS = {"bunker": replace(BUNKER, default="mirror.bunker:5000"), "fallback": WITH_FALLBACK}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*DRIVEN, *BARE])
def test_the_files_are_the_ones_that_were_read(name: str, kind: str) -> None:
    """What a server gets, and what an agent gets otherwise."""
    text = (
        "\n".join(_driven(*DRIVEN[name], KINDS[kind]) if name in DRIVEN else _bare(name, KINDS[kind])) + "\n"
    )
    golden = GOLDEN / f"{name}-{kind}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")

    assert text == golden.read_text(encoding="utf-8")


def _driven(distro: str, version: str, registries: Registries) -> Iterator[str]:
    driver = load_distro(distro)
    if distro != "rke2":
        registries = replace(registries, default="")
    seen: set[str] = set()
    for name in ("srv-1", "agent-1"):
        for step in driver.bootstrap(_situation(driver, version, registries, name)):
            lines = "\n".join(_shown(step))
            if lines not in seen:
                seen.add(lines)
                yield from [f"== {name}", lines] if lines else []


def _situation(driver: Distro, version: str, registries: Registries, name: str) -> Situation:
    cluster = replace(make_cluster(version=version, registries=registries), distro=driver.name)
    node = next(node for node in cluster.nodes if node.name == name)
    brought = given(registries)
    kept = replace(
        pretend(driver.needs(cluster)),
        registry_passwords=brought.passwords,
        registry_authorities=brought.authorities,
    )
    return Situation(cluster, node, FACTS, release_of(cluster, driver), "token", kept)


def _bare(name: str, registries: Registries) -> Iterator[str]:
    brought, version = given(registries), BARE[name]
    steps: list[Step] = authority_steps(brought)
    if name.startswith("k3s"):
        yield from _file("/etc/rancher/k3s/registries.yaml, 0600", engine.registries_yaml(brought))
        for role in ("server", "agent"):
            yield f"{role}: {engine.settings(brought, version, server=role == 'server')}"
    else:
        yield from _file(f"{k0s.DROP_IN}, 0600", k0s.drop_in(brought, version))
        yield f"spec.images: {k0s.image_settings(brought)}"
        steps += host_steps(brought, k0s.CERTS_D)
    for step in steps:
        yield from _shown(step)


def _shown(step: Step) -> Iterator[str]:
    if isinstance(step, WriteFile) and any(word in str(step.target) for word in OURS):
        secret = ", secret" if step.secret else ""
        yield from _file(f"{step.target}, {step.mode:04o}{secret}", step.content)


def _file(title: str, content: bytes) -> Iterator[str]:
    yield title
    yield from (f"  | {line}" for line in content.decode().split("\n"))


def test_without_registries_nothing_is_rendered() -> None:
    """Not even an empty file."""
    assert authority_steps(None) == host_steps(None, k0s.CERTS_D) == []
    assert host_files(Given(Registries())) == {}
