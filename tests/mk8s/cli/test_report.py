"""mk8s report: where a page goes, which run it is of, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from machines.framing import frame
from machines.simulation import ScriptedFault
from mk8s.cli import main
from mk8s.rehearsal import TOKEN
from mk8s.report.files import write_page
from tests.mk8s.cli.recorded import as_real, keep, manifest_in, run_of

FULL = ScriptedFault("srv-3", "file.append", "disk-full", attempt=None)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster whose only run ended with a full disk on one server."""
    path = manifest_in(tmp_path_factory.mktemp("report"))
    keep(path, as_real(run_of(path, FULL).records))
    return path


def test_a_recorded_run_becomes_a_page(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path is printed, for the next command; the page tells what went wrong and what to do."""
    out = tmp_path / "page.html"
    assert main(["report", str(manifest), "--out", str(out), "--no-prediction"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    text = out.read_text()
    assert "Nodes that need you" in text
    assert "disk.full" in text
    assert "Predicted and measured" not in text
    assert "simulated" not in text.partition("<body>")[2].partition("</h1>")[0]
    assert "from None" not in text
    assert TOKEN not in text


def test_the_run_is_laid_beside_its_prediction(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the models' own durations, unless something better is given."""
    out = tmp_path / "page.html"
    assert main(["report", str(manifest), "--out", str(out)]) == 0
    assert "Predicted and measured" in out.read_text()
    assert "predicting the run with 5 seeds" in capsys.readouterr().err


def test_a_rehearsal_becomes_a_page_on_stdout(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is recorded of it, and nothing else is on stdout; which sizes it counted is said beside."""
    assert main(["report", str(manifest), "--simulate", "--seed", "7", "--out", "-"]) == 0
    told = capsys.readouterr()
    text = told.out
    assert "sizes of files: nominal ones, as no file of the release is here" in told.err
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    assert "simulated run, seed 7" in text
    assert "All 5 nodes are healthy" in text


def test_a_manifest_with_other_nodes_than_the_run_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is to read that all is well of a node that no run knows, or that the manifest has lost."""
    path = manifest_in(tmp_path)
    keep(path, run_of(path).records)
    words = ["report", str(path), "--no-prediction", "--out", "-"]
    assert main(words) == 0
    same = capsys.readouterr()
    assert ("has changed since" in same.out, same.err) == (False, "")
    path.write_text(path.read_text().replace("agent-2, address: 192.0.2.22", "agent-9, address: 192.0.2.29"))
    assert main(words) == 0
    said = capsys.readouterr()
    gone = (
        "node agent-2 stands in the journal but not in the manifest any more; removing nodes is not built yet"
    )
    come = "node agent-9 stands in the manifest but not in the journal: not in a run yet"
    assert said.err == f"{path} has changed since: {gone}\n{path} has changed since: {come}\n"
    head = said.out.partition("<nav")[0]
    assert "All 5 nodes of this run are healthy." in head
    assert f"since: {gone}." in head
    assert f"since: {come}." in head


def test_a_journal_in_a_file_becomes_a_page(manifest: Path, tmp_path: Path) -> None:
    """As `mk8s simulate --journal` writes one; it says that it was simulated."""
    journal, out = tmp_path / "run.journal", tmp_path / "page.html"
    journal.write_bytes(b"".join(map(frame, run_of(manifest).records)))
    assert (
        main(["report", str(manifest), "--journal", str(journal), "--out", str(out), "--no-prediction"]) == 0
    )
    assert "simulated run, from" in out.read_text()


def test_a_page_of_ours_is_overwritten_and_any_other_file_is_not(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's file is not worth a page."""
    out = tmp_path / "page.html"
    words = ["report", str(manifest), "--no-prediction", "--out", str(out)]
    assert (main(words), main(words)) == (0, 0)
    out.write_text("<p>mine</p>")
    assert main(words) == 2
    assert "is no page of mk8s" in capsys.readouterr().err
    assert out.read_text() == "<p>mine</p>"
    assert main([*words[:-1], str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--simulate", "--state", "x"], "--state and --simulate name two runs"),
        (["--seed", "3"], "are of a rehearsal"),
        (["--simulate", "--faults", "0.9"], "too many"),
        (["--journal", "/nowhere/at/all"], "cannot be read"),
        (["--out", "/nowhere/at/all.html", "--no-prediction"], "cannot be written"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], complaint: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do instead, and before anything is written."""
    assert main(["report", str(manifest), *words]) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert "hint: " in told


def test_a_cluster_without_a_run_has_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The next command is named."""
    assert main(["report", str(manifest_in(tmp_path))]) == 1
    assert "mk8s run" in capsys.readouterr().err


def test_no_key_is_needed(tmp_path: Path) -> None:
    """A page is made where nobody could log in: on another machine, years later."""
    path = manifest_in(tmp_path)
    keep(path, run_of(path).records)
    path.write_text(path.read_text() + "ssh: {key_path: /nowhere/id_ed25519}\n")
    assert main(["report", str(path), "--no-prediction", "--out", str(tmp_path / "page.html")]) == 0


def test_a_link_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others may write to, the name of the file beside the page can be guessed."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f".page.html.{os.getpid()}.tmp").symlink_to(victim)
    write_page(tmp_path / "page.html", "<!doctype html>")
    assert victim.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "victim"]


def test_of_agents_alone_no_control_plane_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """They join one that is there: it is neither complete nor missing."""
    example = Path(__file__).parents[3] / "specs" / "clusters" / "agents-only.yaml"
    assert main(["report", str(example), "--simulate", "--out", "-"]) == 0
    text = capsys.readouterr().out
    assert "All nodes healthy after" in text
    assert "Control plane complete" not in text
