"""mk8s simulate: seeds, scenarios, half-done runs and shrinking, as a person calls them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mk8s.cli import main
from tests.mk8s.cli.test_cli import MANIFEST


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "cluster.yaml"
    file.write_text(MANIFEST)
    return file


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A scenario of one's own: the agent fills its disk."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "scenario: mine\nseed: 4\nfaults:\n  - {node: '*', what: reboot, at: 2m}\n"
        "  - {node: agents, what: disk-full, when: {edge: stage}, after: 1s}\n"
    )
    return file


def test_many_seeds_are_summed_up_and_the_exit_code_tells_whether_all_were_well(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary is data; how far it is, is talk."""
    assert main(["simulate", str(manifest), "--runs", "3", "--jobs", "1"]) == 0
    out, err = capsys.readouterr()
    assert "3 runs, 3 as expected" in out
    assert "until the end: quickest" in out
    assert "3 of 3 runs in" in err


def test_many_seeds_give_the_same_on_several_processes(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for the seconds of the processors."""
    found = []
    for jobs in ("1", "2"):
        main(
            ["simulate", str(manifest), "--runs", "4", "--faults", "0.05", "--jobs", jobs, "--output", "json"]
        )
        data = json.loads(capsys.readouterr().out)
        del data["cpu_seconds"]
        found.append(data)
    assert found[0] == found[1]
    assert found[0]["seeds"] == 4


def test_the_command_beside_a_bad_seed_repeats_it(
    manifest: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options and all: the journal is the same."""
    words = ["--scenario", str(mine), "--faults", "0.01", "--runs", "2", "--jobs", "1", "--output", "json"]
    assert main(["simulate", str(manifest), *words]) == 1
    worst = json.loads(capsys.readouterr().out)["worst"][0]
    assert main(worst["repeat"].split()[1:]) == 1
    assert f"seed {worst['seed']}, journal sha256 {worst['journal_sha256']}" in capsys.readouterr().err


def test_a_scenario_names_its_seed_and_tells_what_happened(
    manifest: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless --seed says another."""
    assert main(["simulate", str(manifest), "--scenario", str(mine)]) == 1
    err = capsys.readouterr().err
    assert "seed 4, journal" in err
    assert "disk-full" in err
    main(["simulate", str(manifest), "--scenario", str(mine), "--seed", "5"])
    assert "seed 5, journal" in capsys.readouterr().err


def test_a_scenario_whose_expectation_comes_true_is_a_success(manifest: Path) -> None:
    """Also where a node fails, as it should."""
    assert main(["simulate", str(manifest), "--scenario", "disk-full-on-one"]) == 0


def test_an_expectation_that_does_not_come_true_is_told(
    manifest: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With node, what it is, and what was expected."""
    mine.write_text(mine.read_text() + "expect: {nodes: {'*': healthy}}\n")
    assert main(["simulate", str(manifest), "--scenario", str(mine)]) == 1
    assert "not as expected: 192-0-2-21 is quarantined, and healthy is expected" in capsys.readouterr().err


def test_what_selects_nobody_is_told(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest has one agent."""
    manifest.write_text(MANIFEST.replace("  - {address: 192.0.2.21, user: ops, role: agent}\n", ""))
    main(["simulate", str(manifest), "--scenario", "two-agents-never-answer"])
    assert "the manifest has no such node" in capsys.readouterr().err


def test_what_meets_nobody_is_told(manifest: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt operation, and an edge that never failed: such a scenario tests nothing."""
    mine.write_text(
        "scenario: mine\nfaults:\n  - {node: '*', what: drop, operation: file.putt}\n"
        "  - {node: primary, what: reboot, when: {edge: stage, is: failed}}\n"
    )
    assert main(["simulate", str(manifest), "--scenario", str(mine)]) == 0
    err = capsys.readouterr().err
    assert "note: the scenario's drop at file.putt, attempt 1 met nobody in this run" in err
    assert "note: the scenario's reboot met nobody in this run" in err


def test_an_unknown_scenario_is_refused(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line needs a person: exit code 2."""
    assert main(["simulate", str(manifest), "--scenario", "nightmare"]) == 2
    assert "slow-uplink" in capsys.readouterr().err


def test_shrinking_prints_a_scenario_that_fails_alike(
    manifest: Path, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed, or kept with --save; it begins with the command that repeats it."""
    words = ["simulate", str(manifest), "--scenario", str(mine), "--shrink"]
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("# mk8s simulate")
    assert "what: disk-full" in printed
    assert "reboot" not in printed
    saved = tmp_path / "smallest.yaml"
    assert main([*words, "--save", str(saved)]) == 1
    assert saved.read_text().startswith(f"# mk8s simulate {manifest} --scenario {saved}\n")
    capsys.readouterr()
    assert main(["simulate", str(manifest), "--scenario", str(saved)]) == 1
    assert "192-0-2-21: quarantined" in capsys.readouterr().err


def test_the_smallest_of_many_seeds_stands_in_the_json(
    manifest: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the summary, as the text of the file."""
    words = ["--scenario", str(mine), "--runs", "2", "--jobs", "1", "--shrink", "--output", "json"]
    assert main(["simulate", str(manifest), *words]) == 1
    smallest = json.loads(capsys.readouterr().out)["smallest"]
    assert (smallest["faults"], smallest["nodes"]) == (1, 2)
    assert "what: disk-full" in smallest["scenario"]


def test_what_does_not_fail_is_not_shrunk(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And that is good news."""
    assert main(["simulate", str(manifest), "--shrink"]) == 0
    assert "nothing to shrink" in capsys.readouterr().err


def test_a_simulation_goes_on_from_a_state_folder(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here a journal that an earlier simulation left half-done; it is only read."""
    whole = tmp_path / "whole.jsonl"
    main(["simulate", str(manifest), "--journal", str(whole)])
    folder = tmp_path / "state"
    (folder / "journal").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    half = b"".join(whole.read_bytes().splitlines(keepends=True)[:40])
    (folder / "journal" / "journal.jsonl").write_bytes(half)
    (folder / "journal" / "journal.jsonl").chmod(0o600)
    capsys.readouterr()
    assert main(["simulate", str(manifest), "--from-state", str(folder)]) == 0
    assert "4 of 4 nodes healthy" in capsys.readouterr().err
    assert (folder / "journal" / "journal.jsonl").read_bytes() == half


def test_without_a_run_there_is_nothing_to_go_on_from(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words say what to leave out."""
    assert main(["simulate", str(manifest), "--from-state"]) == 1
    assert "--from-state" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--save", "x.yaml"], "--save keeps what --shrink finds"),
        (["--journal", "x", "--runs", "2"], "--journal keeps one run's journal"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    words: list[str], said: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is simulated."""
    assert main(["simulate", str(manifest), *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("runs", ["1", "4"])
def test_a_page_is_written_about_one_run_and_about_many(runs: str, manifest: Path, tmp_path: Path) -> None:
    """One file, with everything in it."""
    page = tmp_path / "page.html"
    words = ["--runs", runs, "--jobs", "1", "--faults", "0.02", "--report", str(page)]
    main(["simulate", str(manifest), *words])
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert ("The worst seeds" in text) == (runs == "4")
    assert "Critical path" in text


def test_ctrl_c_in_the_middle_of_many_runs_ends_all_of_them(manifest: Path) -> None:
    """One word and an exit code: no traceback, and no process that goes on."""
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program = listen + "from mk8s.cli import main; raise SystemExit(main())"
    words = ["simulate", str(manifest), "--runs", "100000", "--jobs", "2"]
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as many:
        try:
            assert many.stderr is not None
            assert many.stderr.readline().startswith("simulated hosts")
            many.send_signal(signal.SIGINT)
            _, said = many.communicate(timeout=60)  # its processes have the other ends: they are gone too
        finally:
            many.kill()
    assert (many.returncode, "Traceback" in said) == (130, False), said


@pytest.mark.parametrize("option", ["--journal", "--save-profile", "--report"])
def test_no_answer_is_written_over_the_manifest(
    option: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal names the option that named the file."""
    assert main(["simulate", str(manifest), option, str(manifest)]) == 2
    assert manifest.read_text() == MANIFEST
    assert f"name another file with {option}" in capsys.readouterr().err


def test_a_summary_is_told_also_where_its_page_cannot_be_written(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand runs are not lost for what came there meanwhile: here another answer of the same command."""
    page = tmp_path / "page.html"
    words = ["--runs", "2", "--jobs", "1", "--save-profile", str(page), "--report", str(page)]
    assert main(["simulate", str(manifest), *words]) == 2
    told = capsys.readouterr()
    assert "2 runs, 2 as expected" in told.out
    assert "--report" in told.err


def test_the_command_beside_a_seed_has_every_digit(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rate that is rounded is another run."""
    main(["simulate", str(manifest), "--runs", "2", "--jobs", "1", "--faults", "0.0123456789"])
    assert "--faults 0.0123456789" in capsys.readouterr().out


def test_nodes_without_the_one_that_makes_the_cluster_are_refused(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another would be taken for it, and everyone would wait for what nobody begins."""
    (tmp_path / "some.yaml").write_text("scenario: some\nnodes: [agents]\n")
    assert main(["simulate", str(manifest), "--scenario", str(tmp_path / "some.yaml")]) == 2
    assert "add `primary`" in capsys.readouterr().err


@pytest.mark.parametrize("runs", ["1", "2"])
def test_one_seed_and_many_rest_on_the_same(
    runs: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where each duration is from, and which sizes were made up: of one seed it is an event of its own."""
    assert main(["simulate", str(manifest), "--runs", runs, "--jobs", "1", "--output", "json"]) == 0
    out = capsys.readouterr().out
    if runs == "1":
        data = next(one for line in out.splitlines() if (one := json.loads(line))["event"] == "basis")
        assert data["text"] == "sizes of files: nominal ones, as no file of the release is here"
    else:
        data = json.loads(out)
    kinds = {row["name"]: row["kind"] for row in data["basis"]}
    assert (kinds["rke2:primary-first-start"], kinds["uplink"]) == ("default", "default")
    assert data["assumed_sizes"]["rke2-images.linux-amd64.tar.zst"] == 850 << 20


def test_a_run_that_is_not_as_expected_says_what_it_rests_on_too(
    manifest: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that reads the events need not ask first how it ended."""
    assert main(["simulate", str(manifest), "--scenario", str(mine), "--output", "json"]) == 1
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()][-1] == "basis"


def test_files_that_are_here_count_with_their_own_sizes(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a plan of the same manifest: less to send is a shorter run. What is not here is named."""
    words = ["simulate", str(manifest), "--runs", "1", "--output", "json"]
    ends = []
    for _ in range(2):
        assert main(words) == 0
        told = capsys.readouterr()
        events = [json.loads(line) for line in told.out.splitlines()]
        ends.append(max(event.get("at", 0) for event in events))
        (manifest.parent / "release").mkdir(exist_ok=True)
        (manifest.parent / "release" / "rke2-images.linux-amd64.tar.zst").write_bytes(bytes(1000))
    assert "sizes of files: 1 file of the release is here; nominal ones stand for the others: " in told.err
    assert "rke2-images" not in next(event for event in events if event["event"] == "basis")["assumed_sizes"]
    assert ends[1] < ends[0] - 5


def test_what_stands_on_a_profile_and_what_does_not_is_told(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words by the longest, in JSON by every name; nothing where there is no profile."""
    profile = tmp_path / "site.json"
    profile.write_text('{"durations": {"rke2:primary-first-start": {"low": 80, "high": 90}}}')
    words = ["simulate", str(manifest), "--runs", "2", "--jobs", "1", "--output", "json"]
    assert main(words) == 0
    assert "durations" not in capsys.readouterr().err

    assert main([*words, "--profile", str(profile)]) == 0
    told = capsys.readouterr()
    assert "durations given: 1 of " in told.err
    assert "durations default: " in told.err
    kinds = {row["name"]: row["kind"] for row in json.loads(told.out)["basis"]}
    assert (kinds["rke2:primary-first-start"], kinds["rke2:node-network"]) == ("given", "default")
