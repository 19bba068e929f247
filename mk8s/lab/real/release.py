"""The finished release in the cache: made when it is not there, found when it is.

| in `CACHE/real` | what | size |
| --- | --- | --- |
| `packages`, `apt` | what was fetched from Debian | 0.2 GB |
| `programs-DIGEST` | what was compiled | 0.4 GB |
| `release-DIGEST` | `kubeadm`, `vanilla`, and `built-from.txt`: what was fetched | 0.4 GB more |
| `work` | while something is compiled; what a cut off build left | 2.1 GB |

Laws:

1. A folder with a digest in its name appears in one move, so it is whole, and is never changed.
2. Two processes do not build at once: the second waits for the first, then finds what it made.
3. Nothing is written outside `CACHE/real`.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mk8s.lab.errors import LabError, UnfitError
from mk8s.lab.locks import locked
from mk8s.lab.machine import install_packages

from .artifacts import lay_out
from .building import PROGRAMS, build_programs
from .contents import Ingredients
from .recipe import IMAGE_PACKAGES, NODE_PACKAGES, VERSION, programs_digest, release_digest
from .sources import Debian, debian_site, file_digest

__all__ = ["RealRelease", "missing_tools", "real_release", "refuse_unfit"]

Say = Callable[[str], None]
ROOM = 4 << 30  # bytes: a build from nothing takes 2.7 GB
TOOLS = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "gcc": "gcc libc6-dev",
    "objdump": "binutils",
    "tar": "tar",
}
"""Program -> the Debian packages that have it."""


@dataclass(frozen=True, slots=True)
class RealRelease:
    """Two folders of release files for linux-amd64, ready for a manifest's `artifacts_dir`.

    `kubeadm` has kubeadm and all images; `vanilla` has the servers, kube-proxy and etcd as programs, and
    only the images that pods and nodes need. Read them, copy them, never change them: they are shared.
    """

    kubeadm: Path
    vanilla: Path
    version: str = VERSION


def real_release(cache: Path, say: Say) -> RealRelease:
    """The release for this machine's labs; built when it is not in `cache` yet, which takes minutes.

    `say` hears what is being built. Found, it takes milliseconds and no network. Raises UnfitError where it
    cannot be built at all (see `refuse_unfit`), LabError with the last words of the tool that failed.
    """
    folder = cache / "real"
    release = folder / f"release-{release_digest()}"
    if not release.exists():
        refuse_unfit()
        _require_tools(say)
        with locked(folder, lambda: say("waiting: another mk8s is building the real release")):
            if not release.exists():
                _make(folder, release, say)
    return RealRelease(release / "kubeadm", release / "vanilla")


def refuse_unfit(system: str = sys.platform, machine: str = platform.machine()) -> None:
    """Raises UnfitError, with what to do, where the release can be neither built nor used.

    Root on Debian is fit without the tools: they get installed as the lab's other programs are.
    """
    if (system, machine) != ("linux", "x86_64"):
        raise UnfitError(
            f"the real release is for Linux on amd64 only; this is {system} on {machine}",
            remedy="`mk8s simulate` works anywhere; the stand-in for RKE2 (`mk8s lab up`) also on arm64",
        )
    missing = missing_tools()
    if missing and (os.geteuid() != 0 or "apt-get" in missing):
        raise UnfitError(
            f"the real release is built with programs that are missing here: {', '.join(missing)}",
            remedy="as root on Debian: apt-get install " + " ".join(TOOLS[name] for name in missing),
        )


def missing_tools(find: Callable[[str], str | None] = shutil.which) -> list[str]:
    return [name for name in TOOLS if not find(name)]


def _require_tools(say: Say) -> None:
    missing = missing_tools()
    if missing:
        install_packages([package for name in missing for package in TOOLS[name].split()], say)


def _make(folder: Path, release: Path, say: Say) -> None:
    began = time.monotonic()
    debian = Debian(folder, debian_site(os.environ, folder / "apt/mirrors"))
    programs = folder / f"programs-{programs_digest()}"
    if not programs.exists():
        _refuse_full_disk(folder)
        say(f"building Kubernetes {VERSION} in {folder} (three to ten minutes, once; 3 GB while it lasts)")
        _make_programs(debian, folder / "work", programs, say)
    _make_folders(debian, programs, folder / "layout", release, say)
    _remove_old(folder, keep=(programs, release))
    say(f"the real release is ready after {time.monotonic() - began:.0f} s: {release}")


def _make_programs(debian: Debian, work: Path, programs: Path, say: Say) -> None:
    finished = work / "programs"
    try:
        build_programs(debian, work, finished, say)
    except LabError as error:
        raise type(error)(
            f"the real release could not be built: {error.problem}",
            cause=error.cause,
            remedy=error.remedy or f"try again: what is compiled is kept; if it stays so, remove {work}",
        ) from error
    missing = [name for name in PROGRAMS if not (finished / name).exists()]
    if missing:
        raise LabError(f"these programs were not built: {', '.join(missing)}", remedy=f"remove {work}")
    finished.rename(programs)
    _remove(work)


def _make_folders(debian: Debian, programs: Path, layout: Path, release: Path, say: Say) -> None:
    say("packing images and folders")
    _remove(layout)
    unfinished, packages, scratch = (layout / name for name in ("release", "packages", "scratch"))
    for path in (unfinished / "kubeadm", unfinished / "vanilla", scratch):
        path.mkdir(parents=True)
    names = (*IMAGE_PACKAGES, *NODE_PACKAGES)
    debian.fetch(names)
    for name in names:
        debian.unpack(name, packages / name)
    lay_out(Ingredients(programs, packages), unfinished / "kubeadm", unfinished / "vanilla", scratch)
    (unfinished / "built-from.txt").write_text(built_from(debian.packages))
    unfinished.rename(release)
    _remove(layout)


def built_from(packages: Path) -> str:
    """What was fetched from Debian, as `sha256sum --check` reads it."""
    kinds = (".deb", ".gz")
    paths = sorted(path for path in packages.iterdir() if path.suffix in kinds)
    return "".join(f"{file_digest(path)}  {path.name}\n" for path in paths)


def _refuse_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise UnfitError(
            f"{folder} has room for {free / 1e9:.1f} GB; building the real release takes {ROOM / 1e9:.1f} GB",
            remedy="make room, or set XDG_CACHE_HOME to a folder on another disk",
        )


def _remove_old(folder: Path, keep: tuple[Path, ...]) -> None:
    """What earlier recipes made, but for the last before this one: a lab may still be installing it."""
    for kind in ("programs", "release"):
        others = [path for path in folder.glob(f"{kind}-*") if path not in keep]
        for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
            _remove(path)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
