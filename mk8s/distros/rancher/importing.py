"""What an engine unpacks on simulated hosts: its tools, and images with the room that they take.

Used by `world` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.said import RUNTIME_MISSING
from transports.simulated import ServiceFailed, SimulatedFile, SimulatedHost, path_of

__all__ = ["has_imported", "import_images", "install_tools", "kubectl_in", "need_images"]

UNPACKED = 3  # times the size of an archive that zstd made; order of magnitude
NO_ROOM = 'level=error msg="failed to import images: write {}: no space left on device"'


def need_images(engine: Engine, host: SimulatedHost, config: Mapping[str, Any], version: str) -> None:
    """Raises ServiceFailed where the runtime comes in an image, and there is none."""
    if engine.runtime_in_images and not _archives(engine, host, config):
        raise ServiceFailed(RUNTIME_MISSING.format(tag=version.replace("+", "-")))


def import_images(engine: Engine, host: SimulatedHost, config: Mapping[str, Any]) -> None:
    """Once, at the end of a first start: one that was cut off begins anew.

    Raises ServiceFailed where the disk has no room for what is in them.
    """
    if has_imported(engine, host, config):
        return
    store = _store_in(engine.data_dir_in(config))
    wanted = {host.files[path].sha256 for path in _archives(engine, host, config)}
    sizes = {file.sha256: file.size for file in host.files.values() if file.size and file.sha256 in wanted}
    host.disk.make_folder(store.parent)
    try:
        host.disk.place(store, SimulatedFile("0" * 64, UNPACKED * sum(sizes.values()), 0o700, "root", None))
    except OSError:
        raise ServiceFailed(NO_ROOM.format(store)) from None


def has_imported(engine: Engine, host: SimulatedHost, config: Mapping[str, Any]) -> bool:
    """Whether a first start has ended here."""
    return _store_in(engine.data_dir_in(config)) in host.files


@cache
def _store_in(data_dir: str) -> PurePosixPath:
    return path_of(f"{data_dir}/agent/containerd/content")


def install_tools(engine: Engine, host: SimulatedHost, config: Mapping[str, Any]) -> None:
    """What the engine unpacks brings kubectl."""
    kubectl = kubectl_in(engine.data_dir_in(config))
    host.disk.make_folder(kubectl.parent)
    host.disk.write(kubectl, b"", mode=0o755)


@cache
def kubectl_in(data_dir: str) -> PurePosixPath:
    """Where it lies then."""
    return path_of(f"{data_dir}/bin/kubectl")


def _archives(engine: Engine, host: SimulatedHost, config: Mapping[str, Any]) -> list[PurePosixPath]:
    folder = path_of(f"{engine.data_dir_in(config)}/agent/images")
    return host.disk.files_in(folder)
