"""Kubernetes release numbers. Pure."""

from __future__ import annotations

import re

from mk8s.cluster import Cluster
from mk8s.distros.releases import NEWEST, Release, read_release

__all__ = ["parse_version", "release_of"]

VERSION = re.compile(r"v1\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)(-(alpha|beta|rc)\.\d+)?")


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.20.2``; None when it is not one."""
    return read_release(VERSION, text)


def release_of(cluster: Cluster) -> Release:
    """The cluster's release numbers; the newest for a version that is none."""
    return parse_version(cluster.version) or NEWEST
