"""K3s release numbers, and what began with which release. Pure."""

from __future__ import annotations

import re

from mk8s.distros.releases import NEWEST, Release, Since, read_release

__all__ = ["SQLITE_CONVERTS", "ZST_IMAGES", "parse_version", "release_of"]

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-rc\d+)?\+k3s\d+")

ZST_IMAGES = 29
"""K3s' docs fetch .tar.zst of v1.29.1; which release first had it is not known. All have .tar."""
SQLITE_CONVERTS: Since = {22: 2}  # a server with SQLite becomes one with etcd by `cluster-init`


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.33.4+k3s1``; None when it is not one."""
    return read_release(VERSION, text)


def release_of(text: str) -> Release:
    """The same; the newest for a version that is none."""
    return parse_version(text) or NEWEST
