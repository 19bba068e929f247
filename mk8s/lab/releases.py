"""Which release files a lab's manifest names: the user's own, a stand-in, or real Kubernetes.

Nothing is built that the user has; what is built is called what it is. Real Kubernetes exists in one
version for labs (docs/real-release.md), a stand-in in all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import UnfitError
from .manifest_writer import DEFAULT_VERSIONS, UPSTREAM
from .standin_release import default_build, standin_release

__all__ = ["BUILDERS", "Builder", "ChosenRelease", "choose_release"]

Say = Callable[[str], None]
Builder = Callable[[Path, str, str, Say], "ChosenRelease"]
"""(cache, version, arch, say) -> the release, built where it is not in the cache yet."""


@dataclass(frozen=True, slots=True)
class ChosenRelease:
    """Where the release files lie, and what they are."""

    folder: Path
    version: str
    standin: bool = False
    built: bool = False  # real Kubernetes, built here


def build_standin(cache: Path, version: str, arch: str, say: Say) -> ChosenRelease:
    folder = standin_release(cache, version, arch, say, default_build)
    return ChosenRelease(folder, version, standin=True)


def build_kubeadm(cache: Path, version: str, _arch: str, say: Say) -> ChosenRelease:
    from .real import real_release

    release = real_release(cache, say)
    return _built(release.kubeadm, version, say)


def build_vanilla(cache: Path, version: str, _arch: str, say: Say) -> ChosenRelease:
    from .real import real_release

    release = real_release(cache, say)
    return _built(release.vanilla, version, say)


def _built(folder: Path, version: str, say: Say) -> ChosenRelease:
    say(f"release files: {folder}\n  real Kubernetes {version}, built from Debian's packages for labs")
    return ChosenRelease(folder, version, built=True)


BUILDERS: Mapping[str, Builder] = {
    "rke2": build_standin,
    "k3s": build_standin,
    "k0s": build_standin,
    "kubeadm": build_kubeadm,
    "vanilla": build_vanilla,
}


def choose_release(
    distro: str,
    version: str,
    artifacts: Path | None,
    *,
    cache: Path,
    arch: str,
    say: Say,
    builders: Mapping[str, Builder] = BUILDERS,
) -> ChosenRelease:
    """The release of a distro; `version` may be empty, `artifacts` is the user's folder if there is one.

    Raises UnfitError for a version that can not be built.
    """
    wanted = version or DEFAULT_VERSIONS[distro]
    if artifacts:
        return ChosenRelease(artifacts.absolute(), wanted)
    if distro in UPSTREAM and wanted != DEFAULT_VERSIONS[distro]:
        raise UnfitError(
            f"no release of {distro} {wanted} can be built here: only {DEFAULT_VERSIONS[distro]}",
            remedy="name a folder with the release files: --artifacts DIR",
        )
    return builders[distro](cache, wanted, arch, say)
