"""Kubernetes release numbers. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from mk8s.cluster import Cluster

__all__ = ["Release", "parse_version", "release_of"]

VERSION = re.compile(r"v1\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)(-(alpha|beta|rc)\.\d+)?")


class Release(NamedTuple):
    """The two numbers that decide: v1.MINOR.PATCH."""

    minor: int
    patch: int


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.20.2``; None when it is not one."""
    found = VERSION.fullmatch(text)
    return Release(int(found["minor"]), int(found["patch"])) if found else None


def release_of(cluster: Cluster) -> Release:
    """The cluster's release numbers. A version that is none is a fault, so the newest stands in for it."""
    return parse_version(cluster.version) or Release(minor=99, patch=0)
