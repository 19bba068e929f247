"""`mk8s preflight`, and `mk8s run` where it refuses. The only node is a closed port of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machines import read_journal
from mk8s.cli import main
from mk8s.secrets import Secrets
from tests.mk8s.cli.recorded import as_real, keep, run_of
from tests.mk8s.examples import beside_release

MANIFEST = """\
name: c
distro: rke2
version: v1.33.4+rke2r1
arch: amd64
airgap: true
artifacts_dir: ./release
nodes:
  - {address: 127.0.0.1, user: ops, port: 1, role: server, primary: true}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return beside_release(tmp_path, MANIFEST)


def damage(manifest: Path) -> None:
    (binary,) = (manifest.parent / "release").glob("rke2.linux*")
    binary.write_bytes(b"damaged")


def test_a_node_that_cannot_be_asked_is_told_with_the_reason(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1: nobody can say that all is well."""
    assert main(["preflight", str(manifest)]) == 1
    said = capsys.readouterr()
    assert "127-0-0-1  reachable  warn    not asked: " in said.out
    assert "1 warning, 5 passed; nothing was changed on any node" in said.err


@pytest.mark.parametrize(
    "where", ["config: {all: {token: cannot connect}}", "drop_ins: {all: {a.yaml: {token: cannot connect}}}"]
)
def test_no_secret_of_the_manifest_is_shown(
    manifest: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    """Whoever says it, and wherever it was written: here the words for a node that is away are the token."""
    manifest.write_text(f"{MANIFEST}{where}\n")
    main(["preflight", str(manifest)])

    assert "*** to" in (out := capsys.readouterr().out)
    assert "cannot connect" not in out


def test_everything_is_shown_on_demand(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["preflight", str(manifest), "--all"])
    assert "release    release-checksums  ok" in capsys.readouterr().out


def test_programs_get_every_finding(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["preflight", str(manifest), "--output", "json"])
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["not_asked"], data["passed"]) == (True, ["127-0-0-1"], 5)


@pytest.mark.parametrize("verb", ["preflight", "run"])
def test_a_damaged_release_is_told_beside_the_node_that_is_away(
    verb: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One look tells both; the release alone is at fault, so the exit code is 2."""
    damage(manifest)
    assert main([verb, str(manifest)]) == 2
    said = "".join(capsys.readouterr())
    assert "release    release-checksums  error" in said
    assert "127-0-0-1  reachable          warn    not asked: " in said


def test_a_refused_run_leaves_no_record_and_accepts_no_manifest(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal is as empty as before, and the manifest may still be changed in any way."""
    damage(manifest)
    main(["run", str(manifest)])
    state = manifest.parent / ".mk8s" / "c"
    assert list(read_journal(state / "journal")) == []
    assert not list(state.glob("manifest*"))
    assert "mk8s preflight" in capsys.readouterr().err


NEW_ONE = """\
  - {name: new, address: 127.0.0.2, user: ops, port: 1, role: agent}
policy: {edges: {stage: {deadline: 1s}}}
"""


def test_a_run_with_work_left_doubts_a_healthy_node_that_did_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is counted by the journal; the last lines say so. The new node did not answer either, and failed."""
    manifest = beside_release(tmp_path, MANIFEST)
    keep(manifest, as_real(run_of(manifest).records), name="c")
    Secrets(tmp_path / ".mk8s" / "c").token(given=False)
    manifest.write_text(MANIFEST + NEW_ONE)
    assert main(["run", str(manifest)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-3].startswith("1 of 2 nodes healthy in ")
    assert lines[-2].startswith("127-0-0-1: healthy by the journal, but gave no answer before this run began")
    assert not any(line.startswith("new: healthy by the journal") for line in lines)


def test_a_name_that_is_no_check_is_a_fault_of_the_manifest(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For every verb that reads the manifest, so also before anything is looked at."""
    manifest.write_text(MANIFEST + "checks: {waive: [swop]}\n")
    assert main(["validate", str(manifest)]) == 2
    assert "there is no check 'swop'; did you mean 'swap'?" in capsys.readouterr().err
