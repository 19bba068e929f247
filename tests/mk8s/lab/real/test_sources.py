"""What was fetched from Debian: whole or not there, however apt ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.errors import LabError
from mk8s.lab.real.sources import PAUSE, Debian

# An apt-get whose `download` writes under the own name of a package from the first byte on, as the real one
# does. While there is a line in `troubles`, it fails half way, and takes the line away.
APT = """#!/bin/sh
case "$*" in *download*) ;; *) exit 0 ;; esac
printf half >hello_1_amd64.deb
if [ -s {folder}/troubles ]; then
    sed -i 1d {folder}/troubles
    echo 'E: the mirror has a bad moment' >&2
    exit 100
fi
printf ' and half' >>hello_1_amd64.deb
"""


class Fetching:
    """A folder of packages, an apt that fails a number of times, and how long was waited in between."""

    def __init__(self, folder: Path, troubles: int) -> None:
        apt = folder / "apt-get"
        apt.write_text(APT.format(folder=folder))
        apt.chmod(0o755)
        (folder / "troubles").write_text("x\n" * troubles)
        self.waited: list[float] = []
        self.debian = Debian(folder / "real", "http://near/debian", str(apt), self.waited.append)

    def content(self) -> str:
        return self.debian.package("hello").read_text()


def test_a_mirror_is_asked_again_after_a_bad_moment(tmp_path: Path) -> None:
    """A build of ten minutes is not lost for it."""
    fetching = Fetching(tmp_path, troubles=2)
    fetching.debian.fetch(["hello"])
    assert fetching.content() == "half and half"
    assert fetching.waited == [PAUSE, PAUSE]


def test_a_mirror_that_stays_away_is_named_with_its_last_words(tmp_path: Path) -> None:
    fetching = Fetching(tmp_path, troubles=3)
    with pytest.raises(LabError, match="could not be fetched from http://near/debian") as failed:
        fetching.debian.fetch(["hello"])
    assert "the mirror has a bad moment" in str(failed.value.cause)


def test_a_package_that_was_cut_off_does_not_count_as_fetched(tmp_path: Path) -> None:
    """apt leaves the half under the whole's name; the next build has to fetch it, not to unpack it."""
    fetching = Fetching(tmp_path, troubles=3)
    with pytest.raises(LabError):
        fetching.debian.fetch(["hello"])
    fetching.debian.fetch(["hello"])
    assert fetching.content() == "half and half"
