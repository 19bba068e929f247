"""Writes container images by hand: one archive as of `docker save`, which containerd imports.

Laws:

1. The same content gives the same bytes: no time, no owner, no order of a folder's listing.
2. `manifest.json` comes first, so that a reader knows the images after one small file.
3. An image is one layer. Only one layer at a time is in memory or half written.

What it must not know: what is in the images (`contents`).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .recipe import SUITE, VERSION

__all__ = ["Image", "Layer", "add_bytes", "add_file", "write_archive", "write_layer"]

CREATED = "2021-01-13T13:20:00Z"  # of upstream's release; the images' age is nobody's business
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FOLDER_MODE, PROGRAM_MODE, TEXT_MODE = 0o755, 0o755, 0o644


@dataclass(frozen=True, slots=True)
class Layer:
    """What is in an image, by path in it: files of this machine, texts, links, folders with their modes."""

    files: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """`name` with its tag. `entrypoint` and `command` as in a Dockerfile."""

    name: str
    layer: Layer
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()


def write_archive(images: Sequence[Image], target: Path, scratch: Path) -> None:
    """Write one archive with all these images. Layers wait in `scratch` until their digests are known."""
    layers = [_store_layer(image.layer, scratch) for image in images]
    configs = [_config(image, layer.name) for image, layer in zip(images, layers, strict=True)]
    entries = [
        {"Config": _config_name(config), "RepoTags": [image.name], "Layers": [_layer_name(layer)]}
        for image, config, layer in zip(images, configs, layers, strict=True)
    ]
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        add_bytes(tar, "manifest.json", json.dumps(entries).encode())
        for config in configs:
            add_bytes(tar, _config_name(config), config)
        for layer in sorted(set(layers)):
            add_file(tar, _layer_name(layer), layer, TEXT_MODE)


def write_layer(layer: Layer, target: Path) -> None:
    """The layer's tar: folders first, then all else, in the order of their paths."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for path, mode in sorted(_folders(layer).items()):
            _add_special(tar, path, tarfile.DIRTYPE, mode)
        for path, file in sorted(layer.files.items()):
            add_file(tar, path, file)
        for path, text in sorted(layer.texts.items()):
            add_bytes(tar, path, text.encode())
        for path, points_to in sorted(layer.links.items()):
            _add_special(tar, path, tarfile.SYMTYPE, 0o777, points_to)


def add_file(tar: tarfile.TarFile, name: str, path: Path, mode: int | None = None) -> None:
    """A file of this machine as root's, without a time; without `mode`, executable if it is so here."""
    found = path.stat()
    info = tarfile.TarInfo(name)
    info.size = found.st_size
    info.mode = mode or (PROGRAM_MODE if found.st_mode & 0o111 else TEXT_MODE)
    with path.open("rb") as file:
        tar.addfile(info, file)


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), TEXT_MODE
    tar.addfile(info, io.BytesIO(content))


def _add_special(tar: tarfile.TarFile, path: str, kind: bytes, mode: int, points_to: str = "") -> None:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.linkname = kind, mode, points_to
    tar.addfile(info)


def _folders(layer: Layer) -> Mapping[str, int]:
    """Those that are asked for, and all that something else lies in."""
    paths = [*layer.files, *layer.texts, *layer.links, *layer.folders]
    parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents} - {"."}
    return dict.fromkeys(parents, FOLDER_MODE) | dict(layer.folders)


def _store_layer(layer: Layer, scratch: Path) -> Path:
    """A file in `scratch` whose name is its digest."""
    unfinished = scratch / "layer"
    write_layer(layer, unfinished)
    with unfinished.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return unfinished.replace(scratch / digest)


def _config(image: Image, layer_digest: str) -> bytes:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": CREATED,
        "config": {
            "Env": [PATH],
            "Entrypoint": list(image.entrypoint) or None,
            "Cmd": list(image.command) or None,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": CREATED, "created_by": f"mk8s lab release: {VERSION} from Debian {SUITE}"}],
    }
    return json.dumps(config, sort_keys=True).encode()


def _config_name(config: bytes) -> str:
    return f"{hashlib.sha256(config).hexdigest()}.json"


def _layer_name(layer: Path) -> str:
    return os.fspath(PurePosixPath(layer.name) / "layer.tar")
