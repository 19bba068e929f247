"""Where registries come in a node's way: before the first start, and nothing where none are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.cluster import Registries
from mk8s.distros.base import Situation, load_distro
from mk8s.distros.rancher import commands
from mk8s.distros.rke2.engine import RKE2
from mk8s.needs import pretend
from mk8s.registries.releases import conditional_import
from mk8s.rehearsal import Conditions, rehearse
from mk8s.steps import Run, Step, WriteFile
from tests.mk8s.distros.situations import FACTS, make_cluster, release_of
from tests.mk8s.registries.made import BUNKER, WITH_FALLBACK
from tests.mk8s.shells import SHELLS, shell_among

STARTS = ("start kubelet", "enable kubelet", "start rke2", "enable rke2", "run kubeadm")
VERSIONS = {"rke2": "v1.33.4+rke2r1", "kubeadm": "v1.31.4", "vanilla": "v1.31.4"}


def situation(distro: str, registries: Registries | None = BUNKER, version: str = "") -> Situation:
    driver = load_distro(distro)
    made = make_cluster(version=version or VERSIONS[distro], registries=registries)
    cluster = replace(made, distro=distro)
    kept = pretend(driver.needs(cluster))
    return Situation(cluster, cluster.primary, FACTS, release_of(cluster, driver), "token", kept)


def bootstrap(distro: str, registries: Registries | None = BUNKER, version: str = "") -> list[Step]:
    return load_distro(distro).bootstrap(situation(distro, registries, version))


def place(steps: list[Step], *words: str) -> int:
    """Of the first step whose title begins with one of the words; behind the last where there is none."""
    found = [number for number, step in enumerate(steps) if step.title.startswith(words)]
    return found[0] if found else len(steps)


@pytest.mark.parametrize("distro", VERSIONS)
def test_registries_are_there_before_anything_is_started(distro: str) -> None:
    steps = bootstrap(distro)
    first_start = place(steps, *STARTS, "start containerd")
    ours = [
        number
        for number, step in enumerate(steps)
        if isinstance(step, WriteFile) and ("registries" in str(step.target) or "certs.d" in str(step.target))
    ]

    assert ours
    assert max(ours) < first_start


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
def test_images_are_imported_before_any_kubelet_starts(distro: str) -> None:
    """Otherwise a kubelet would ask a registry for them."""
    steps = bootstrap(distro, None)
    imports = [number for number, step in enumerate(steps) if "import its images" in step.title]

    assert imports
    assert max(imports) < place(steps, *STARTS)


@pytest.mark.parametrize("distro", VERSIONS)
def test_files_with_passwords_are_roots_alone_and_never_shown(distro: str) -> None:
    holders = [
        step for step in bootstrap(distro) if isinstance(step, WriteFile) and b'"puller"' in step.content
    ]

    assert holders
    assert {(step.mode, step.secret) for step in holders} == {(0o600, True)}


def test_without_a_login_containerds_config_stays_readable() -> None:
    """It is what it was before there were registries."""
    open_ones = replace(WITH_FALLBACK, access={})
    with_them = [step for step in bootstrap("vanilla", open_ones) if "containerd-" in step.title]

    assert with_them == [step for step in bootstrap("vanilla", None) if "containerd-" in step.title]


@pytest.mark.parametrize("distro", VERSIONS)
def test_without_registries_no_step_speaks_of_them(distro: str) -> None:
    assert not [step.title for step in bootstrap(distro, None) if "registries" in step.title]


def test_a_start_brings_the_registries_as_they_are_now() -> None:
    """The user may have mended them since a join was rejected."""
    start = load_distro("rke2").start(situation("rke2"))

    assert place(start, "write /etc/rancher/rke2/registries.yaml") < place(start, "start rke2")


@pytest.mark.parametrize(
    ("version", "makes"), [("v1.33.0+rke2r1", False), ("v1.33.1+rke2r1", True), ("v1.28.15+rke2r1", False)]
)
def test_rke2_notes_what_it_imported_where_the_release_can(version: str, makes: bool) -> None:
    """After the archives have their place, before the first start."""
    steps = bootstrap("rke2", None, version)
    note = place(steps, "let images be imported only when")

    assert (note < len(steps)) is makes is conditional_import(version)
    assert not makes or place(steps, "verify and place") < note < place(steps, *STARTS)


def test_no_list_of_images_comes_where_archives_are() -> None:
    """The engine would pull each image that a .txt there names."""
    steps = [step for step in bootstrap("rke2", None) if isinstance(step, Run)]
    places = [word for step in steps for word in step.command.args if "/agent/images/" in word]

    assert places
    assert not [word for word in places if word.endswith(".txt")]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_engines_own_note_is_never_written_over(shell: str, tmp_path: Path) -> None:
    cache = tmp_path / "agent" / "images" / ".cache.json"
    tools = tmp_path / "tools"
    tools.mkdir()
    sh = shell_among(tools, shell)
    begin, has = (
        commands.begin_cache(RKE2, PurePosixPath(cache)),
        commands.has_cache(RKE2, PurePosixPath(cache)),
    )

    assert [sh(command).status for command in (has, begin, has)] == [1, 0, 0]
    assert cache.read_bytes() == b""
    cache.write_text('{"a.tar": 1}')
    assert sh(begin).status == 0
    assert cache.read_text() == '{"a.tar": 1}'


@pytest.mark.parametrize("distro", VERSIONS)
def test_a_rehearsed_cluster_with_registries_becomes_healthy(distro: str) -> None:
    """Every step about them has a model."""
    s = situation(distro)

    assert rehearse(Conditions(s.cluster, load_distro(distro))).result.ok
