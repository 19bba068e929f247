"""mk8s graph: the machine and recorded runs, in every format; and what it refuses."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from machines.simulation import ScriptedFault
from mk8s.cli import main
from tests.mk8s.cli.recorded import keep, manifest_in, run_of

FULL = ScriptedFault("srv-3", "file.append", "disk-full", attempt=None)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster whose only run ended with a full disk on one server."""
    path = manifest_in(tmp_path_factory.mktemp("graph"))
    keep(path, run_of(path, FULL).records)
    return path


@pytest.mark.parametrize("form", ["mermaid", "dot", "plantuml", "svg"])
def test_a_recorded_run_is_drawn_in_every_format(
    form: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts of states, and how often a way was taken."""
    assert main(["graph", str(manifest), "--run", "--format", form]) == 0
    drawn = capsys.readouterr().out
    assert "5x" in drawn
    if form == "svg":
        assert ElementTree.fromstring(drawn).tag.endswith("svg")
    else:
        assert "healthy (2)" in drawn


@pytest.mark.parametrize(
    ("form", "first"), [("plantuml", "@startuml\nhide empty description"), ("svg", "<svg ")]
)
def test_the_shipped_machine_needs_no_manifest(
    form: str, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table as it is shipped."""
    assert main(["graph", "--format", form]) == 0
    assert capsys.readouterr().out.startswith(first)


@pytest.mark.parametrize(("form", "first"), [("mermaid", "sequenceDiagram"), ("plantuml", "@startuml")])
def test_a_recorded_run_is_drawn_as_messages(
    form: str, first: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the nodes as participants."""
    assert main(["graph", str(manifest), "--sequence", "--format", form]) == 0
    drawn = capsys.readouterr().out
    assert drawn.startswith(first)
    assert "srv-3 (server)" in drawn


def test_a_journal_in_a_file_is_drawn_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a simulation, for a cluster that was never run."""
    path = manifest_in(tmp_path)
    file = tmp_path / "sim.jsonl"
    file.write_bytes(run_of(path).journal)
    assert main(["graph", str(path), "--run", "--journal", str(file)]) == 0
    assert "healthy (5)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--run"], "hint: name its manifest: mk8s graph cluster.yaml --run"),
        (["--sequence"], "hint: name its manifest: mk8s graph cluster.yaml --sequence"),
        (["M", "--journal", "x"], "hint: add --run or --sequence"),
        (["M", "--sequence", "--format", "svg"], "hint: --format mermaid or plantuml"),
        (["M", "--run", "--journal", "/nowhere/x"], "/nowhere/x cannot be read: No such file or directory"),
        (["M", "--run", "--journal", "M"], "cluster.yaml is no journal of a run"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_to_do(
    words: list[str], told: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told in words, with the exit code of a wrong command line or of a journal that is none."""
    assert main(["graph", *(str(manifest) if word == "M" else word for word in words)]) in (1, 2)
    assert told in capsys.readouterr().err


def test_a_file_without_a_record_is_no_journal(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty file, such as a torn copy."""
    empty = tmp_path / "empty"
    empty.touch()
    assert main(["graph", str(manifest), "--run", "--journal", str(empty)]) == 2
    assert f"{empty} holds no record of a run" in capsys.readouterr().err
