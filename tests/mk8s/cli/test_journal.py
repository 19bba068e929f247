"""mk8s journal and mk8s replay: filters, times, formats, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from machines import Record
from machines.framing import frame
from machines.simulation import ScriptedFault
from mk8s.cli import main
from tests.mk8s.cli.recorded import keep, manifest_in, run_of

FULL = ScriptedFault("srv-3", "file.append", "disk-full", attempt=None)
STEP = {
    "node": "srv-1", "operation": "step", "kind": "wait-for", "description": "it is up", "at": 1.0,
    "seconds": 2.5, "status": 0, "bytes": 0, "changed": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster whose run ended with a full disk on one server; one step in its transcript."""
    path = manifest_in(tmp_path_factory.mktemp("journal"))
    keep(path, run_of(path, FULL).records, [{"operation": "run", "started": ""}, STEP])
    return path


def lines(capsys: pytest.CaptureFixture[str], manifest: Path, *words: str) -> list[str]:
    assert main(["journal", str(manifest), *words]) == 0
    return capsys.readouterr().out.splitlines()


def records(capsys: pytest.CaptureFixture[str], manifest: Path, *words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines(capsys, manifest, "--output", "json", *words)]


def test_nodes_are_named_by_name_address_or_role(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several of them together."""
    found = records(capsys, manifest, "--node", "192.0.2.11", "--node", "agent")
    assert {record["node"] for record in found} == {"srv-1", "agent-1", "agent-2"}


def test_kinds_and_edges_narrow_it_down_together(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both must fit."""
    found = records(capsys, manifest, "--kind", "intent", "--kind", "done", "--edge", "bootstrap")
    assert {(record["kind"], record["edge"]) for record in found} == {
        ("intent", "bootstrap"),
        ("done", "bootstrap"),
    }


def test_errors_are_all_that_went_wrong(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Failures, lost signals, blocked nodes."""
    kinds = {record["kind"] for record in records(capsys, manifest, "--errors")}
    assert kinds == {"error", "lost", "blocked"}


def test_times_of_the_run_bound_it(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From one second to another, as they are typed or printed."""
    whole = records(capsys, manifest)
    middle = [r for r in whole if 30 <= float(str(r["at"])) <= 120]
    assert records(capsys, manifest, "--since", "30s", "--until", "2:00") == middle
    assert middle


def test_steps_stand_between_the_records(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When they ended; and in JSON by their kind."""
    found = [line for line in lines(capsys, manifest, "--steps") if " step " in line]
    assert [line.split(maxsplit=5)[-1] for line in found] == ["it is up: seen in 2.5 s"]
    steps = [r for r in records(capsys, manifest, "--steps") if r["kind"] == "step"]
    assert (steps[0]["title"], steps[0]["seconds"]) == ("it is up", 2.5)
    assert not any(r["kind"] == "step" for r in records(capsys, manifest))


def test_a_run_that_is_over_is_followed_to_its_end(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same lines, and that it has ended."""
    whole = lines(capsys, manifest)
    assert main(["journal", str(manifest), "--follow"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == whole
    assert told.err == "the run has ended\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--node", "srv-9"], "hint: its nodes are srv-1"),
        (["--kind", "retyr"], "hint: did you mean 'retry'?"),
        (["--edge", "stag"], "hint: did you mean 'stage'?"),
        (["--since", "2m", "--until", "1m"], "hint: give the earlier time to --since"),
        (["--journal", "/nowhere/x"], "/nowhere/x cannot be read"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    words: list[str], hint: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2."""
    assert main(["journal", str(manifest), *words]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("time", ["4", "4:99", "1:2:3:4", "soon", "-3s", "1:99:00", ":"])
def test_a_time_that_is_none_is_refused(
    time: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With how times are written."""
    with pytest.raises(SystemExit) as end:
        main(["replay", str(manifest), f"--at={time}"])
    assert end.value.code == 2
    assert "is not a time of a run, such as 90s, 5m, 1h or 4:05" in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["0", "-1", "1e-300", "nan", "inf", "fast"])
def test_a_speed_that_makes_no_sense_is_refused(
    speed: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So slow that no record would ever come is one of them."""
    with pytest.raises(SystemExit) as end:
        main(["replay", str(manifest), f"--speed={speed}"])
    assert end.value.code == 2
    assert "is not a number from 0.001 on" in capsys.readouterr().err


def test_a_moment_is_shown(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All nodes as of then; the records were verified first."""
    assert main(["replay", str(manifest), "--at", "1:00"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("at 1:00 of ")
    assert "srv-3    server   quarantined" in told.out
    assert told.err.endswith("each fits the one before\n")


def test_a_moment_can_be_read_by_a_program(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And only a moment: records have `mk8s journal`."""
    assert main(["replay", str(manifest), "--at", "1m", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["at"] == 60
    assert main(["replay", str(manifest), "--output", "json"]) == 2
    assert "mk8s journal --output json" in capsys.readouterr().err


def test_without_a_terminal_all_is_told_at_once(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a record, then the end."""
    whole = lines(capsys, manifest)
    assert main(["replay", str(manifest)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[: len(whole)] == whole
    assert told[len(whole)].startswith("at ")


def test_a_simulated_journal_is_replayed_from_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cluster was never run."""
    path = manifest_in(tmp_path)
    file = tmp_path / "sim.jsonl"
    file.write_bytes(run_of(path).journal)
    assert main(["replay", str(path), "--journal", str(file), "--at", "0s"]) == 0
    assert "0 of 5 healthy" in capsys.readouterr().out


def test_records_that_contradict_each_other_are_told_and_still_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1."""
    path = manifest_in(tmp_path)
    wrong = [
        replace(r, source="running") if r.to == "pending~stage" and r.node == "srv-2" else r
        for r in run_of(path).records
    ]
    keep(path, wrong)
    assert main(["replay", str(path), "--at", "1s"]) == 1
    told = capsys.readouterr()
    assert "srv-2 leaves running, and was in pending" in told.err
    assert told.out.startswith("at 1 s of ")


def test_steps_that_nobody_kept_are_said_to_be_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a simulated run: its records are shown all the same."""
    path = manifest_in(tmp_path)
    file = tmp_path / "sim.jsonl"
    file.write_bytes(run_of(path).journal)
    assert main(["journal", str(path), "--journal", str(file), "--steps"]) == 0
    told = capsys.readouterr()
    assert "its steps are not known" in told.err
    assert told.out.splitlines()[-1].split("*")[-1].strip() == "the run has ended: 5 healthy"


@pytest.mark.parametrize("verb", ["journal", "replay", "report", "graph"])
def test_a_journal_of_another_cluster_is_refused(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be told with the wrong cluster's name; a node more or less is a manifest that was changed."""
    file = renamed(tmp_path, lambda name: f"other-{name}")
    words = ["--run"] if verb == "graph" else []
    assert main([verb, str(tmp_path / "cluster.yaml"), "--journal", str(file), *words]) == 2
    told = capsys.readouterr()
    assert "is of another cluster" in told.err
    assert "other-srv-1" in told.err
    assert told.out == ""
    file = renamed(tmp_path, lambda name: "srv-9" if name == "srv-3" else name)
    assert main(["journal", str(tmp_path / "cluster.yaml"), "--journal", str(file)]) == 0


def test_records_that_fit_no_way_of_the_machine_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By their number; nothing is guessed of a node that is nowhere."""
    path = manifest_in(tmp_path)
    keep(path, [replace(r, to="") if r.to == "pending~stage" else r for r in run_of(path).records])
    for verb in ("journal", "explain"):
        assert main([verb, str(path)]) == 1
        assert "record 2 does not fit what " in capsys.readouterr().err


def test_a_name_that_a_terminal_would_obey_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file may come from anybody; a checksum proves nothing about who wrote it."""
    file = renamed(tmp_path, lambda name: f"{name}\x1b[2J" if name == "srv-2" else name)
    assert main(["replay", str(tmp_path / "cluster.yaml"), "--journal", str(file)]) == 2
    told = capsys.readouterr()
    assert "names a node 'srv-2\\x1b[2J', as no manifest can" in told.err
    assert told.out == ""


def test_json_has_no_letter_that_a_terminal_obeys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those above 127 are escapes in it; a program reads the same."""
    path = manifest_in(tmp_path)
    said = "it said \x9b2J\u202e"
    keep(path, [replace(r, message=said) if r.kind == "error" else r for r in run_of(path, FULL).records])
    assert main(["journal", str(path), "--errors", "--output", "json"]) == 0
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert json.loads(shown.splitlines()[0])["message"] == said


def renamed(folder: Path, name: Callable[[str], str]) -> Path:
    """The journal of a run whose nodes had other names, in a file beside the manifest."""

    def other(record: Record) -> Record:
        header = record.header
        if header:
            header = replace(header, members=tuple((name(node), role) for node, role in header.members))
        return replace(record, node=name(record.node) if record.node else "", header=header)

    file = folder / "sim.jsonl"
    file.write_bytes(b"".join(frame(other(record)) for record in run_of(manifest_in(folder)).records))
    return file


@pytest.mark.parametrize("what", ["the manifest", "a program", "a transcript"])
def test_a_file_that_is_no_journal_is_not_to_be_cut(
    what: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever names the manifest by mistake is not told to truncate it at byte 0."""
    file = manifest
    if what != "the manifest":
        file = manifest.parent / what.replace(" ", "-")
        file.write_bytes(b"\x7fELF\n\0" if what == "a program" else json.dumps(STEP).encode() + b"\n")
    assert main(["replay", str(manifest), "--journal", str(file)]) == 2
    said = capsys.readouterr().err
    assert f"{file} is no journal of a run\n  because it does not begin like one\n" in said
    assert "hint: name a file that `mk8s simulate --journal FILE` wrote, or a state folder" in said
    assert "truncate" not in said


def test_a_state_folder_is_as_good_as_the_journal_in_it(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of a run, the journal's own within, or the file: the same records and steps."""
    state = manifest.parent / ".mk8s" / "six"
    whole = lines(capsys, manifest, "--steps")
    for name in (state, state / "journal", state / "journal" / "journal.jsonl"):
        assert lines(capsys, manifest, "--steps", "--journal", str(name)) == whole
    assert main(["journal", str(manifest), "--follow", "--journal", str(state)]) == 0


@pytest.mark.parametrize(
    "words",
    [["journal", "--state"], ["status", "--state"], ["kubeconfig", "--state"], ["simulate", "--from-state"]],
)
def test_nobody_is_told_to_run_into_a_folder_that_was_mistyped(
    words: list[str], manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run would begin the cluster anew there, over nodes that have one."""
    verb, option = words
    assert main([verb, str(manifest), option, str(manifest.parent / ".mk8s" / "sxi")]) == 2
    said = capsys.readouterr().err
    assert "there is no state folder " in said
    assert f"hint: look at its name; this cluster's own is {manifest.parent / '.mk8s' / 'six'}" in said
    assert "mk8s run" not in said
