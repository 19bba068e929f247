"""Writes the folder of a stand-in release. Deterministic: the same arguments give the same bytes.

Which distro it stands for is told by the version's suffix: +rke2rN, +k3sN, +k0s.N.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import Pattern

from mk8s.standin import k0s, k3s, rke2
from mk8s.standin.rke2 import unit
from mk8s.standin.writing import assembled, filled, write

__all__ = ["Release", "build_release", "distro_of", "program", "unit"]

ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True, slots=True)
class Release:
    """How the releases of one distro look."""

    title: str
    example: str
    version: Pattern[str]
    write: Callable[[Path, str, str, int, int, Sequence[str]], None]


RELEASES: Mapping[str, Release] = {
    "rke2": Release("RKE2", "v1.33.4+rke2r1", rke2.VERSION, rke2.write_release),
    "k3s": Release("K3s", "v1.33.4+k3s1", k3s.VERSION, k3s.write_release),
    "k0s": Release("k0s", "v1.33.4+k0s.0", k0s.VERSION, k0s.write_release),
}


def build_release(
    folder: Path,
    version: str = "v1.33.4+rke2r1",
    arch: str = "amd64",
    *,
    images_size: int = 8 << 20,
    seed: int = 0,
    more_images: Sequence[str] = (),
) -> Path:
    """Write a stand-in release into `folder` (made if need be) and return it.

    `images_size`: bytes of noise in each images archive. `more_images`: further archives of RKE2 by their
    word in the name ("core", "calico", …). Raises ValueError for a version or architecture that is none.
    """
    distro = distro_of(version)
    title = RELEASES[distro].title
    if arch not in ARCHITECTURES:
        raise ValueError(f"arch {arch!r}: the stand-in of {title} has {' and '.join(ARCHITECTURES)}")
    folder.mkdir(parents=True, exist_ok=True)
    RELEASES[distro].write(folder, version, arch, images_size, seed, more_images)
    readme = filled(f"readme/{distro}.txt", VERSION=version, ARCH=arch)
    write(folder / "README.txt", readme.encode())
    return folder


def distro_of(version: str) -> str:
    """`rke2`, `k3s` or `k0s`. Raises ValueError for a version of none of them."""
    for distro, release in RELEASES.items():
        if release.version.fullmatch(version):
            return distro
    known = ", ".join(f"{release.title} {release.example}" for release in RELEASES.values())
    raise ValueError(f"version {version!r}: there are stand-ins for versions such as {known}")


def program(version: str, arch: str) -> str:
    """The text of the distro's program."""
    return assembled(distro_of(version), version, arch)
