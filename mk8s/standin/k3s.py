"""The folder of a stand-in K3s release. Names are those of K3s' release workflow and install script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mk8s.standin.writing import PROGRAM_MODE, assembled, filled, sums, write, write_images

__all__ = ["IMAGES", "VERSION", "write_release"]

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-rc\d+)?\+k3s\d+")
PROGRAM = {"amd64": "k3s", "arm64": "k3s-arm64"}
ZST_IMAGES = 29  # below, the plain tar beside it: mk8s asks for that one there
IMAGES = tuple(
    f"docker.io/rancher/{name}"
    for name in (
        "klipper-helm:v0.9.8-build20250709",
        "klipper-lb:v0.4.13",
        "local-path-provisioner:v0.0.31",
        "mirrored-coredns-coredns:1.12.3",
        "mirrored-library-busybox:1.36.1",
        "mirrored-library-traefik:3.3.6",
        "mirrored-metrics-server:v0.8.0",
        "mirrored-pause:3.6",
    )
)
"""The names that a real release lists, with tags of about v1.33; what is in the archive is noise."""


def write_release(
    folder: Path, version: str, arch: str, images_size: int, seed: int, _more_images: Sequence[str]
) -> None:
    """Program, images, their list, sums and install.sh."""
    program, images = PROGRAM[arch], f"k3s-airgap-images-{arch}.tar"
    write(folder / program, assembled("k3s", version, arch).encode(), PROGRAM_MODE)
    names = [program]
    for suffix in _suffixes(version):
        write_images(folder / f"{images}{suffix}", IMAGES, images_size, seed, packed=suffix == ".zst")
        names.append(f"{images}{suffix}")
    write(folder / "k3s-images.txt", "".join(f"{image}\n" for image in IMAGES).encode())
    write(folder / f"sha256sum-{arch}.txt", sums(folder, names))
    write(folder / "install.sh", filled("scripts/k3s/install.sh").encode(), PROGRAM_MODE)
    write(folder / "LICENSE.txt", filled("LICENSE.txt", TITLE="K3s").encode())


def _suffixes(version: str) -> tuple[str, ...]:
    match = VERSION.fullmatch(version)
    old = match is not None and int(match["minor"]) < ZST_IMAGES
    return (".zst", "") if old else (".zst",)
