"""mk8s itself, as it travels in a bundle: it runs there without a network and without an installation.

    mk8s/mk8s        the program: a shell script that finds a Python that fits, see launcher.sh
    mk8s/lib/...     what is imported: mk8s and every library that it needs, as they are installed here

The libraries have native modules, so Python's minor version, the machine and the C library must fit:
those of the Python that makes the bundle, or those of the wheels that are given (`wheels`).

Begin reading at `runtime_members`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mk8s.bundle.index import RUNTIME, BundleError, Member
from mk8s.bundle.installed import Shipped, needed_distributions, shipped_from
from mk8s.bundle.itself import mk8s_itself
from mk8s.bundle.target import Target, here, with_glibc_for
from mk8s.bundle.wheels import Wheels
from transports.base import Bytes, Source

__all__ = ["LAUNCHER", "runtime_members", "shipped", "target", "target_words"]

LAUNCHER = f"{RUNTIME}mk8s"
LIBRARY = f"{RUNTIME}lib/"
ENTRY = b"""\
\"\"\"Starts mk8s where nothing is installed.\"\"\"

import sys

from mk8s.cli import main

sys.exit(main())
"""


def runtime_members(wheels: Path | None = None) -> tuple[Member, ...]:
    """All files below ``mk8s/`` in a bundle, sorted. Raises BundleError for a broken installation.

    `wheels`: a folder with wheels of the libraries, for another Python or machine; see `mk8s.bundle.wheels`.
    """
    target, distributions = _runtime(wheels)
    members = [Member(f"{LIBRARY}__main__.py", Bytes(ENTRY))]
    members += [Member(f"{LIBRARY}{path}", source) for path, source in _files(distributions).items()]
    members.append(Member(LAUNCHER, Bytes(launcher(target)), executable=True))
    return tuple(sorted(members, key=lambda member: member.path))


def shipped(wheels: Path | None = None) -> tuple[Shipped, ...]:
    """The distributions in it: mk8s first, then what it needs, by name. Raises BundleError."""
    return _runtime(wheels)[1]


def target(wheels: Path | None = None) -> Target:
    """The Python that it is made for. Raises BundleError."""
    return _runtime(wheels)[0]


def target_words(wheels: Path | None = None) -> str:
    """The same for people: ``CPython 3.11 on x86_64 with glibc 2.34 or newer``."""
    return target(wheels).words


@lru_cache(maxsize=1)
def _runtime(wheels: Path | None) -> tuple[Target, tuple[Shipped, ...]]:
    """Kept, because a bundle asks for it several times, and what is installed does not change meanwhile."""
    itself = mk8s_itself()
    given = Wheels(wheels) if wheels else None
    base, find = (given.target, given.find) if given else (here(), shipped_from)
    needed = needed_distributions(itself.requires, base, find)
    return with_glibc_for(base, [one.tags for one in needed]), (itself, *needed)


def launcher(target: Target) -> bytes:
    """The shell script that starts it."""
    text = Path(__file__).with_name("launcher.sh").read_text(encoding="utf-8")
    values = {"SUFFIX": target.suffix, "LIBC": target.libc, "MINOR": target.minor, "WORDS": target.words}
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text.encode()


def _files(distributions: tuple[Shipped, ...]) -> dict[str, Source]:
    """All of them in one folder, as an installer lays them. Two that want one path are a fault."""
    owners: dict[str, str] = {}
    files: dict[str, Source] = {}
    for one in distributions:
        for path, source in one.files.items():
            if path in files and files[path].sha256 != source.sha256:
                raise BundleError(f"{owners[path]} and {one.name} both have a file {path}, and they differ")
            owners[path], files[path] = one.name, source
    return files
