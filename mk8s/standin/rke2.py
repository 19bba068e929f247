"""The folder of a stand-in RKE2 release.

Layout and names are those of RKE2's packaging scripts (scripts/package-bundle, package-images, checksum);
the unit's version differences are those of RKE2's unit files at the release tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mk8s.standin.containers import tar_gz
from mk8s.standin.writing import PROGRAM_MODE, TEXT_MODE, assembled, filled, sums, write, write_images

__all__ = ["VERSION", "unit", "write_release"]

PREFIX = "/usr/local"
VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-rc\d+)?\+rke2r\d+")
ROLES = ("server", "agent")
CNI_IMAGES = "rke2-standin-noise"

# Minor release -> first patch release with it; a minor above the last has it, one left out has not.
NOTIFIES = {21: 2, 22: 3}
REFUSES_BESIDE_THE_OTHER = {32: 13, 33: 9, 34: 5, 35: 2, 36: 0}  # ExecCondition; before, Conflicts
GUARDS_AGAINST_NM = {21: 2, 22: 3}
NO_GUARD_AGAINST_NM = {32: 11, 33: 7, 34: 3, 35: 0}


def write_release(
    folder: Path, version: str, arch: str, images_size: int, seed: int, more_images: Sequence[str]
) -> None:
    """Bundle, images archives, sums and install.sh. `more_images`: by their word in the name ("core")."""
    bundle = f"rke2.linux-{arch}.tar.gz"
    write(folder / bundle, _bundle(version, arch))
    names = [bundle]
    for word in ("", *(f"-{word}" for word in more_images)):
        name = f"rke2-images{word}.linux-{arch}.tar.zst"
        write_images(folder / name, _image_names(word, version), images_size, seed, packed=True)
        names.append(name)
    write(folder / f"sha256sum-{arch}.txt", sums(folder, names))
    write(folder / "install.sh", filled("scripts/rke2/install.sh").encode(), PROGRAM_MODE)


def unit(role: str, version: str) -> str:
    """The systemd unit of a role, with the properties that RKE2's unit has in that version."""
    other = "agent" if role == "server" else "server"
    refuses = _has(version, REFUSES_BESIDE_THE_OTHER)
    condition = _refuses_beside(other) if refuses else ""
    if _has(version, GUARDS_AGAINST_NM) and not _has(version, NO_GUARD_AGAINST_NM):
        condition += (
            'ExecStartPre=/bin/sh -c "! systemctl is-enabled --quiet nm-cloud-setup.service 2>/dev/null"\n'
        )
    return filled(
        "units/rke2.service",
        CONFLICTS="" if refuses else f"Conflicts=rke2-{other}.service\n",
        TYPE="Type=notify\n" if _has(version, NOTIFIES) else "",
        CONDITION=condition,
        ROLE=role,
        PREFIX=PREFIX,
    )


def _refuses_beside(other: str) -> str:
    check = f"if systemctl is-active --quiet rke2-{other}.service; then exit 1; fi"
    return f'ExecCondition=/bin/sh -c "{check}"\n'


def _has(version: str, since: dict[int, int]) -> bool:
    match = VERSION.fullmatch(version)
    if not match:
        raise ValueError(f"version {version!r}: an RKE2 version looks like v1.33.4+rke2r1")
    minor, patch = int(match["minor"]), int(match["patch"])
    return minor > max(since) or (minor in since and patch >= since[minor])


def _bundle(version: str, arch: str) -> bytes:
    return tar_gz((name, text.encode(), mode) for name, text, mode in _bundle_members(version, arch))


def _bundle_members(version: str, arch: str) -> Iterator[tuple[str, str, int]]:
    yield "bin/rke2", assembled("rke2", version, arch), PROGRAM_MODE
    for script in ("rke2-killall.sh", "rke2-uninstall.sh"):
        yield f"bin/{script}", filled(f"scripts/rke2/{script}"), PROGRAM_MODE
    for role in ROLES:
        yield f"lib/systemd/system/rke2-{role}.service", unit(role, version), TEXT_MODE
        yield f"lib/systemd/system/rke2-{role}.env", "HOME=/root\n", TEXT_MODE
    yield "share/rke2/LICENSE.txt", filled("LICENSE.txt", TITLE="RKE2"), TEXT_MODE
    yield "share/rke2/rke2-cis-sysctl.conf", filled("rke2-cis-sysctl.conf"), TEXT_MODE


def _image_names(word: str, version: str) -> list[str]:
    """The runtime image is in the base archive and in core; the others hold noise only."""
    kind = "rke2-runtime" if word in ("", "-core") else f"{CNI_IMAGES}{word}"
    return [f"rancher/{kind}:{version.replace('+', '-')}"]
