"""Distros by name: the built-in ones, and those that installed packages offer.

A package offers a driver in the entry point group ``mk8s.distros`` (it names a `Distro` object), or what a
release consists of alone in ``mk8s.catalogues`` (a `Catalogue`). A module is imported only when its distro
is asked for. Begin reading at `load_distro`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from mk8s.errors import ManifestError

if TYPE_CHECKING:
    from mk8s.distros.base import Catalogue, Distro

__all__ = ["catalogue_names", "distro_names", "load_catalogue", "load_distro"]

GROUP = "mk8s.distros"  # entry point group; each entry names a `Distro` object
CATALOGUES = "mk8s.catalogues"  # the same for a bare `Catalogue`, of a distro that has no driver

BUILT_IN: Mapping[str, str] = {
    "k0s": "mk8s.distros.k0s:DISTRO",
    "k3s": "mk8s.distros.k3s:DISTRO",
    "kubeadm": "mk8s.distros.kubeadm:DISTRO",
    "rke2": "mk8s.distros.rke2:DISTRO",
    "vanilla": "mk8s.distros.vanilla:DISTRO",
}


def distro_names() -> list[str]:
    """Every distro that can be loaded, sorted."""
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def load_distro(name: str) -> Distro:
    """The driver called `name`. A built-in one wins over an installed one of the same name.

    Raises ManifestError when there is none, with the names that come close.
    """
    if name in BUILT_IN:
        built_in: Distro = _object(BUILT_IN[name])
        return built_in
    found: tuple[EntryPoint, ...] = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise _unknown(name, distro_names())
    installed: Distro = found[0].load()
    return installed


def catalogue_names() -> list[str]:
    """Every distro whose files can be listed, sorted: those with a driver and those without."""
    return sorted({*distro_names(), *(entry.name for entry in entry_points(group=CATALOGUES))})


def load_catalogue(name: str) -> Catalogue:
    """What the release of the distro called `name` consists of: its driver where there is one.

    Raises ManifestError when there is neither, with the names that come close.
    """
    if name in distro_names():
        return load_distro(name)
    found: tuple[EntryPoint, ...] = tuple(entry_points(group=CATALOGUES, name=name))
    if not found:
        raise _unknown(name, catalogue_names())
    installed: Catalogue = found[0].load()
    return installed


def _object(place: str) -> Any:
    """What ``module:attribute`` names."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _unknown(name: str, names: Sequence[str]) -> ManifestError:
    close = difflib.get_close_matches(name.lower(), names, n=1)
    remedy = f"did you mean {close[0]!r}? " if close else ""
    return ManifestError(f"distro: {name!r} is not known", remedy=f"{remedy}known: {', '.join(names)}")
