"""K3s release numbers, and what began with which release. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["ZST_IMAGES", "Release", "parse_version", "release_of"]

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-rc\d+)?\+k3s\d+")

ZST_IMAGES = 29
"""K3s' docs fetch .tar.zst of v1.29.1; which release first had it is not known. All have .tar."""


class Release(NamedTuple):
    """The two numbers that decide: v1.MINOR.PATCH."""

    minor: int
    patch: int


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.33.4+k3s1``; None when it is not one."""
    found = VERSION.fullmatch(text)
    return Release(int(found["minor"]), int(found["patch"])) if found else None


def release_of(text: str) -> Release:
    """The same; a version that is none is a fault, so the newest stands in for it."""
    return parse_version(text) or Release(minor=99, patch=0)
