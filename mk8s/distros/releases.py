"""Release numbers v1.MINOR.PATCH, as all distros count them, and tables of what began with which. Pure.

How a tag of a distro is written is that distro's to know: see its `versions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, TypeAlias

__all__ = ["NEWEST", "Release", "Since", "has", "read_release"]

Since: TypeAlias = Mapping[int, int]
"""Minor release -> the first patch release that has something.

A minor above the table's last has it, a minor that the table leaves out has not.
"""


class Release(NamedTuple):
    """The two numbers that decide: v1.MINOR.PATCH."""

    minor: int
    patch: int


NEWEST = Release(minor=99, patch=0)
"""Stands in for a version that is none: that is a fault, which is told elsewhere."""


@lru_cache(256)
def read_release(tag: re.Pattern[str], text: str) -> Release | None:
    """The numbers in a tag, by its groups `minor` and `patch`; None when it is not one."""
    found = tag.fullmatch(text)
    return Release(int(found["minor"]), int(found["patch"])) if found else None


def has(release: Release, since: Since) -> bool:
    """Whether what the table dates is in this release."""
    if release.minor in since:
        return release.patch >= since[release.minor]
    return release.minor > max(since)
