"""The libraries of mk8s from a folder of wheels: for a bundle whose mk8s runs on another Python or machine.

    pip download -d wheels --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_aarch64 ...

Which Python and machine that is, the wheels with native modules say by their names. Wheels are unpacked
here, in memory, each file held against the wheel's own list of hashes. Nothing of them is executed.

Begin reading at `Wheels`.
"""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mk8s.bundle.index import BundleError
from mk8s.bundle.installed import Shipped, is_shipped, licence_of, with_record
from mk8s.bundle.needed import plain_name
from mk8s.bundle.target import OLDEST_GLIBC, Target, native_suffix
from transports.base import Bytes, Source

__all__ = ["Wheels"]

LARGEST = 256 << 20  # bytes of one wheel, unpacked; the largest that mk8s needs has 16 MB
FILE_NAME = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)
PLATFORM = re.compile(r"(?:manylinux(?:_\d+_\d+|\d+)|(?P<musl>musllinux_\d+_\d+)|linux)_(?P<machine>\w+)")
CPYTHON = re.compile(r"cp3(\d+)")
IN_DATA = re.compile(r"[^/]+\.data/(?P<kind>purelib|platlib)/(?P<rest>.+)")
DOWNLOAD = "fetch them anew with `pip download --only-binary=:all:`, into an empty folder"


@dataclass(frozen=True, slots=True)
class _Wheel:
    """A wheel by its name."""

    path: Path
    name: str
    version: str
    python: str
    abi: str
    platforms: tuple[str, ...]

    @property
    def is_native(self) -> bool:
        return self.platforms != ("any",)

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(f"{self.python}-{self.abi}-{platform}" for platform in self.platforms)


class Wheels:
    """The wheels of a folder, one for each distribution. Raises BundleError for a folder of another kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wheels = _by_name(folder)
        self.target = _target(self._wheels, folder)

    def find(self, name: str) -> Shipped:
        """The distribution of this plain name, unpacked. Raises BundleError."""
        wheel = self._wheels.get(name)
        if wheel is None:
            raise BundleError(f"{self._folder} has no wheel of {name}, and mk8s needs it", remedy=DOWNLOAD)
        try:
            return _unpacked(wheel)
        except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError) as error:
            raise _damaged(wheel.path, str(error)) from error


def _by_name(folder: Path) -> Mapping[str, _Wheel]:
    found: dict[str, _Wheel] = {}
    for path in sorted(folder.glob("*.whl")):
        wheel = _wheel(path)
        if wheel.name in found:
            raise BundleError(
                f"{folder} has two wheels of {wheel.name}: {found[wheel.name].path.name} and {path.name}",
                remedy="keep the one that is meant",
            )
        found[wheel.name] = wheel
    if not found:
        raise BundleError(f"there are no wheels in {folder}", remedy="name a folder with *.whl files")
    return found


def _wheel(path: Path) -> _Wheel:
    found = FILE_NAME.fullmatch(path.name)
    if found is None:
        raise BundleError(f"{path} is not named as a wheel is", remedy=DOWNLOAD)
    platforms = tuple(found["platform"].split("."))
    return _Wheel(path, plain_name(found["name"]), found["version"], found["python"], found["abi"], platforms)


def _target(wheels: Mapping[str, _Wheel], folder: Path) -> Target:
    """The one Python and machine that all native wheels are for."""
    native = [wheel for wheel in wheels.values() if wheel.is_native]
    pythons = {wheel.abi: wheel for wheel in native if CPYTHON.fullmatch(wheel.abi)}
    places = {_place(wheel): wheel for wheel in native}
    for kind, found in (("Pythons", pythons), ("machines", places)):
        if len(found) > 1:
            names = " and ".join(wheel.path.name for wheel in found.values())
            raise BundleError(f"the wheels in {folder} are for different {kind}: {names}", remedy=DOWNLOAD)
    if not pythons or not places:
        raise BundleError(
            f"for which Python the wheels in {folder} are cannot be told: none of them has native modules",
            remedy=DOWNLOAD,
        )
    python = (3, int(next(iter(pythons))[3:]))
    machine, libc = next(iter(places))
    return Target(python, machine, OLDEST_GLIBC, native_suffix(python, machine, libc))


def _place(wheel: _Wheel) -> tuple[str, str]:
    """Machine and C library. Raises BundleError for another system."""
    found = [PLATFORM.fullmatch(platform) for platform in wheel.platforms]
    places = {(one["machine"], "musl" if one["musl"] else "gnu") for one in found if one}
    if len(places) != 1:
        raise BundleError(f"{wheel.path.name} is not for one kind of Linux", remedy=DOWNLOAD)
    return places.pop()


def _unpacked(wheel: _Wheel) -> Shipped:
    with zipfile.ZipFile(wheel.path) as archive:
        if sum(info.file_size for info in archive.infolist()) > LARGEST:
            raise ValueError(f"unpacked it would have more than {LARGEST} bytes")
        folder = _metadata_folder(archive.namelist())
        about = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        hashes = _hashes(archive.read(f"{folder}/RECORD").decode())
        files = dict(_files(archive, hashes))
    return Shipped(
        name=str(about["Name"]),
        version=str(about["Version"]),
        licence=licence_of(about),
        requires=tuple(about.get_all("Requires-Dist", [])),
        tags=wheel.tags,
        files=with_record(files, folder),
    )


def _metadata_folder(names: list[str]) -> str:
    folders = [name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA")]
    if len(folders) != 1:
        raise ValueError("it has no metadata of one distribution")
    return folders[0]


def _hashes(record: str) -> Mapping[str, str]:
    return {row[0]: row[1] for row in csv.reader(record.splitlines()) if len(row) == 3}


def _files(archive: zipfile.ZipFile, hashes: Mapping[str, str]) -> Iterator[tuple[str, Source]]:
    for info in archive.infolist():
        path = _place_of(info.filename)
        if info.is_dir() or path is None or not is_shipped(PurePosixPath(path)):
            continue
        content = archive.read(info)
        if hashes.get(info.filename) != _as_recorded(content):
            raise ValueError(f"{info.filename} is not what the wheel's own list of hashes says")
        yield path, Bytes(content)


def _place_of(name: str) -> str | None:
    """Where an installer would put it, below the folder of imports; None: elsewhere."""
    if not name.partition("/")[0].endswith(".data"):
        return name
    found = IN_DATA.fullmatch(name)
    return found["rest"] if found else None


def _as_recorded(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _damaged(path: Path, why: str) -> BundleError:
    return BundleError(f"{path} is not a wheel that can be used: {why}", remedy=DOWNLOAD)
