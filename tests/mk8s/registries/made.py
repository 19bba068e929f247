"""Registries as a manifest may have them, for the tests of every dialect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mk8s.cluster import Registries, RegistryAccess, RegistryMirror
from mk8s.registries import Given

__all__ = ["AUTHORITY", "BUNKER", "PASSWORD", "WITH_FALLBACK", "given", "with_mirror"]

PASSWORD = 'pa"ss\\wörd'
AUTHORITY = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

BUNKER = Registries(
    mirrors={
        "docker.io": RegistryMirror(
            ("https://mirror.bunker:5000", "http://10.0.0.9:5000/v2/hub"), {"^(.*)$": "docker/$1"}
        ),
        "registry.k8s.io": RegistryMirror(("https://mirror.bunker:5000",)),
        "*": RegistryMirror(("https://mirror.bunker:5000", "https://[fd00::9]:5001")),
    },
    access={
        "mirror.bunker:5000": RegistryAccess("puller", "MIRROR_PASSWORD", Path("/home/op/ca.pem")),
        "[fd00::9]:5001": RegistryAccess(insecure=True),
        "own.bunker": RegistryAccess("reader", "OWN_PASSWORD"),
    },
)
"""No registry itself is ever asked: mirrors of three kinds, a registry of one's own."""

WITH_FALLBACK = Registries(
    mirrors={"docker.io": RegistryMirror(("mirror.shop",)), "*": RegistryMirror(("https://mirror.shop",))},
    access={"docker.io": RegistryAccess("hub", "HUB_PASSWORD"), "quay.io": RegistryAccess(insecure=True)},
    fallback=True,
)


def given(registries: Registries = BUNKER) -> Given:
    """The same with every password and certificate at hand."""
    hosts = registries.access
    return Given(registries, dict.fromkeys(hosts, PASSWORD), dict.fromkeys(hosts, AUTHORITY))


def with_mirror(*endpoints: str, registry: str = "docker.io", **rewrite: str) -> Registries:
    return replace(BUNKER, mirrors={registry: RegistryMirror(endpoints, rewrite)})
