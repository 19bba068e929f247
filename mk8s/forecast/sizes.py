"""How large the release's files are that a rehearsal counts with: as they are here, or nominal ones.

It hashes no file, for only sizes matter for time. A damaged one counts as it is: `mk8s plan` and a run look.
Begin reading at `sizes_at_hand`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG

from mk8s.amounts import bytes_in_words, counted
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro
from mk8s.rehearsal import nominal_release
from transports.base import File

__all__ = ["Sizes", "sizes_at_hand", "sizes_in_words"]

TOLD = 4  # files that are named


@dataclass(frozen=True, slots=True)
class Sizes:
    """The release with the sizes that count, and which of them are made up."""

    release: Mapping[str, File]  # by artifact; hashes are made from names
    assumed: Mapping[str, int]  # files that are needed and not here -> nominal bytes


def sizes_at_hand(cluster: Cluster, distro: Distro) -> Sizes:
    """Files with the sizes that they have here; a nominal one for a file that is needed and is not here.

    What cannot be looked at is not here.
    """
    needed = {item.id for item in distro.artifacts(cluster) if item.required}
    nominal = nominal_release(cluster, distro)
    here = {name: _size(file.path) for name, file in nominal.items()}
    release: dict[str, File] = {}
    for name, file in nominal.items():
        size = here[name]
        if size is not None:
            release[name] = replace(file, size=size)
        elif name in needed:
            release[name] = file
    assumed = {file.path.name: file.size for name, file in release.items() if here[name] is None}
    return Sizes(release, assumed)


def _size(path: Path) -> int | None:
    """None: there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size if S_ISREG(found.st_mode) else None


def sizes_in_words(sizes: Sizes) -> str:
    """Which sizes count, for people."""
    if not sizes.release:
        return "none, as no file of a release is sent"
    own = len(sizes.release) - len(sizes.assumed)
    if not sizes.assumed:
        return f"those of the {counted(own, 'file')} of the release that are here"
    if not own:
        return "nominal ones, as no file of the release is here"
    named = [f"{name} {bytes_in_words(size)}" for name, size in sizes.assumed.items()]
    more = [f"{len(named) - TOLD} more"] if len(named) > TOLD else []
    told = ", ".join([*named[:TOLD], *more])
    verb = "is" if own == 1 else "are"
    return f"{counted(own, 'file')} of the release {verb} here; nominal ones stand for the others: {told}"
