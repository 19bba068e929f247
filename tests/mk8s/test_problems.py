"""The error catalogue: strict data, and what is found with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.problems import Catalogue, CatalogueError, load_catalogue, read_catalogue

RKE2 = load_catalogue("rke2")
FILE = Path("test.yaml")
ENTRY = """\
problems:
  - {id: a, pattern: 'no (space|room)', lineage: [disk.full, disk], final: true,
     cause: c, remedy: r, source: s, example: no space}
"""


def test_what_was_said_last_counts() -> None:
    """An old complaint higher up in a journal is not today's."""
    finding = RKE2.find("no space left on device\ncritical configuration value mismatch\nstill alive")

    assert finding is not None
    assert finding.problem.id == "configuration-mismatch"
    assert finding.line == "critical configuration value mismatch"


def test_an_unknown_text_finds_nothing() -> None:
    assert RKE2.find("all is well") is None


def test_a_finding_becomes_an_error_with_cause_line_and_remedy() -> None:
    """What the operator reads: what it means, what was said, what to do."""
    finding = RKE2.find("write /var: no space left on device")

    assert finding is not None
    failure = finding.as_error().failure
    assert failure.lineage == ("disk.full", "disk")
    assert failure.message == "a disk of this host is full: write /var: no space left on device"
    assert "df -h" in failure.remedy
    assert failure.final


def test_capital_letters_make_no_difference() -> None:
    finding = read_catalogue(ENTRY.encode(), FILE).find("No Room")

    assert finding is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("id: a", "id: a, colour: red"), "colour"),
        (("final: true", "final: 1"), "final"),
        (("cause: c", "cause: ''"), "must say something"),
        (("lineage: [disk.full, disk]", "lineage: []"), "must say something"),
        (("(space|room)", "(space"), "pattern"),
        (("source: s, ", ""), "source"),
    ],
)
def test_a_wrong_catalogue_is_refused_in_words(change: tuple[str, str], words: str) -> None:
    """Data that ships with mk8s is read as strictly as a user's."""
    with pytest.raises(CatalogueError, match=words):
        read_catalogue(ENTRY.replace(*change).encode(), FILE)


def test_an_entry_may_not_be_there_twice() -> None:
    lines = ENTRY.splitlines(keepends=True)

    with pytest.raises(CatalogueError, match="twice"):
        read_catalogue("".join([*lines, *lines[1:]]).encode(), FILE)


PART = """\
problems:
  - {id: a, pattern: 'of the part', lineage: [x], final: true, cause: c, remedy: r, source: s, example: e}
  - {id: b, pattern: 'port @{port}', lineage: [x], final: true, cause: c, remedy: 'open @{port}', source: s,
     example: 'port @{port}'}
"""


def with_part(folder: Path, words: str = "{port: '1.1'}") -> Catalogue:
    (folder / "parts").mkdir()
    (folder / "parts" / "shared.yaml").write_text(PART)
    text = f"include: [shared]\nwords: {words}\n{ENTRY}"
    return read_catalogue(text.encode(), folder / "test.yaml")


def test_a_part_is_taken_with_the_programs_own_words(tmp_path: Path) -> None:
    """In a pattern they stand for themselves: a dot is a dot."""
    catalogue = with_part(tmp_path)

    finding = catalogue.find("port 1.1 is closed")
    assert finding is not None
    assert finding.problem.remedy == "open 1.1"
    assert catalogue.find("port 101 is closed") is None


def test_a_programs_own_entry_replaces_that_of_a_part(tmp_path: Path) -> None:
    catalogue = with_part(tmp_path)

    assert [problem.id for problem in catalogue.problems] == ["a", "b"]
    assert catalogue.find("of the part") is None


def test_a_word_that_the_catalogue_does_not_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"@\{port\} is not among the words"):
        with_part(tmp_path, "{}")


def test_a_part_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="include"):
        read_catalogue(f"include: [gone]\n{ENTRY}".encode(), tmp_path / "test.yaml")


def test_a_secret_in_the_line_does_not_come_into_the_message() -> None:
    finding = RKE2.find("postgres://k3s:p4ssw0rd@db/k3s: no space left on device")

    assert finding is not None
    assert "p4ssw0rd" not in finding.message
