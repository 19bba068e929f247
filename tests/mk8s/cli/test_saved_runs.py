"""A simulated run that is saved: its journal, and beside it the transcript that its readers find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machines.framing import parse
from mk8s.cli import main
from mk8s.report.files import refuse_page, refuse_whole
from tests.mk8s.cli.recorded import keep, manifest_in
from tests.mk8s.test_identity import OLD

UNKNOWN = "its steps are not known"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the manifest, sim.jsonl and what lies beside it."""
    folder = tmp_path_factory.mktemp("saved")
    assert main(["simulate", str(manifest_in(folder)), "--journal", str(folder / "sim.jsonl")]) == 0
    return folder


def read(folder: Path, verb: str, *words: str, journal: str = "sim.jsonl") -> int:
    return main([verb, str(folder / "cluster.yaml"), "--journal", str(folder / journal), *words])


def test_a_page_of_a_saved_run_knows_its_steps(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same sections as those of the page that a simulation writes by itself."""
    assert read(saved, "report", "--no-prediction", "--out", "-") == 0
    page = capsys.readouterr().out
    assert UNKNOWN not in page
    assert "No transcript" not in page
    assert "wait until " in page


def test_its_steps_stand_between_its_records(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people, for programs, and followed."""
    assert read(saved, "journal", "--steps", "--output", "json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps = [each for each in told if each["kind"] == "step"]
    assert {step["node"] for step in steps} == {"srv-1", "srv-2", "srv-3", "agent-1", "agent-2"}
    assert read(saved, "journal", "--steps", "--follow", "--output", "json") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(told)


def test_the_same_seed_saves_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    """Of both files; a run that is saved again takes the place of the one before."""
    again = tmp_path / "sim.jsonl"
    for seed in ("3", "0"):
        words = ["simulate", str(saved / "cluster.yaml"), "--seed", seed, "--journal", str(again)]
        assert main(words) == 0
    for name in ("sim.jsonl", "sim.transcript.jsonl"):
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes()


@pytest.mark.parametrize("what", ["missing", "of another run", "bent"])
def test_a_transcript_that_is_not_the_journals_is_said_to_be_missing(
    what: str, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the page, and beside the records; nothing of another run is told."""
    manifest_in(tmp_path)
    (tmp_path / "copy.jsonl").write_bytes((saved / "sim.jsonl").read_bytes())
    whole = (saved / "sim.transcript.jsonl").read_text()
    beside = tmp_path / "copy.transcript.jsonl"
    if what == "of another run":
        beside.write_text(whole.replace('"journal":"', '"journal":"0', 1))
    elif what == "bent":
        beside.write_text("\0" + whole)
    assert read(tmp_path, "report", "--no-prediction", "--out", "-", journal="copy.jsonl") == 0
    page = capsys.readouterr().out
    assert UNKNOWN in page
    assert "No transcript of it was found" in page
    assert read(tmp_path, "journal", "--steps", journal="copy.jsonl") == 0
    assert f"{UNKNOWN}: there is no {beside} that is of this very journal" in capsys.readouterr().err


def test_somebody_elses_file_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused before anything is simulated, with what to do."""
    manifest, mine = manifest_in(tmp_path), tmp_path / "sim.transcript.jsonl"
    mine.write_text("dear diary\n")
    assert main(["simulate", str(manifest), "--journal", str(tmp_path / "sim.jsonl")]) == 2
    said = capsys.readouterr().err
    assert f"{mine} is there already, and is no transcript of a simulation" in said
    assert "hint: name another file with --journal, or move that one away" in said
    assert mine.read_text() == "dear diary\n"
    assert not (tmp_path / "sim.jsonl").exists()


def test_a_pipe_has_nothing_beside_it(tmp_path: Path) -> None:
    """The journal goes where it was sent, and that is all."""
    assert main(["simulate", str(manifest_in(tmp_path)), "--journal", "/dev/null"]) == 0
    assert not Path("/dev/null.transcript").exists()


@pytest.mark.parametrize(
    "words", [["simulate", "--journal"], ["simulate", "--save-profile"], ["plan", "--out"]]
)
def test_the_journal_of_a_real_run_is_never_overwritten(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without it no run could go on: whoever names it has mistaken the option."""
    manifest, old = manifest_in(tmp_path), tmp_path / "journal.jsonl"
    old.write_bytes(OLD.read_bytes())
    verb, option = words
    assert main([verb, str(manifest), option, str(old)]) == 2
    said = capsys.readouterr().err
    assert f"{old} is the journal of a real run" in said
    assert f"hint: name another file with {option}" in said
    assert old.read_bytes() == OLD.read_bytes()


@pytest.mark.parametrize("place", ["", "nowhere/answer", "cluster.yaml/answer", "n" * 300])
@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "--journal"],
        ["simulate", "--report"],
        ["simulate", "--runs", "2", "--jobs", "1", "--report"],
        ["simulate", "--shrink", "--save"],
        ["plan", "--out"],
        ["plan", "--output", "html", "--out"],
        ["report", "--simulate", "--out"],
    ],
    ids=" ".join,
)
def test_where_nothing_can_be_written_is_refused_before_anything_is_simulated(
    words: list[str], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder, no folder, a name that is too long: by the option, and nothing is left behind."""
    manifest = manifest_in(tmp_path)
    verb, *options = words
    assert main([verb, str(manifest), *options, str(tmp_path / place)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {tmp_path / place} ")
    assert options[-1] in said.err.partition("hint: ")[2]
    assert list(tmp_path.iterdir()) == [manifest]


def test_asking_whether_an_answer_can_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """Who stops the runs, or sees them fail, still has it."""
    manifest, old = manifest_in(tmp_path), tmp_path / "old"
    old.write_bytes(b"")  # the one file that both take the place of
    before = old.stat()
    refuse_page(old, "--report")
    refuse_whole(old, manifest=manifest)
    after = old.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(tmp_path.iterdir()) == [manifest, old]


def test_one_file_is_not_named_for_two_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second would take the place of the first."""
    manifest, file = manifest_in(tmp_path), str(tmp_path / "both")
    assert main(["simulate", str(manifest), "--journal", file, "--report", file]) == 2
    assert "one file is named twice" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


def test_what_goes_on_from_a_real_run_is_saved_as_the_simulation_that_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its page does not pass for a real run's, it knows its own steps, and it may be saved again."""
    manifest, saved = manifest_in(tmp_path), tmp_path / "what-if.jsonl"
    keep(manifest, parse(OLD.read_bytes()).records)
    for _ in range(2):
        assert main(["simulate", str(manifest), "--from-state", "--journal", str(saved)]) == 0
    assert read(tmp_path, "report", "--no-prediction", "--out", "-", journal=saved.name) == 0
    page = capsys.readouterr().out
    assert f"simulated run, from {saved}, which goes on from a real run" in page
    assert UNKNOWN not in page
