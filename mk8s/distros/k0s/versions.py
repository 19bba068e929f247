"""k0s release numbers, and what began with which release. Pure. From k0s' release workflow at its tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

__all__ = ["BUNDLE_NAMES_OS", "CHECKSUMS", "Release", "has", "parse_version", "release_of"]

Since: TypeAlias = Mapping[int, int]  # minor release -> first patch release that has it; later minors have it

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-(alpha|beta|rc)\.\d+)?\+k0s\.\d+")

CHECKSUMS: Since = {28: 2}  # sha256sums.txt
BUNDLE_NAMES_OS: Since = {36: 0}  # k0s-airgap-bundle-TAG-linux-ARCH.tar; before, no -linux and no .tar


class Release(NamedTuple):
    """The two numbers that decide: v1.MINOR.PATCH."""

    minor: int
    patch: int


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.33.4+k0s.0``; None when it is not one."""
    found = VERSION.fullmatch(text)
    return Release(int(found["minor"]), int(found["patch"])) if found else None


def release_of(text: str) -> Release:
    """The same; a version that is none is a fault, so the newest stands in for it."""
    return parse_version(text) or Release(minor=99, patch=0)


def has(release: Release, since: Since) -> bool:
    """Whether what the table dates is in this release."""
    if release.minor in since:
        return release.patch >= since[release.minor]
    return release.minor > max(since)
