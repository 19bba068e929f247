"""`mk8s plan`: before the download, in the middle of a run, after it; where it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machines import FileJournal
from machines.framing import frame
from mk8s.cli import main
from mk8s.project import load_project
from mk8s.rehearsal import Conditions, rehearse
from tests.mk8s.cli.recorded import as_real

MANIFEST = """\
distro: rke2
version: v1.33.4+rke2r1
arch: amd64
airgap: true
artifacts_dir: ./release
nodes:
  - {name: srv, address: 192.0.2.11, user: ops, role: server}
  - {name: agt, address: 192.0.2.21, user: ops, role: agent}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Nothing was downloaded, nothing was run."""
    path = tmp_path / "cluster.yaml"
    path.write_text(MANIFEST)
    return path


def plan(manifest: Path, *words: str) -> int:
    return main(["plan", str(manifest), "--seeds", "2", *words])


def keep_journal(manifest: Path, share: float, *, simulated: bool = False) -> Path:
    """The journal of a run that came so far, in the usual state folder."""
    project = load_project(manifest)
    records = rehearse(Conditions(project.cluster, project.distro)).records
    if not simulated:
        records = as_real(records)
    state = project.state()
    journal = FileJournal(state.journal)
    journal.close()
    journal.path.write_bytes(b"".join(frame(one) for one in records[: max(1, round(share * len(records)))]))
    return journal.path


def test_a_plan_before_the_download_says_which_sizes_it_assumes(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file of the release is here; nothing is written beside the manifest."""
    assert plan(manifest) == 0
    shown = capsys.readouterr().out
    assert "nominal sizes stand for them: " in shown
    assert "rke2-images.linux-amd64.tar.zst 850.0 MiB" in shown
    assert [path.name for path in manifest.parent.iterdir()] == ["cluster.yaml"]


def test_a_slower_link_makes_it_longer(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By --uplink, in MB/s."""
    ends = []
    for uplink in ("100", "2"):
        assert plan(manifest, "--uplink", uplink, "--output", "json") == 0
        ends.append(json.loads(capsys.readouterr().out)["forecast"]["to_all"]["middle"])
    assert ends[1] > ends[0] + 600


def test_of_a_half_done_run_the_rest_is_planned(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the journal says is done is named, not planned; the journal is only read."""
    assert plan(manifest, "--output", "json") == 0
    whole = json.loads(capsys.readouterr().out)["forecast"]["to_all"]["middle"]
    path = keep_journal(manifest, 0.6)
    before = path.read_bytes()
    assert plan(manifest) == 0
    assert "done already, by the journal: put the release on the node" in capsys.readouterr().out
    assert plan(manifest, "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["forecast"]["to_all"]["middle"] < whole
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.6, 1])
def test_a_run_that_would_be_refused_is_not_called_fine(
    share: float, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest has lost a node that the journal has: which one, and what to do."""
    keep_journal(manifest, share)
    manifest.write_text("".join(line for line in MANIFEST.splitlines(keepends=True) if "agt" not in line))
    assert plan(manifest) == 1
    shown, said = capsys.readouterr()
    assert said.endswith("Next: mend what is said above\n")
    assert "forecast: none" in shown
    assert (
        "cannot go on with this manifest; agt had another role, or is not in the manifest now; put " in shown
    )
    assert plan(manifest, "--output", "html") == 1
    assert "How long it takes cannot be said." in capsys.readouterr().out


def test_nor_is_one_that_would_go_on_from_a_simulation(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What such a journal calls healthy was never done: a run refuses it, and the plan leads to no run."""
    keep_journal(manifest, 1, simulated=True)
    assert plan(manifest) == 1
    shown, said = capsys.readouterr()
    assert "is of a simulation: no run can go on from it" in shown
    assert said.endswith("Next: mend what is said above\n")


def test_a_journal_that_cannot_be_read_is_told(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here a folder is in its place; another user's file is told in the same way."""
    path = keep_journal(manifest, 1)
    path.unlink()
    path.mkdir()
    assert plan(manifest) == 1
    assert "cannot be read: Is a directory\nhint: " in capsys.readouterr().err


def test_after_the_run_nothing_is_left(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everyone is healthy by the journal."""
    keep_journal(manifest, 1)
    assert plan(manifest) == 0
    shown = capsys.readouterr()
    assert "nothing is left to be run; all nodes are healthy by the journal" in shown.out
    assert "no file is to be sent" in shown.err
    assert plan(manifest, "--output", "html") == 0
    assert "Nothing is left to be run; all nodes are healthy by the journal." in capsys.readouterr().out


@pytest.mark.parametrize(("output", "begins"), [("text", "primary: "), ("json", "{"), ("html", "<!doctype")])
def test_a_plan_can_be_written_to_a_file(
    manifest: Path, output: str, begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then stdout stays empty."""
    file = manifest.parent / "plan"
    assert plan(manifest, "--output", output, "--out", str(file)) == 0
    assert file.read_text().startswith(begins)
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_told(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do."""
    assert plan(manifest, "--out", str(manifest.parent / "no" / "plan")) == 2
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert "--out" in said


def test_asking_the_nodes_makes_no_state_folder(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan changes nothing anywhere; here the only node refuses the connection."""
    nobody = "  - {name: srv, address: 127.0.0.1, port: 1, user: ops, role: server}\n"
    manifest.write_text(MANIFEST.partition("  - {")[0] + nobody)
    assert plan(manifest, "--facts") == 1
    said = capsys.readouterr()
    assert said.err.startswith("asking 1 node of ")
    assert "could not be asked: " in said.out
    assert [path.name for path in manifest.parent.iterdir()] == ["cluster.yaml"]


@pytest.mark.parametrize("output", ["text", "json", "html"])
def test_the_manifest_is_never_written_over(
    manifest: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by another name of it either."""
    link = manifest.with_name("link")
    link.symlink_to(manifest)
    for file in (manifest, link):
        assert plan(manifest, "--output", output, "--out", str(file)) == 2
        assert "--out" in capsys.readouterr().err
        assert manifest.read_text() == MANIFEST


def test_an_older_plan_is_written_over_and_nothing_else_is_left(manifest: Path) -> None:
    """In one move."""
    file = manifest.parent / "plan.json"
    for _ in range(2):
        assert plan(manifest, "--output", "json", "--out", str(file)) == 0
    assert json.loads(file.read_text())["format"] == 2
    assert sorted(path.name for path in manifest.parent.iterdir()) == ["cluster.yaml", "plan.json"]


@pytest.mark.parametrize("seeds", ["0", "-1", "many", "1.5", "10001"])
def test_a_number_of_seeds_that_makes_no_sense_is_refused(
    manifest: Path, seeds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything begins."""
    with pytest.raises(SystemExit) as end:
        main(["plan", str(manifest), "--seeds", seeds])
    assert end.value.code == 2
    assert f"{seeds!r} is not a number of seeds from 1 to 10000" in capsys.readouterr().err


def test_a_damaged_release_is_refused(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is here has to be right; only what is not here is assumed."""
    folder = manifest.parent / "release"
    folder.mkdir()
    (folder / "sha256sum-amd64.txt").write_text(f"{'0' * 64}  rke2.linux-amd64.tar.gz\n")
    (folder / "rke2.linux-amd64.tar.gz").write_bytes(b"no archive")
    assert plan(manifest) == 2
    assert "its sha256 is" in capsys.readouterr().err
