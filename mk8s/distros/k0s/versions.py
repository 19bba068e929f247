"""k0s release numbers, and what began with which release. Pure. From k0s' release workflow at its tags."""

from __future__ import annotations

import re

from mk8s.distros.releases import NEWEST, Release, Since, read_release

__all__ = ["BUNDLE_NAMES_OS", "CHECKSUMS", "parse_version", "release_of"]

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-(alpha|beta|rc)\.\d+)?\+k0s\.\d+")

CHECKSUMS: Since = {28: 2}  # sha256sums.txt
BUNDLE_NAMES_OS: Since = {36: 0}  # k0s-airgap-bundle-TAG-linux-ARCH.tar; before, no -linux and no .tar


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.33.4+k0s.0``; None when it is not one."""
    return read_release(VERSION, text)


def release_of(text: str) -> Release:
    """The same; the newest for a version that is none."""
    return parse_version(text) or NEWEST
