"""mk8s.cli: what each verb prints, where, and with which exit code. No node is reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mk8s.cli import VERBS, first_problem, main
from mk8s.errors import Mk8sError
from tests.mk8s.examples import beside_release

MANIFEST = """\
distro: rke2
version: v1.33.4+rke2r1
arch: amd64
airgap: true
artifacts_dir: ./release
nodes:
  - {address: 192.0.2.11, user: ops, role: server, primary: true}
  - {address: 192.0.2.12, user: ops, role: server}
  - {address: 192.0.2.13, user: ops, role: server}
  - {address: 192.0.2.21, user: ops, role: agent}
"""

BAD = {
    "an unknown role": (
        MANIFEST.replace("role: agent", "role: agnet"),
        "nodes[3].role: 'agnet' is not a role",
    ),
    "two primaries": (
        MANIFEST.replace("12, user: ops, role: server", "12, user: ops, role: server, primary: true"),
        "nodes[1].primary: a second primary; the first is nodes[0] in line 7",
    ),
    "no server": (
        MANIFEST.replace("role: server, primary: true", "role: agent").replace("role: server", "role: agent"),
        "nodes: no node has the role server",
    ),
    "a duplicate address": (MANIFEST.replace("192.0.2.12", "192.0.2.11"), "nodes[1].address"),
    "a misspelt key": (MANIFEST.replace("airgap", "airgpa"), "did you mean 'airgap'?"),
    "a tab": (MANIFEST.replace("arch:", "\tarch:"), "a tab"),
    "a version that reads as a number": (
        MANIFEST.replace("v1.33.4+rke2r1", "1.30"),
        "'1.30' is not a release",
    ),
    "a document of 10 MB": ("a" * 10_000_000, "10000000 bytes"),
    "aliases as a bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
    "a command for a name": (
        MANIFEST.replace("{address: 192.0.2.12", '{name: "; rm -rf /", address: 192.0.2.12'),
        "nodes[1].name: '; rm -rf /' is not a name",
    ),
    "a line break in a name": (
        MANIFEST.replace("{address: 192.0.2.12", '{name: "a\\nb", address: 192.0.2.12'),
        "nodes[1].name: 'a\\nb' is not a name",
    ),
    "a path for a name": (
        MANIFEST.replace("{address: 192.0.2.12", "{name: ../x, address: 192.0.2.12"),
        "nodes[1].name: '../x' is not a name",
    ),
    "a command for an address": (MANIFEST.replace("192.0.2.12", '"; rm -rf /"'), "'; rm -rf /'"),
    "a line break in an address": (MANIFEST.replace("192.0.2.12", '"a\\nb"'), "nodes[1].address"),
    "a path for an address": (MANIFEST.replace("192.0.2.12", "../x"), "'../x'"),
    "a key file that is missing": (
        MANIFEST.replace("role: agent", "role: agent, ssh_key_path: /nowhere/key"),
        "/nowhere/key",
    ),
    "an empty file": ("", "empty"),
    "bytes that are no text": ("\udcff", "UTF-8"),
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return beside_release(tmp_path, MANIFEST)


@pytest.mark.parametrize("verb", ["run", "validate", "plan", "simulate", "status"])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_manifest_is_refused_with_exit_code_2(
    case: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what and where; nothing is written beside it, so no run was begun."""
    text, words = BAD[case]
    path = tmp_path / "cluster.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    code = main([verb, str(path)])
    shown = capsys.readouterr()
    assert (code, shown.out) == (2, "")
    assert words in shown.err
    assert f"{path}" in shown.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["cluster.yaml"]


def test_a_missing_manifest_and_missing_release_files_are_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found on this machine, before any node is touched."""
    assert main(["run", str(tmp_path / "no.yaml")]) == 2
    path = tmp_path / "cluster.yaml"
    path.write_text(MANIFEST)
    assert main(["run", str(path)]) == 2
    said = capsys.readouterr().err
    assert "rke2.linux-amd64.tar.gz" in said
    assert "artifacts_dir" in said


def test_a_damaged_release_file_is_named(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its hash is compared before anything is sent."""
    damaged = manifest.parent / "release" / "rke2.linux-amd64.tar.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    assert main(["validate", str(manifest)]) == 2
    assert f"{damaged}: its sha256 is" in capsys.readouterr().err


def test_a_sound_manifest_is_valid(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is the next command; stdout stays empty, for it is talk."""
    assert main(["validate", str(manifest)]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[-1] == f"Next: mk8s run {manifest}"


def test_what_mk8s_decides_by_itself_is_told_before_a_run(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`validate` says it too: which server becomes the primary, for example."""
    manifest.write_text(MANIFEST.replace(", primary: true", ""))
    assert main(["validate", str(manifest)]) == 0
    assert "192-0-2-11, the first server, becomes the primary" in capsys.readouterr().err


def test_the_plan_shows_every_role_and_no_secret(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Servers with the same steps stand together; the token is not even made."""
    assert main(["plan", str(manifest)]) == 0
    plan = capsys.readouterr().out
    assert "primary: 192-0-2-11 (192.0.2.11)" in plan
    assert "server: 192-0-2-12 (192.0.2.12), 192-0-2-13 (192.0.2.13)" in plan
    assert "[join-agent], after servers-healthy" in plan
    assert main(["plan", str(manifest), "--commands"]) == 0
    assert "it holds secrets, so it is not shown" in capsys.readouterr().out
    assert not (manifest.parent / ".mk8s").exists()


def test_the_plan_as_json_counts_the_bytes(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: each node with its edges, steps and bytes."""
    assert main(["plan", str(manifest), "--output", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)["nodes"]
    assert [node["role"] for node in plan] == ["primary", "server", "server", "agent"]
    assert all(node["bytes_to_send"] > 1 << 16 for node in plan)
    assert {step["kind"] for node in plan for edge in node["edges"] for step in edge["steps"]} == {
        "upload", "write-file", "run", "wait-for",
    }  # fmt: skip


def test_a_simulation_prints_states_as_data(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout: node and state. stderr: the story, the seed and the journal's digest."""
    assert main(["simulate", str(manifest), "--seed", "3"]) == 0
    shown = capsys.readouterr()
    assert [line.split("\t")[1] for line in shown.out.splitlines()] == ["healthy"] * 4
    assert "seed 3, journal sha256 " in shown.err
    assert "no node is touched" in shown.err


def test_simulated_events_are_json_lines(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line an event; the first is the journal's header."""
    assert main(["simulate", str(manifest), "--output", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event"] == "header"
    assert {"signal", "state", "intent", "done", "note"} <= {event["event"] for event in events}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["simulate", "--uplink", "-5"], "'-5' is not a rate above 0"),
        (["simulate", "--uplink", "0"], "'0' is not a rate above 0"),
        (["simulate", "--faults", "0.9"], "'0.9' is not a rate from 0 to 0.5"),
        (["run", "--grace", "-1"], "'-1' is not a number of seconds from 0 on"),
        (["run", "--grace", "nan"], "'nan' is not a number of seconds from 0 on"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(
    words: list[str], told: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything begins, and none is quietly taken for the default."""
    with pytest.raises(SystemExit) as end:
        main([words[0], str(manifest), *words[1:]])
    assert end.value.code == 2
    assert told in capsys.readouterr().err


def test_a_journal_of_a_simulation_that_cannot_be_written_is_told(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback: the path is the user's."""
    place = manifest.parent / "nowhere" / "journal.jsonl"
    assert main(["simulate", str(manifest), "--journal", str(place)]) == 2
    assert f"{place} cannot be written: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(("format_", "first"), [("mermaid", "stateDiagram-v2"), ("dot", "digraph")])
def test_the_machine_is_drawn_from_the_table(
    format_: str, first: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With and without a manifest."""
    assert main(["graph", "--format", format_]) == 0
    assert capsys.readouterr().out.startswith(first)
    assert main(["graph", str(manifest), "--format", format_]) == 0
    assert "servers-healthy" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["status", "explain", "journal", "kubeconfig"])
def test_verbs_about_a_run_say_that_there_was_none(
    verb: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And which command begins one."""
    words = [verb, str(manifest), *(["192.0.2.11"] if verb == "explain" else [])]
    assert main(words) == 1
    assert f"mk8s run {manifest}" in capsys.readouterr().err
    assert not (manifest.parent / ".mk8s").exists()  # who only reads makes nothing


def test_the_next_command_can_be_pasted(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Quoted, and with the state folder that was named."""
    spaced = manifest.rename(manifest.with_name("my cluster.yaml"))
    assert main(["validate", "--manifest-only", str(spaced)]) == 0
    assert f"Next: mk8s run '{spaced}'\n" in capsys.readouterr().err
    state = spaced.with_name("else where")
    state.mkdir()  # and nothing has been run into it
    assert main(["status", str(spaced), "--state", str(state)]) == 1
    assert f"hint: mk8s run '{spaced}' --state '{state}'\n" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("verb", ["graph", "plan", "simulate"])
def test_a_full_disk_behind_stdout_is_no_bug_of_ours(verb: str, manifest: Path) -> None:
    """Told in two lines, with an exit code that says that the data is not whole."""
    words = [verb, str(manifest)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "mk8s", *words], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, cwd=Path(__file__).parents[3],
        )  # fmt: skip
    assert ended.returncode == 1
    assert "error: the output cannot be written: [Errno 28] No space left on device\nhint: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_originals_download_of_a_folder_says_what_to_do_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It took the folder to fill; ours takes the manifest."""
    for folder in (tmp_path, tmp_path / "not-there"):
        assert main(["download", str(folder)]) == 2
        assert f"hint: mk8s download cluster.yaml --to {folder}" in capsys.readouterr().err


def test_the_originals_install_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The same verb by its old name."""
    with pytest.raises(SystemExit):
        main(["install", "--help"])
    assert "Make the nodes in the manifest into one Kubernetes cluster" in capsys.readouterr().out


def test_an_unknown_verb_gets_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake is exit code 2."""
    assert main(["simulte"]) == 2
    assert "`mk8s simulate`" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` is there, and says more than the usage line."""
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 4


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit codes."""
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in VERBS)
    assert "Exit status" in shown


def test_the_version_needs_no_heavy_import() -> None:
    """Start-up is what a person waits for each time."""
    program = (
        "import sys; from mk8s.cli import main; main(['--version']);"
        "print(sorted({'trio', 'anyio', 'msgspec', 'yaml', 'rich', 'ssh2', 'argparse'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[3],
    ).stdout.splitlines()  # fmt: skip
    assert shown[0].startswith("mk8s ")
    assert shown[1] == "[]"


def test_a_problem_that_several_nodes_meet_at_once_is_told_once() -> None:
    """Such as a full disk here while all are asked together: a message, not a traceback of groups."""
    full, too = Mk8sError("no space left"), Mk8sError("no space left")
    assert first_problem(ExceptionGroup("tasks", [ExceptionGroup("more", [full]), too])) is full
    assert first_problem(full) is full


def test_a_bug_among_problems_keeps_its_traceback() -> None:
    group = ExceptionGroup("tasks", [Mk8sError("no space left"), KeyError("x")])
    assert first_problem(group) is group
