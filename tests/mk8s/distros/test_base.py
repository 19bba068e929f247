"""Finding a distro by name."""

from __future__ import annotations

import pytest

from mk8s.distros.base import catalogue_names, distro_names, load_catalogue, load_distro
from mk8s.errors import ManifestError


def test_a_built_in_distro_is_found_by_its_name() -> None:
    assert load_distro("rke2").name == "rke2"


def test_a_misspelt_distro_gets_the_name_that_was_meant() -> None:
    """The operator reads what is known and what comes close."""
    with pytest.raises(ManifestError) as caught:
        load_distro("RKE")

    known = ", ".join(distro_names())
    assert str(caught.value) == f"distro: 'RKE' is not known\nhint: did you mean 'rke2'? known: {known}"


def test_every_name_that_is_offered_can_be_loaded() -> None:
    assert [load_distro(name).name for name in distro_names()] == distro_names()


def test_every_catalogue_that_is_offered_can_be_loaded() -> None:
    """Drivers are catalogues too; some distros have the catalogue alone."""
    assert [load_catalogue(name).name for name in catalogue_names()] == catalogue_names()
    assert {"k0s", "k3s", *distro_names()} <= set(catalogue_names())


def test_a_misspelt_catalogue_gets_the_name_that_was_meant() -> None:
    with pytest.raises(ManifestError, match="did you mean 'k3s'"):
        load_catalogue("k3z")
