"""Writes the folder of a stand-in RKE2 release. Deterministic: the same arguments give the same bytes.

Layout and names are those of RKE2's packaging scripts (scripts/package-bundle, package-images, checksum);
the unit's version differences are those of RKE2's unit files at the release tags.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import IO, cast

from mk8s.standin.containers import RawZstd, noise, tar_gz, tar_member

__all__ = ["build_release", "program", "unit"]

PREFIX = "/usr/local"
VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-rc\d+)?\+rke2r\d+")
ARCHITECTURES = ("amd64", "arm64")
ROLES = ("server", "agent")
CNI_IMAGES = "rke2-standin-noise"
PROGRAM_MODE, TEXT_MODE = 0o755, 0o644

# Minor release -> first patch release with it; a minor above the last has it, one left out has not.
NOTIFIES = {21: 2, 22: 3}
REFUSES_BESIDE_THE_OTHER = {32: 13, 33: 9, 34: 5, 35: 2, 36: 0}  # ExecCondition; before, Conflicts
GUARDS_AGAINST_NM = {21: 2, 22: 3}
NO_GUARD_AGAINST_NM = {32: 11, 33: 7, 34: 3, 35: 0}


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

    `images_size`: bytes of noise in each images archive. `more_images`: further archives by their word in
    the name ("core", "calico", …). Raises ValueError for a version or architecture that RKE2 has not.
    """
    _release(version)
    if arch not in ARCHITECTURES:
        raise ValueError(f"arch {arch!r}: RKE2 has {' and '.join(ARCHITECTURES)}")
    folder.mkdir(parents=True, exist_ok=True)
    bundle = f"rke2.linux-{arch}.tar.gz"
    _write(folder / bundle, _bundle(version, arch))
    names = [bundle]
    for word in ("", *(f"-{word}" for word in more_images)):
        name = f"rke2-images{word}.linux-{arch}.tar.zst"
        with _replacing(folder / name) as target:
            _write_images(target, name, _image_names(word, version), images_size, seed)
        names.append(name)
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in names)
    _write(folder / f"sha256sum-{arch}.txt", sums.encode())
    _write(folder / "install.sh", _text("scripts/install.sh").encode(), PROGRAM_MODE)
    readme = _text("README.txt").replace("@VERSION@", version).replace("@ARCH@", arch)
    _write(folder / "README.txt", readme.encode())
    return folder


def program(version: str, arch: str) -> str:
    """The text of the `rke2` program: all its parts in the order of their names."""
    parts = sorted(part.name for part in files(__package__).joinpath("files/rke2").iterdir())
    text = "\n".join(_text(f"rke2/{name}") for name in parts if name.endswith(".pl"))
    return text.replace("@VERSION@", version).replace("@ARCH@", arch)


def unit(role: str, version: str) -> str:
    """The systemd unit of a role, with the properties that RKE2's unit has in that version."""
    other = "agent" if role == "server" else "server"
    condition = "" if not _has(version, REFUSES_BESIDE_THE_OTHER) else _refuses_beside(other)
    if _has(version, GUARDS_AGAINST_NM) and not _has(version, NO_GUARD_AGAINST_NM):
        condition += (
            'ExecStartPre=/bin/sh -c "! systemctl is-enabled --quiet nm-cloud-setup.service 2>/dev/null"\n'
        )
    words = {
        "@CONFLICTS@": "" if _has(version, REFUSES_BESIDE_THE_OTHER) else f"Conflicts=rke2-{other}.service\n",
        "@TYPE@": "Type=notify\n" if _has(version, NOTIFIES) else "",
        "@CONDITION@": condition,
        "@ROLE@": role,
        "@PREFIX@": PREFIX,
    }
    text = _text("units/rke2.service")
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def _refuses_beside(other: str) -> str:
    check = f"if systemctl is-active --quiet rke2-{other}.service; then exit 1; fi"
    return f'ExecCondition=/bin/sh -c "{check}"\n'


def _release(version: str) -> tuple[int, int]:
    match = VERSION.fullmatch(version)
    if not match:
        raise ValueError(f"version {version!r}: an RKE2 version looks like v1.33.4+rke2r1")
    return int(match["minor"]), int(match["patch"])


def _has(version: str, since: dict[int, int]) -> bool:
    minor, patch = _release(version)
    return minor > max(since) or (minor in since and patch >= since[minor])


def _bundle(version: str, arch: str) -> bytes:
    return tar_gz((name, text.encode(), mode) for name, text, mode in _bundle_members(version, arch))


def _bundle_members(version: str, arch: str) -> Iterator[tuple[str, str, int]]:
    yield "bin/rke2", program(version, arch), PROGRAM_MODE
    for script in ("rke2-killall.sh", "rke2-uninstall.sh"):
        yield f"bin/{script}", _text(f"scripts/{script}"), PROGRAM_MODE
    for role in ROLES:
        yield f"lib/systemd/system/rke2-{role}.service", unit(role, version), TEXT_MODE
        yield f"lib/systemd/system/rke2-{role}.env", "HOME=/root\n", TEXT_MODE
    yield "share/rke2/LICENSE.txt", _text("LICENSE.txt"), TEXT_MODE
    yield "share/rke2/rke2-cis-sysctl.conf", _text("rke2-cis-sysctl.conf"), TEXT_MODE


def _image_names(word: str, version: str) -> list[str]:
    """The runtime image is in the base archive and in core; the others hold noise only."""
    kind = "rke2-runtime" if word in ("", "-core") else f"{CNI_IMAGES}{word}"
    return [f"rancher/{kind}:{version.replace('+', '-')}"]


def _write_images(target: IO[bytes], name: str, images: list[str], size: int, seed: int) -> None:
    """A tar like that of `docker save`: the list of images first, then noise where layers would be."""
    manifest = json.dumps([{"Config": "standin.bin", "RepoTags": images, "Layers": ["standin.bin"]}]).encode()
    packed = RawZstd(target)
    with tarfile.open(fileobj=cast("IO[bytes]", packed), mode="w|", format=tarfile.GNU_FORMAT) as tar:
        tar_member(tar, "manifest.json", len(manifest), [manifest])
        tar_member(tar, "standin.bin", size, noise(size, seed, name))
    packed.close()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(name: str) -> str:
    return files(__package__).joinpath("files", name).read_text(encoding="utf-8")


def _write(path: Path, content: bytes, mode: int = TEXT_MODE) -> None:
    with _replacing(path, mode) as target:
        target.write(content)


@contextmanager
def _replacing(path: Path, mode: int = TEXT_MODE) -> Iterator[IO[bytes]]:
    """Whoever reads the file meanwhile sees the old one or the new one, never a part."""
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as target:
        yield target
    new.chmod(mode)
    new.replace(path)
