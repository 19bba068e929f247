"""What began with which release, where it is about registries and image archives. Pure.

K3s and RKE2 of one number are one engine, released together.

Sources: the engine's flag tables and documentation at the release tags; containerd's sources at its tags
(``_default`` came with v1.6.17, `config_path` with v1.5.0); k0s's documentation of its runtime.
"""

from __future__ import annotations

import re

from mk8s.distros.releases import Release, Since, has

__all__ = [
    "CERTS_D",
    "CONDITIONAL_IMPORT",
    "DEFAULT_FOLDER",
    "K0S_DROP_INS",
    "K0S_NEW_CONFIG",
    "NO_DEFAULT_ENDPOINT",
    "begins_with",
    "conditional_import",
]

NUMBERS = re.compile(r"v?(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)")

# K3s and RKE2
NO_DEFAULT_ENDPOINT: Since = {26: 13, 27: 10, 28: 6, 29: 1}
CONDITIONAL_IMPORT: Since = {30: 13, 31: 9, 32: 5, 33: 1}
# containerd 1.x
CERTS_D: Since = {5: 0}
DEFAULT_FOLDER: Since = {6: 17, 7: 0}
# k0s
K0S_DROP_INS: Since = {27: 1}
K0S_NEW_CONFIG: Since = {36: 0}


def begins_with(version: str, since: Since) -> bool:
    """Whether a release 1.MINOR.PATCH, in any distro's spelling, has what the table dates.

    A text that is no version is a fault told elsewhere; the newest stands in for it. So does a 2.x.
    """
    found = NUMBERS.match(version)
    if not found or int(found["major"]) > 1:
        return True
    return has(Release(int(found["minor"]), int(found["patch"])), since)


def conditional_import(version: str) -> bool:
    """Whether this K3s or RKE2 imports an archive of images again only once it has changed.

    It does where a file ``.cache.json`` lies beside the archives; an empty one is enough to begin with.
    """
    return begins_with(version, CONDITIONAL_IMPORT)
