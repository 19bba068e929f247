"""The Pythons at hand, and whether they can run what this one runs.

A Python is at hand when it is on PATH, in /usr/bin, or where pyenv keeps its own; `MK8S_PYTHONS` names
others, such as those of environments with packages of their own. One without packages is lent this
environment's; where these hold extensions for another Python, it cannot run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["Python", "pythons", "this_python"]

HOME = Path(__file__).parents[3]
LOOK = "import sys; print(*sys.version_info[:3])"
TRY = "import msgspec, trio, anyio, transitions, yaml"


@dataclass(frozen=True)
class Python:
    """An interpreter, what is on its path, and why it cannot run us; empty: it can."""

    path: Path
    version: tuple[int, ...]
    packages: str
    unfit: str = ""

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))} ({self.path})"

    def output(self, program: str, hash_seed: int) -> str:
        """What a program prints, by this Python, with this seed of hashes."""
        done = _run(self.path, program, self.packages, hash_seed)
        assert done.returncode == 0, f"{self}: {done.stderr}"
        return done.stdout.strip()


def this_python() -> Python:
    """The one that runs this."""
    return Python(Path(sys.executable), tuple(sys.version_info[:3]), _lent())


@lru_cache
def pythons(minor: int) -> tuple[Python, ...]:
    """Every other Python 3 of this minor version at hand, each once."""
    found: dict[tuple[int, ...] | Path, Python] = {}
    for path in _places():
        done = _run(path, LOOK, "") if os.access(path, os.X_OK) else None
        version = tuple(map(int, done.stdout.split())) if done and done.returncode == 0 else ()
        if version[:2] == (3, minor) and path.resolve() != Path(sys.executable).resolve():
            found.setdefault(version, _look(path, version))
    return tuple(found.values())


def _places() -> Iterator[Path]:
    yield from (Path(name) for name in os.environ.get("MK8S_PYTHONS", "").split(os.pathsep) if name)
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"):
        yield from sorted(Path(folder or ".").glob("python3.[0-9][0-9]"))
    yield from sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))


def _look(path: Path, version: tuple[int, ...]) -> Python:
    """With its own packages, else with ours."""
    words = ""
    for packages in (str(HOME), _lent()):
        tried = _run(path, TRY, packages)
        if tried.returncode == 0:
            return Python(path, version, packages)
        words = (tried.stderr.strip().splitlines() or ["?"])[-1]
    return Python(path, version, "", f"{path}: {words}")


def _run(path: Path, program: str, packages: str, hash_seed: int = 0) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": packages}
    return subprocess.run(
        [path, "-c", program], env=env, capture_output=True, text=True, timeout=300, check=False
    )


def _lent() -> str:
    """This environment's packages, and not its standard library."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    entries = [
        entry
        for entry in sys.path
        if entry and entry not in own and not entry.endswith(("lib-dynload", ".zip"))
    ]
    return os.pathsep.join([str(HOME), *entries])
