"""mk8s.artifacts.checking: a verdict for each file, and which of them stop a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.artifacts.checking import check_files, checked_as_data, checked_as_text
from mk8s.artifacts.checksums import read_checksums
from mk8s.artifacts.missing import may_fetch
from mk8s.cluster import ArtifactSource, Cluster
from mk8s.distros.base import ArtifactItem, Origin
from tests.mk8s.artifacts.fetching import content, digest
from tests.mk8s.examples import cluster

EVERYONE = frozenset({"primary", "server", "agent"})
DATA = content(1000)


@dataclass
class Bare:
    """A catalogue of one file, and perhaps another that is not required."""

    items: list[ArtifactItem] = field(default_factory=list)
    name: str = "bare"

    def faults(self, cluster: Cluster) -> list[str]:
        return []

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return self.items

    def checksums(self, text: str) -> dict[str, str]:
        return read_checksums(text)

    def secrets_in(self, config: Any) -> list[str]:
        return []


def item(name: str = "binary", *, required: bool = True, size: int | None = None) -> ArtifactItem:
    return ArtifactItem(name, name, "a file", required, EVERYONE, True, Origin(size=size))


def verdict(
    folder: Path, data: bytes | None, expected: bytes | None = DATA, **words: Any
) -> tuple[str, bool]:
    """The one file's word, and whether a run may go on."""
    if data is not None:
        (folder / "binary").write_bytes(data)
    given = {} if expected is None else {"binary": ArtifactSource(checksum=f"sha256:{digest(expected)}")}
    known = replace(cluster(artifacts_dir=folder), artifacts=given)
    (checked,) = check_files(known, Bare([item(**words)]))
    return checked.verdict, checked.good


@pytest.mark.parametrize(
    ("data", "expected", "words", "found"),
    [
        (DATA, DATA, {}, ("ok", True)),
        (None, DATA, {}, ("missing", False)),
        (None, None, {"required": False}, ("missing", True)),
        (b"x" * 1000, DATA, {}, ("damaged", False)),
        (b"x", DATA, {"required": False}, ("damaged", False)),
        (DATA[:-1], DATA, {"size": 1000}, ("cut", False)),
        (b"", None, {}, ("cut", False)),
        (DATA, None, {}, ("no-hash", True)),
        (DATA[:-1], None, {"size": 1000}, ("cut", False)),
    ],
)
def test_each_state_of_a_file_has_its_word(
    tmp_path: Path, data: bytes | None, expected: bytes | None, words: dict[str, Any], found: tuple[str, bool]
) -> None:
    """And says whether a run may go on with it."""
    assert verdict(tmp_path, data, expected, **words) == found


def test_a_file_that_cannot_be_read_is_not_whole(tmp_path: Path) -> None:
    """Its disk, its permissions: in any case nobody can send it."""

    def broken(path: Path) -> str:
        raise OSError(5, "Input/output error")

    (tmp_path / "binary").write_bytes(DATA)
    (checked,) = check_files(cluster(artifacts_dir=tmp_path), Bare([item()]), broken)
    assert (checked.verdict, checked.good) == ("unreadable", False)


def test_the_hash_of_a_first_download_counts(tmp_path: Path) -> None:
    """What nobody publishes is held against what it was."""
    (tmp_path / "mk8s-hashes.txt").write_text(f"{digest(DATA)}  binary\n")
    assert verdict(tmp_path, DATA, None) == ("ok", True)
    assert verdict(tmp_path, DATA + b"x", None) == ("damaged", False)


def test_people_and_programs_are_told_the_same(tmp_path: Path) -> None:
    """A table with short hashes; JSON with whole ones."""
    (tmp_path / "binary").write_bytes(DATA)
    known = cluster(artifacts_dir=tmp_path)
    checked = check_files(known, Bare([item(), item("extra", required=False)]))
    table = checked_as_text(checked).splitlines()
    assert table[1].split() == ["binary", "1000", "B", "-", digest(DATA)[:12], "no-hash"]
    assert table[2].split() == ["extra", "-", "-", "-", "missing", "(not", "needed)"]
    data = json.loads(json.dumps(checked_as_data(checked, known)))
    assert data["whole"]
    assert data["files"][0]["found"] == digest(DATA)


@pytest.mark.parametrize(
    ("airgap", "mode", "may"),
    [
        (False, "download", True),
        (False, "bundle", False),
        (True, "bundle", True),  # from the manifest's own mirrors: the egress policy sees to it
        (True, "download", True),
        (True, "preinstalled", False),
    ],
)
def test_a_run_fetches_only_where_the_mode_lets_it(airgap: bool, mode: Any, may: bool) -> None:
    """`bundle` without an air gap is a promise that nothing is asked."""
    assert may_fetch(replace(cluster(), airgap=airgap, artifacts_mode=mode)) is may
