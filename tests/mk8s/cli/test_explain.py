"""mk8s explain: nodes, the cluster and edges, over the journal and transcript of a run."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from machines import Record
from machines.lock import FolderLock, Holder
from machines.simulation import ScriptedFault
from mk8s.cli import main
from tests.mk8s.cli.recorded import as_real, keep, manifest_in, run_of

FULL = ScriptedFault("srv-3", "file.append", "disk-full", attempt=None)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """A run whose third server has a full disk."""
    return as_real(run_of(manifest_in(tmp_path_factory.mktemp("run")), FULL).records)


@pytest.fixture
def manifest(tmp_path: Path, records: list[Record]) -> Path:
    """A cluster with that run in its state folder."""
    path = manifest_in(tmp_path)
    keep(path, records)
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def test_a_node_is_explained_down_to_the_root(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The blocked agent names the server and what is to be done on it."""
    text = told(capsys, str(manifest), "agent-1")
    assert text.startswith("agent-1 (agent) is blocked: servers-healthy can no longer come\n")
    assert "srv-3 (server) is set aside, at: put the release on the node" in text
    assert text.splitlines()[-1].strip() == f"mk8s run {manifest}"


def test_the_address_is_as_good_as_the_name(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both name the node."""
    assert told(capsys, str(manifest), "192.0.2.13") == told(capsys, str(manifest), "srv-3")


def test_without_a_node_the_cluster_is_explained(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The failed server first."""
    lines = told(capsys, str(manifest)).splitlines()
    assert lines[0].startswith("six: 2 of 5 healthy; the run has ended")
    assert lines[2].startswith("  srv-3 (server) is set aside")


def test_a_run_that_goes_on_is_seen_by_its_lock(
    manifest: Path, records: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its holder is named, and what is at work is at work. When it began, its journal does not say."""
    begun = next(i for i, record in enumerate(records) if record.kind == "intent")
    folder = keep(manifest, as_real(records[: begun + 1], started="once")).parent
    lock = FolderLock(folder, Holder(os.getpid(), socket.gethostname(), "ten o'clock"))
    during = told(capsys, str(manifest))
    lock.release()
    assert f"a run goes on (process {os.getpid()}, since ten o'clock); as of its last record" in during
    assert "is at work: put the release on the node" in during
    after = told(capsys, str(manifest))
    assert "no run goes on here" in after
    assert "was at work: put the release on the node" in after


def test_nobody_is_told_to_run_what_runs_already(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run looks at its hosts before it writes its first record."""
    manifest = manifest_in(tmp_path)
    folder = keep(manifest, []).parent
    lock = FolderLock(folder, Holder(os.getpid(), socket.gethostname(), "ten o'clock"))
    assert main(["explain", str(manifest)]) == 1
    lock.release()
    said = capsys.readouterr().err
    assert "the run of six has written nothing yet" in said
    assert f"it looks at its hosts first (process {os.getpid()} on " in said
    assert "mk8s run" not in said
    assert main(["explain", str(manifest)]) == 1
    assert (
        f"six has not been run from here yet\n  because {folder} holds no journal" in capsys.readouterr().err
    )


def test_nor_is_who_asks_for_the_status(
    manifest: Path, records: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    """While the run goes on; once it was killed, a run is what is to be done."""
    folder = keep(manifest, records[:4]).parent
    lock = FolderLock(folder, Holder(os.getpid(), socket.gethostname(), "ten o'clock"))
    assert main(["status", str(manifest)]) == 1
    lock.release()
    during = capsys.readouterr().err
    assert f"0 of 5 healthy; a run goes on (process {os.getpid()} on " in during
    assert during.endswith(f"Next: mk8s journal {manifest} --follow\n")
    assert main(["status", str(manifest)]) == 1
    assert capsys.readouterr().err == f"0 of 5 healthy.  Next: mk8s run {manifest}\n"


def test_the_answers_are_json_too(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the cluster, of a node and of an edge."""
    assert json.loads(told(capsys, str(manifest), "--output", "json"))["roots"][0]["nodes"] == ["srv-3"]
    one = json.loads(told(capsys, str(manifest), "agent-1", "--output", "json"))
    assert (one["kind"], one["waits_for"]) == ("blocked", "servers-healthy")
    edge = json.loads(told(capsys, str(manifest), "srv-2", "stage", "--output", "json"))
    assert [step["kind"] for step in edge["steps"]].count("upload") == 2
    assert edge["attempts"][0]["outcome"] == "done"


def test_an_edge_shows_its_commands_and_what_came_of_them(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No black box: conditions, steps, commands, attempts."""
    text = told(capsys, str(manifest), "srv-2", "join-server")
    assert text.startswith("join-server on srv-2 (server): join as a server\n")
    assert "  opens: on primary-ready; if is_server; limit etcd-joins 1\n" in text
    assert "exec systemctl --quiet enable" in text
    assert "it holds secrets, so it is not shown" in text
    assert "what came of it:\n" in text


def test_an_edge_says_what_a_run_did_of_each_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a transcript was kept: changed, seen or true already, when and how long."""
    manifest = manifest_in(tmp_path)
    records = list(run_of(manifest, FULL).records)
    joined = next(r.at for r in records if r.node == "srv-2" and r.to == "waiting~join-server")
    entry = {
        "node": "srv-2", "operation": "step", "kind": "run", "description": "enable rke2-server.service",
        "at": joined + 1, "seconds": 2.0, "status": 0, "bytes": 0, "changed": True,
    }  # fmt: skip
    keep(manifest, records, [{"operation": "run", "started": ""}, entry])
    text = told(capsys, str(manifest), "srv-2", "join-server")
    assert "enable rke2-server.service   [changed, at " in text


def test_an_edge_can_be_asked_for_before_any_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it would do is known from the manifest."""
    text = told(capsys, str(manifest_in(tmp_path)), "agent-1", "join-agent")
    assert "opens: on servers-healthy" in text
    assert "what came of it" not in text


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["srv-9"], "hint: its nodes are srv-1, srv-2, srv-3, agent-1, agent-2"),
        (["srv-2", "jion-server"], "hint: did you mean 'join-server'?"),
        (["srv-2", "join-agent"], "hint: its edges are stage, bootstrap, hold, join-server, verify"),
    ],
)
def test_who_asks_for_what_there_is_not_is_told_what_there_is(
    words: list[str], hint: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown node, an unknown edge, an edge of another role."""
    assert main(["explain", str(manifest), *words]) == 2
    assert hint in capsys.readouterr().err


def test_what_is_made_up_of_files_that_are_not_here_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their sizes and hashes; of files that are here, the real ones stand in the commands."""
    manifest = manifest_in(tmp_path)
    text = told(capsys, str(manifest), "srv-1", "stage")
    assert "not here yet, so its size and sha256 are made up: " in text
    assert "made up" not in told(capsys, str(manifest), "srv-1", "verify")
