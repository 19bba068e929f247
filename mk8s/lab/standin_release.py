"""The release that a lab's manifest names: a stand-in, built here, unless the user has a folder of his own.

It is called a stand-in wherever it is spoken of: it behaves like the distro where mk8s can see it, and is
not its makers'.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .locks import locked

__all__ = ["Build", "standin_release"]

TITLES = {"+rke2r": "RKE2", "+k3s": "K3s", "+k0s.": "k0s"}
Build = Callable[[Path, str, str], Path]
"""(folder, version, arch) -> the folder that holds the release files."""


def standin_release(cache: Path, version: str, arch: str, say: Callable[[str], None], build: Build) -> Path:
    """The stand-in of that version; builds it, or brings it up to date, in the cache.

    The version's suffix says of which distro: no two of them have a version in common.
    """
    folder = cache / "standin" / f"{version}-{arch}"
    with locked(folder, lambda: say("waiting: another mk8s is building the stand-in release")):
        release = build(folder, version, arch)
    what = f"a stand-in for {_title(version)} {version}, not its makers': it runs no pods"
    say(f"release files: {release}\n  {what}")
    return release


def _title(version: str) -> str:
    return next((title for mark, title in TITLES.items() if mark in version), "the distro")


def default_build(folder: Path, version: str, arch: str) -> Path:
    from mk8s.standin import build_release

    return build_release(folder, version, arch)
