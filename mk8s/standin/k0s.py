"""The folder of a stand-in k0s release. Names are those of k0s' release workflow at its tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mk8s.standin.writing import PROGRAM_MODE, assembled, filled, sums, write, write_images

__all__ = ["IMAGES", "VERSION", "write_release"]

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-(alpha|beta|rc)\.\d+)?\+k0s\.\d+")
CHECKSUMS = (28, 2)  # first release with sha256sums.txt
BUNDLE_NAMES_OS = (36, 0)  # k0s-airgap-bundle-TAG-linux-ARCH.tar; before, no -linux and no .tar
IMAGES = tuple(
    f"quay.io/k0sproject/{name}"
    for name in (
        "apiserver-network-proxy-agent:v0.32.0",
        "coredns:1.12.2",
        "cni-node:1.7.1-k0s.0",
        "kube-proxy:v1.33.4",
        "kube-router:v2.5.0-iptables1.8.11-0",
        "metrics-server:v0.7.2-0",
        "pause:3.10.1",
        "envoy-distroless:v1.31.5",
    )
)
"""The names that a real bundle holds, with tags of about v1.33; what is in the archive is noise."""


def write_release(
    folder: Path, version: str, arch: str, images_size: int, seed: int, _more_images: Sequence[str]
) -> None:
    """Program, bundle of images as a plain tar, their list, and the sums where that version has them."""
    release = _numbers(version)
    target = f"linux-{arch}.tar" if release >= BUNDLE_NAMES_OS else arch
    listed = f"airgap-images-linux-{arch}.txt" if release >= BUNDLE_NAMES_OS else "airgap-images-list.txt"
    names = [f"k0s-{version}-{arch}", f"k0s-airgap-bundle-{version}-{target}", listed]
    write(folder / names[0], assembled("k0s", version, arch).encode(), PROGRAM_MODE)
    write_images(folder / names[1], IMAGES, images_size, seed, packed=False)
    write(folder / listed, "".join(f"{image}\n" for image in IMAGES).encode())
    if release >= CHECKSUMS:
        write(folder / "sha256sums.txt", sums(folder, names, "*"))
    write(folder / "LICENSE.txt", filled("LICENSE.txt", TITLE="k0s").encode())


def _numbers(version: str) -> tuple[int, int]:
    match = VERSION.fullmatch(version)
    if not match:
        raise ValueError(f"version {version!r}: a k0s version looks like v1.33.4+k0s.0")
    return int(match["minor"]), int(match["patch"])
