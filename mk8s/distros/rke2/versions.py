"""RKE2 release numbers, and what began or ended with which release.

The numbers come from RKE2's own packaging scripts, unit files and flag tables at the release tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mk8s.distros.releases import Release, Since, has, read_release

__all__ = [
    "CNI_CHOICE",
    "CORE_IMAGES",
    "DATASTORE_ENDPOINT",
    "INGRESS_CHOICE",
    "NM_CLOUD_SETUP_GUARD",
    "NO_NM_CLOUD_SETUP_GUARD",
    "TRAEFIK_IN_CORE",
    "UNIT_NOTIFIES",
    "ZST_IMAGES",
    "parse_version",
    "profiles_of",
]

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-rc\d+)?\+rke2r\d+")

ZST_IMAGES: Since = {19: 13, 20: 4, 21: 2}
CORE_IMAGES: Since = {19: 13, 20: 7, 21: 2}  # the images split into core and one file for each CNI
CNI_CHOICE: Mapping[str, Since] = {
    "canal": {20: 7},
    "cilium": {20: 7},
    "none": {20: 7},
    "calico": {21: 2},
    "multus": {21: 2},
    "flannel": {26: 14, 27: 11, 28: 7, 29: 2},
}
INGRESS_CHOICE: Mapping[str, Since] = {
    "none": {27: 16, 28: 12, 29: 7, 30: 3},
    "ingress-nginx": {27: 16, 28: 12, 29: 7, 30: 3},
    "traefik": {30: 3},
}
TRAEFIK_IN_CORE: Since = {36: 0}  # before, ingress-nginx was in core and traefik a file of its own
DATASTORE_ENDPOINT: Since = {27: 13, 28: 9, 29: 4, 30: 0}
UNIT_NOTIFIES: Since = {21: 2, 22: 3}  # before, systemd calls the unit active as soon as it runs
NM_CLOUD_SETUP_GUARD: Since = {21: 2, 22: 3}  # the unit refuses to start beside nm-cloud-setup ...
NO_NM_CLOUD_SETUP_GUARD: Since = {32: 11, 33: 7, 34: 3, 35: 0}  # ... and from here on no longer

CIS_WITHOUT_NUMBER: Since = {25: 15, 26: 10, 27: 7, 28: 2}  # `cis` beside `cis-1.23`, which ends with 1.30


def profiles_of(release: Release) -> tuple[str, ...]:
    """The values of `profile` that this release takes. Read from RKE2's code at its tags."""
    if release.minor >= 30:
        return ("cis", "etcd")
    if has(release, CIS_WITHOUT_NUMBER):
        return ("cis", "cis-1.23")
    if release.minor >= 25:
        return ("cis-1.23",)
    return ("cis-1.5", "cis-1.6") if release.minor >= 20 else ("cis-1.5",)


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.33.4+rke2r1``; None when it is not one."""
    return read_release(VERSION, text)
