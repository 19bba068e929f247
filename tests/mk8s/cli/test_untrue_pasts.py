"""`mk8s run` over a journal that tells what never was: refused before any node is asked; looking is not.

Who looks at a simulation's is told that it is one, before anything that it says.

The only node is a closed port of this machine; a run that went on would say of it that it is away.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from machines import Record
from mk8s.cli import main
from mk8s.past import find_past, real_part
from mk8s.project import load_project
from mk8s.secrets import Secrets
from tests.mk8s.cli.recorded import as_real, keep, run_of
from tests.mk8s.examples import beside_release
from tests.mk8s.preflight.test_verb import MANIFEST, NEW_ONE

AWAY = "healthy by the journal, but gave no answer"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The node of the first is healthy by every journal here; the second is new."""
    path = beside_release(tmp_path, MANIFEST)
    keep(path, [], name="c")
    Secrets(tmp_path / ".mk8s" / "c").token(given=False)
    return path


def run_over(manifest: Path, records: Sequence[Record]) -> tuple[int, bool]:
    """The exit code of a run with a node more than the journal's, and whether anything was left behind."""
    journal = keep(manifest, records, name="c")
    before = journal.read_bytes()
    grown = manifest.with_name("c.yaml")
    grown.write_text(MANIFEST + NEW_ONE)
    code = main(["run", str(grown)])
    return code, journal.read_bytes() != before or (journal.parent.parent / "manifest.yaml").exists()


def test_a_true_one_is_gone_on_with(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which shows that the refusals below are for what was bent."""
    assert run_over(manifest, as_real(run_of(manifest).records)) == (1, True)
    assert AWAY in capsys.readouterr().err


def _ahead(records: list[Record]) -> list[Record]:
    """As if nothing had been installed: what one of its edges did is left out."""
    kept = [r for r in records if "bootstrap" not in (r.edge, r.to) and "bootstrap" not in r.source]
    return [replace(record, seq=number) for number, record in enumerate(kept, 1)]


def _twice(records: list[Record]) -> list[Record]:
    """Two journals put into one file."""
    return [replace(record, seq=number) for number, record in enumerate([*records, *records], 1)]


@pytest.mark.parametrize(
    ("bend", "told"),
    [(_ahead, "leaves waiting, and was in staged"), (_twice, "is of second 0, after one of ")],
    ids=["left out", "twice"],
)
def test_one_that_contradicts_itself_is_refused(
    bend: Callable[[list[Record]], list[Record]],
    told: str,
    manifest: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What, where, why, what to do; the journal is left as it is, and no node was asked."""
    assert run_over(manifest, bend(as_real(run_of(manifest).records))) == (1, False)
    said = capsys.readouterr().err
    journal = manifest.parent / ".mk8s" / "c" / "journal" / "journal.jsonl"
    assert f"error: {journal} contradicts itself: no run can go on from it" in said
    assert told in said
    assert "hint: no node was touched; see all of it: mk8s replay " in said
    assert "so uninstall nothing, waive those checks (`checks: {waive: [ports, leftovers]}`)" in said
    assert AWAY not in said
    assert main(["status", str(manifest)]) == 0
    assert main(["journal", str(manifest)]) == 0
    assert main(["replay", str(manifest)]) == 1


def test_one_of_a_simulation_is_refused(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of what it says is on any node; who looks at it is answered."""
    assert run_over(manifest, run_of(manifest).records) == (2, False)
    said = capsys.readouterr().err
    assert "journal.jsonl is of a simulation: no run can go on from it" in said
    assert "hint: move it away" in said
    assert AWAY not in said
    assert main(["status", str(manifest)]) == 0
    assert main(["simulate", str(manifest), "--from-state"]) == 0


# -- looking at a simulation's ---------------------------------------------------------------------------


@pytest.fixture
def simulated(manifest: Path) -> Path:
    """The manifest of a cluster whose state folder holds a simulation's journal, in which all went well."""
    keep(manifest, run_of(manifest).records, name="c")
    return manifest


def note_on(manifest: Path, since: str = "it says") -> str:
    journal = manifest.parent / ".mk8s" / "c" / "journal" / "journal.jsonl"
    return f"note: {journal} is of a simulation: nothing of what {since} was done to any node"


def test_status_says_so_and_leads_to_no_run_that_is_refused(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """First, for whoever reads that all are healthy; last, in place of a next run."""
    assert main(["status", str(simulated)]) == 0
    first, last = capsys.readouterr().err.splitlines()
    assert first == note_on(simulated)
    assert last.startswith("1 of 1 healthy, as simulated; no run goes on from a simulation.  Next: move ")


@pytest.mark.parametrize("words", [[], ["127.0.0.1"], ["127.0.0.1", "stage"]], ids=["all", "node", "edge"])
def test_every_explanation_says_so_first(
    words: list[str], simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the cluster, of a node, of an edge; nobody is sent to a run."""
    assert main(["explain", str(simulated), *words]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] == note_on(simulated)
    assert "mk8s run" not in said


def test_programs_are_told_too(simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By one key each: of a row, of the run, of an edge."""

    def answer(*words: str) -> Any:
        main([words[0], str(simulated), *words[1:], "--output", "json"])
        return json.loads(capsys.readouterr().out)

    for is_so in (True, False):
        assert answer("status")[0]["simulated"] is is_so
        assert answer("explain")["run"]["simulated"] is is_so
        assert answer("explain", "127.0.0.1")["run"]["simulated"] is is_so
        assert answer("explain", "127.0.0.1", "stage")["simulated"] is is_so
        assert answer("preflight")["simulated"] is is_so
        keep(simulated, as_real(run_of(simulated).records), name="c")


def test_preflight_takes_no_state_from_it_and_calls_no_run_possible(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a run, which the journal stops; first it says why, for the table is of hosts without anything."""
    assert main(["preflight", str(simulated)]) == 2
    first, *_ = lines = capsys.readouterr().err.splitlines()
    assert first == note_on(simulated)
    assert "journal.jsonl is of a simulation: no run can go on from it" in "\n".join(lines)
    assert not any(line.startswith("Next: mk8s run") for line in lines)


def test_health_takes_no_node_for_installed_by_it(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run would be refused, so none is named."""
    assert main(["health", str(simulated)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert note_on(simulated) in lines
    assert lines[-1].startswith("Next: move ")


def test_a_page_of_it_says_so(simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the state folder's own as of one in a file."""
    assert main(["report", str(simulated), "--no-prediction", "--out", "-"]) == 0
    head = capsys.readouterr().out.partition("<nav")[0]
    assert "<h1>c: simulated run, from " in head


def test_a_replay_says_so(simulated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it says that the records are sound."""
    assert main(["replay", str(simulated), "--at", "1s"]) == 0
    assert " records of 1 nodes, simulated: each fits the one before" in capsys.readouterr().err


def test_what_a_real_run_did_before_a_simulation_went_on_still_counts(manifest: Path) -> None:
    """The first records are true: nodes are where those left them."""
    project = load_project(manifest)
    real = as_real(run_of(manifest).records)
    header = next(record.header for record in run_of(manifest).records if record.header)
    last = Record(seq=len(real) + 1, at=real[-1].at, kind="resumed", header=header)
    keep(manifest, [*real, last], name="c")
    past = find_past(project, None)
    assert past is not None
    assert past.simulation is not None
    assert past.simulation.words in note_on(manifest, f"it says from record {last.seq} on")
    before = real_part(project, past)
    assert before is not None
    assert before.simulation is None
    assert [life.state for life in before.history.lives.values()] == ["healthy"]
