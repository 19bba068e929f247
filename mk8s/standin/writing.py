"""What the release folders of all stand-ins are made of: the program's text, archives of noise, sums.

Deterministic: the same arguments give the same bytes. Knows no distro but by its name.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import IO, cast

from mk8s.standin.containers import RawZstd, noise, tar_member

__all__ = [
    "PROGRAM_MODE",
    "TEXT_MODE",
    "assembled",
    "filled",
    "replacing",
    "sha256",
    "sums",
    "write",
    "write_images",
]

PROGRAM_MODE, TEXT_MODE = 0o755, 0o644
PARTS: Mapping[str, Sequence[str]] = {
    "rke2": ("base", "kine", "rancher", "rke2"),
    "k3s": ("base", "kine", "rancher", "k3s"),
    "k0s": ("base", "kine", "k0s"),
}
"""The folders that a distro's program is made of: RKE2 and K3s are one engine under two names."""


def assembled(distro: str, version: str, arch: str) -> str:
    """The text of a distro's program: all its parts in the order of their names."""
    folder = files(__package__).joinpath("files")
    parts = {part.name: part for name in PARTS[distro] for part in folder.joinpath(name).iterdir()}
    text = "\n".join(
        parts[name].read_text(encoding="utf-8") for name in sorted(parts) if name.endswith(".pl")
    )
    return text.replace("@VERSION@", version).replace("@ARCH@", arch)


def filled(name: str, **words: str) -> str:
    """A text of ours with its @WORDS@ filled in."""
    text = files(__package__).joinpath("files", name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def write_images(path: Path, images: Sequence[str], size: int, seed: int, *, packed: bool) -> None:
    """A tar like that of `docker save`: the list of images first, then noise where layers would be.

    `packed`: in a zstd frame of raw blocks, else as it is.
    """
    manifest = [{"Config": "standin.bin", "RepoTags": [image], "Layers": ["standin.bin"]} for image in images]
    listed = json.dumps(manifest).encode()
    with replacing(path) as target:
        frame = RawZstd(target) if packed else None
        sink = cast("IO[bytes]", frame or target)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as tar:
            tar_member(tar, "manifest.json", len(listed), [listed])
            tar_member(tar, "standin.bin", size, noise(size, seed, path.name))
        if frame:
            frame.close()


def sums(folder: Path, names: Sequence[str], mark: str = " ") -> bytes:
    """As sha256sum writes it; `mark` is a star where it was told that the files are binary."""
    return "".join(f"{sha256(folder / name)} {mark}{name}\n" for name in names).encode()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, content: bytes, mode: int = TEXT_MODE) -> None:
    with replacing(path, mode) as target:
        target.write(content)


@contextmanager
def replacing(path: Path, mode: int = TEXT_MODE) -> Iterator[IO[bytes]]:
    """Whoever reads the file meanwhile sees the old one or the new one, never a part."""
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as target:
        yield target
    new.chmod(mode)
    new.replace(path)
