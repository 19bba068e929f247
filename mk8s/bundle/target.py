"""The Python that a bundle's mk8s runs on: native modules are for one minor, one machine, one C library.

Pure, but for `here`, which asks the Python that runs. Begin reading at `Target`.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.machinery import EXTENSION_SUFFIXES

__all__ = ["OLDEST_GLIBC", "Target", "glibc_of", "here", "native_suffix", "with_glibc_for"]

OLDEST_GLIBC = (2, 17)  # of manylinux2014, the oldest that anything is built for today
LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}  # PEP 600
MODERN = re.compile(r"manylinux_(\d+)_(\d+)_")


@dataclass(frozen=True, slots=True)
class Target:
    """CPython on Linux. `glibc` is the oldest that will do; `suffix` is that of its native modules."""

    python: tuple[int, int]
    machine: str  # as `uname -m` says it
    glibc: tuple[int, int]
    suffix: str

    @property
    def minor(self) -> str:
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def libc(self) -> str:
        """The oldest glibc, as people write it."""
        return f"{self.glibc[0]}.{self.glibc[1]}"

    @property
    def needs_glibc(self) -> bool:
        """Whether its native modules are for glibc, and not for musl."""
        return not self.suffix.endswith("-musl.so")

    @property
    def words(self) -> str:
        """For people."""
        libc = f"glibc {self.libc} or newer" if self.needs_glibc else "musl"
        return f"CPython {self.minor} on {self.machine} with {libc}"


def here() -> Target:
    """The Python that runs this, and the C library that it runs with."""
    return Target(
        python=(sys.version_info.major, sys.version_info.minor),
        machine=platform.machine(),
        glibc=OLDEST_GLIBC,
        suffix=EXTENSION_SUFFIXES[0],
    )


def native_suffix(python: tuple[int, int], machine: str, libc: str) -> str:
    """The end of the names of native modules on Linux; `libc` is ``gnu`` or ``musl``."""
    return f".cpython-{python[0]}{python[1]}-{machine}-linux-{libc}.so"


def with_glibc_for(target: Target, tags: Iterable[Iterable[str]]) -> Target:
    """The same with a C library that is new enough for wheels of these tags; one set of tags a wheel."""
    return replace(target, glibc=max([OLDEST_GLIBC, *(glibc_of(own) for own in tags)]))


def glibc_of(tags: Iterable[str]) -> tuple[int, int]:
    """The oldest glibc that a wheel runs with. What was built on this machine is held to be for its own."""
    platforms = [tag.rpartition("-")[2] for tag in tags]
    if not platforms or all(name == "any" for name in platforms):
        return (0, 0)
    known = [version for name in platforms if (version := _promised(name)) is not None]
    return min(known) if known else _of_this_machine()


def _promised(name: str) -> tuple[int, int] | None:
    if found := MODERN.match(name):
        return int(found[1]), int(found[2])
    return LEGACY.get(name.partition("_")[0])


def _of_this_machine() -> tuple[int, int]:
    try:
        found = re.search(r"(\d+)\.(\d+)", os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (ValueError, OSError):  # another C library does not know the word
        found = None
    return (int(found[1]), int(found[2])) if found else OLDEST_GLIBC
