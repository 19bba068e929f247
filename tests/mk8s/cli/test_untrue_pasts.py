"""`mk8s run` over a journal that tells what never was: refused before any node is asked; looking is not.

The only node is a closed port of this machine; a run that went on would say of it that it is away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from machines import Record
from mk8s.cli import main
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
