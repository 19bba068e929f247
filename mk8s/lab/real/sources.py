"""Debian packages of one suite, fetched and unpacked in a folder; nothing is installed.

Laws:

1. The machine's own package system is not touched: lists, cache and state of our own, and no root.
2. apt checks every package against Debian's signed lists. What is in the folder is whole: apt writes under a
   file's own name from its first byte on, so it works in a folder beside, and what it finished is moved.
3. A package that is in the folder is not fetched again.
4. A mirror may have a bad moment: it is asked three times.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mk8s.lab.errors import LabError, UnfitError
from mk8s.lab.processes import run

from .recipe import SUITE

__all__ = ["Debian", "choose_site", "debian_site", "file_digest"]

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SITES = ["indextargets", "--format", "$(SITE) $(CODENAME) $(LABEL)"]
TRIES = 3
PAUSE = 10.0  # seconds between two of them


class Debian:
    """Packages for amd64 in `folder`/packages. `site` is a Debian mirror's address; the rest is for tests."""

    def __init__(
        self, folder: Path, site: str, apt: str = "apt-get", wait: Callable[[float], None] = time.sleep
    ) -> None:
        self.packages = folder / "packages"
        self._unfinished = self.packages / "unfinished"
        self._state = folder / "apt"
        self._site = site
        self._program, self._wait = apt, wait
        self._lists_are_new = False

    def fetch(self, names: Sequence[str]) -> None:
        """Have these binary packages. Raises LabError with apt's last words."""
        missing = [name for name in names if not self._found(name)]
        if missing:
            self._apt("download", *missing)

    def fetch_source(self, name: str, file: str, digest: str) -> Path:
        """The original source archive `file` of a package. Raises LabError if its SHA-256 is another."""
        path = self.packages / file
        if not path.exists():
            self._apt("source", "--download-only", name)
        found = file_digest(path) if path.exists() else "nothing: apt fetched another version"
        if found != digest:
            raise LabError(
                f"{path} is not the source that this was written for",
                cause=f"its SHA-256 should be {digest}, and is {found}",
                remedy="remove the file and try again; if it stays so, Debian has a new version",
            )
        return path

    def package(self, name: str) -> Path:
        """The .deb of a package that was fetched."""
        found = self._found(name)
        if found is None:
            raise LabError(f"{self.packages} has no {name}", remedy="remove the folder and try again")
        return found

    def unpack(self, name: str, into: Path) -> Path:
        """Put a package's files under `into`, which is returned. What is there already stays."""
        into.mkdir(parents=True, exist_ok=True)
        run(["dpkg-deb", "-x", self.package(name), into])
        return into

    def _found(self, name: str) -> Path | None:
        return max(self.packages.glob(f"{name}_*.deb"), default=None)

    def _apt(self, *words: str) -> None:
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(parents=True)
        if not self._lists_are_new:
            self._write_sources()
            self._run("update")
            self._lists_are_new = True
        self._run(*words)
        for path in sorted(self._unfinished.iterdir()):
            path.rename(self.packages / path.name)

    def _run(self, *words: str) -> None:
        error = self._once(words)
        for _ in range(TRIES - 1):
            if error is None:
                return
            self._wait(PAUSE)
            error = self._once(words)
        if error:
            raise LabError(
                f"Debian {SUITE} packages could not be fetched from {self._site}: apt-get {' '.join(words)}",
                cause=error.cause,
                remedy="see whether `apt-get update` works here; MK8S_LAB_MIRROR names another Debian mirror",
            ) from error

    def _once(self, words: Sequence[str]) -> LabError | None:
        """Why it failed; None if it did not."""
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            run([self._program, *self._options(), *words], cwd=self._unfinished, env=environment)
        except LabError as error:
            return error
        return None

    def _write_sources(self) -> None:
        for folder in ("lists/partial", "cache/archives/partial"):
            (self._state / folder).mkdir(parents=True, exist_ok=True)
        (self._state / "status").write_text("")
        lines = (f"{kind} [signed-by={KEYRING}] {self._site} {SUITE} main\n" for kind in ("deb", "deb-src"))
        (self._state / "sources.list").write_text("".join(lines))

    def _options(self) -> list[str]:
        settings = {
            "Dir::Etc::sourcelist": str(self._state / "sources.list"),
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State": str(self._state),
            "Dir::State::status": str(self._state / "status"),
            "Dir::Cache": str(self._state / "cache"),
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        return ["-q", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]


def debian_site(environment: Mapping[str, str], scratch: Path) -> str:
    """MK8S_LAB_MIRROR, else the Debian mirror that this machine's apt uses. Raises UnfitError for none."""
    site = (
        environment.get("MK8S_LAB_MIRROR") or choose_site(_sites()) or choose_site(_sites_asked_anew(scratch))
    )
    if not site:
        raise UnfitError(
            f"no Debian mirror is known here to take {SUITE}'s packages from",
            cause="this machine's apt uses none",
            remedy="name one: MK8S_LAB_MIRROR=http://…/debian",
        )
    if not KEYRING.exists():
        raise UnfitError(f"{KEYRING} is missing", remedy="install the package debian-archive-keyring")
    return site


def _sites(*options: str) -> str:
    return run(["apt-get", *options, *SITES], check=False).stdout


def _sites_asked_anew(scratch: Path) -> str:
    """For a machine that has never looked at its mirrors: apt knows what they are only from their lists."""
    (scratch / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::lists={scratch}", "-o", "APT::Sandbox::User=root"]
    run(["apt-get", "-q", *options, "update"], check=False)
    return _sites(*options)


def choose_site(targets: str) -> str | None:
    """Of lines `site codename label`: the one that has our suite, else any that is Debian's main archive."""
    lines = [words for words in map(str.split, targets.splitlines()) if words[2:] == ["Debian"]]
    lines.sort(key=lambda words: words[1] != SUITE)
    return lines[0][0] if lines else None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
