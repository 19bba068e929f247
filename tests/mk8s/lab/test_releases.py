"""Which release a lab's manifest names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.errors import UnfitError
from mk8s.lab.manifest_writer import DEFAULT_VERSIONS, SMOKE_IMAGE
from mk8s.lab.real import contents, recipe
from mk8s.lab.releases import BUILDERS, Builder, ChosenRelease, Say, choose_release


def builders(asked: list[tuple[str, str]]) -> dict[str, Builder]:
    """Builders that only note what they are asked for."""

    def builder(distro: str) -> Builder:
        def build(cache: Path, version: str, arch: str, say: Say) -> ChosenRelease:
            asked.append((distro, version))
            return ChosenRelease(cache / distro, version, built=True)

        return build

    return {distro: builder(distro) for distro in DEFAULT_VERSIONS}


def choose(
    distro: str, version: str = "", artifacts: Path | None = None
) -> tuple[ChosenRelease, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []
    release = choose_release(
        distro,
        version,
        artifacts,
        cache=Path("/cache"),
        arch="amd64",
        say=lambda _words: None,
        builders=builders(asked),
    )
    return release, asked


@pytest.mark.parametrize("distro", DEFAULT_VERSIONS)
def test_without_files_of_the_user_the_distros_release_is_built(distro: str) -> None:
    """In the version that can be built."""
    release, asked = choose(distro)

    assert asked == [(distro, DEFAULT_VERSIONS[distro])]
    assert release.folder == Path("/cache") / distro


def test_every_distro_that_can_be_chosen_has_a_builder() -> None:
    assert BUILDERS.keys() == DEFAULT_VERSIONS.keys()


@pytest.mark.parametrize("distro", DEFAULT_VERSIONS)
def test_nothing_is_built_where_the_user_has_files(distro: str) -> None:
    """Of any version; the folder is named so that it is found from everywhere."""
    release, asked = choose(distro, "v1.33.4", Path("mine"))

    assert asked == []
    assert release == ChosenRelease(Path("mine").absolute(), "v1.33.4")


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
def test_another_version_of_kubernetes_needs_files_of_the_user(distro: str) -> None:
    """Debian has the sources of one."""
    with pytest.raises(UnfitError) as refused:
        choose(distro, "v1.33.4")

    assert str(refused.value) == (
        f"no release of {distro} v1.33.4 can be built here: only v1.20.2\n"
        "hint: name a folder with the release files: --artifacts DIR"
    )


@pytest.mark.parametrize(
    ("distro", "version"), [("rke2", "v1.28.3+rke2r2"), ("k3s", "v1.28.3+k3s2"), ("k0s", "v1.28.3+k0s.0")]
)
def test_a_stand_in_exists_in_every_version(distro: str, version: str) -> None:
    """It is only called so."""
    assert choose(distro, version)[1] == [(distro, version)]


def test_the_version_and_the_image_are_those_of_the_release_that_is_built() -> None:
    """Told here again, so that writing a manifest does not load the builder."""
    assert {DEFAULT_VERSIONS["kubeadm"], DEFAULT_VERSIONS["vanilla"]} == {recipe.VERSION}
    assert SMOKE_IMAGE == contents.TEST_IMAGE
