"""mk8s.identity: another cluster's journal is refused; one's own goes on, whatever its manifest is called.

A simulated one says whose it is as well, and no run goes on from it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from machines import History, MemoryJournal, Record, fold
from machines.files import JOURNAL
from machines.framing import frame, parse
from machines.simulation import ScriptedFault
from mk8s.asking import ask_cluster
from mk8s.cli import main
from mk8s.cluster import Cluster
from mk8s.distros.base import load_distro
from mk8s.errors import UsageError
from mk8s.identity import is_of, marks_of, refuse_simulated
from mk8s.project import Project, load_project
from mk8s.rehearsal import Conditions, rehearse
from mk8s.secrets import Secrets
from mk8s.session import open_journal, real_rollout, states_in
from mk8s.tables import node_machine, table_to_read
from tests.mk8s.cli.recorded import MANIFEST, as_real, keep, manifest_in, run_of
from tests.mk8s.examples import cluster, node

OLD = Path(__file__).parent / "journals" / "without-identity.jsonl"
"""Written by mk8s 0.1.0, whose headers did not say whose they are: cut off while srv-2 had just joined."""
ELSEWHERE = MANIFEST.replace("192.0.2.", "198.51.100.").replace("name: six", "name: other")
TWO = (node("srv-1", "primary", "10.0.0.1"), node("agent-1", "agent", "10.0.1.1"))


def history(made: Cluster, *, states: str = "pending") -> History:
    """Of a real run of this cluster; its nodes are in this state."""
    records = as_real(rehearse(Conditions(made, project_of(made).distro)).records[:1])
    found = fold(records, table_to_read(node_machine(made)))
    assert found is not None
    for life in found.lives.values():
        life.state = states
    return found


def project_of(made: Cluster) -> Project:
    return Project(Path("cluster.yaml"), made, load_distro(made.distro), (), "")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The cluster `six`, with a half-done run in its state folder that says whose it is."""
    path = manifest_in(tmp_path)
    full = ScriptedFault("srv-3", "file.append", "disk-full", attempt=None)
    keep(path, as_real(run_of(path, full).records))
    return path


def beside(manifest: Path, text: str) -> tuple[str, str, str]:
    """Another manifest, and the options that lead it to the state folder of the first."""
    other = manifest.parent / "other.yaml"
    other.write_text(text)
    return str(other), "--state", str(manifest.parent / ".mk8s" / "six")


VERBS = [["explain"], ["status"], ["journal"], ["replay"], ["report"], ["plan"], ["graph", "--run"]]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_another_cluster_with_the_same_names_is_refused(
    words: list[str], manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every node has its name and its role; only the machines are others. What, where, why, what to do."""
    verb, *more = words
    other, *state = beside(manifest, ELSEWHERE)
    assert main([verb, other, *state, *more]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"journal.jsonl is of another cluster than {other}" in told.err
    assert "because srv-1 of 'six' is 192.0.2.11 there, and " in told.err
    assert "and srv-1 of 'other' is 198.51.100.11 in the manifest\n" in told.err
    assert "hint: name the manifest of that run" in told.err


def test_who_renamed_the_nodes_is_told_their_names(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machines are the same, and no run could follow: it would have to remove those that it knows."""
    other, *state = beside(manifest, MANIFEST.replace("srv-", "s-").replace("agent-", "a-"))
    assert main(["status", other, *state]) == 2
    assert "hint: 192.0.2.11 is to be srv-1 again, for no node can be renamed yet" in capsys.readouterr().err


def test_what_if_is_refused_too(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A simulation would go on from what another cluster did."""
    other, _, state = beside(manifest, ELSEWHERE)
    assert main(["simulate", other, "--from-state", state]) == 2
    assert "is of another cluster than" in capsys.readouterr().err


def test_a_file_is_refused_as_a_folder_is(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--journal` names it."""
    other, _, state = beside(manifest, ELSEWHERE)
    for file in (f"{state}/journal", f"{state}/journal/journal.jsonl"):
        assert main(["journal", other, "--journal", file]) == 2
    assert "is of another cluster than" in capsys.readouterr().err


def test_the_same_name_does_not_make_it_the_same_cluster(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many manifests lie in a cluster.yaml, and their clusters are called so."""
    other, *state = beside(manifest, ELSEWHERE.replace("name: other", "name: six"))
    assert main(["status", other, *state]) == 2
    assert "is of another cluster than" in capsys.readouterr().err


def test_a_run_and_questions_refuse_before_any_node_is_asked(manifest: Path) -> None:
    """In the place where both begin; the journal stays as it is."""
    other, *_ = beside(manifest, ELSEWHERE)
    project, state = load_project(Path(other)), load_project(manifest).state()
    before = (state.journal / "journal.jsonl").read_bytes()
    with open_journal(state) as journal, pytest.raises(UsageError, match="is of another cluster"):
        states_in(journal, project.cluster)
    with pytest.raises(UsageError, match="is of another cluster"):
        ask_cluster(project, state, _nothing)
    assert (state.journal / "journal.jsonl").read_bytes() == before


async def _nothing(_rollout: object) -> None:
    raise AssertionError("nobody is asked")


@pytest.mark.parametrize(
    "text",
    [
        MANIFEST.replace("name: six", "name: seven"),
        MANIFEST.replace("name: six\n", ""),
        MANIFEST + "  - {name: agent-3, address: 192.0.2.23, user: ops, role: agent}\n",
        MANIFEST.replace("192.0.2.22", "192.0.2.99"),
    ],
    ids=["renamed", "without a name", "grown", "one address mended"],
)
def test_a_manifest_that_changed_is_still_of_its_cluster(
    text: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file may have another name, too."""
    other, *state = beside(manifest, text)
    assert main(["explain", other, *state]) == 0
    assert "srv-3" in capsys.readouterr().out


def test_the_only_address_may_be_mended_while_nothing_is_on_the_node() -> None:
    """Of the same name: whoever mistyped it runs again. Not once the cluster lives there."""
    mended = cluster(node("srv-1", "primary", "10.0.0.99"))
    begun = cluster(node("srv-1", "primary", "10.0.0.1"))
    assert is_of(mended, history(begun))
    assert is_of(mended, history(begun, states="pending~stage"))
    assert not is_of(mended, history(begun, states="bootstrapped"))


def test_the_last_header_that_says_so_counts() -> None:
    """An address that was mended is the node's from then on; one of an older version says nothing."""
    made = cluster(*TWO)
    told = history(made)
    first = told.header
    told.take(Record(seq=2, at=0.0, kind="resumed", header=replace(first, marks=("10.0.0.7", "10.0.1.1"))))
    told.take(Record(seq=3, at=0.0, kind="resumed", header=replace(first, marks=(), subject="")))
    assert (told.subject, told.marks) == ("test", {"srv-1": "10.0.0.7", "agent-1": "10.0.1.1"})


# -- simulated runs ------------------------------------------------------------------------------------


def test_a_simulated_run_says_whose_it_is_and_that_it_is_simulated(tmp_path: Path) -> None:
    """One seed still gives the same bytes, wherever the manifest lies."""
    here = manifest_in(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    run, again = run_of(here), run_of(manifest_in(tmp_path / "elsewhere"))
    header = run.records[0].header
    assert header is not None
    cluster = load_project(here).cluster
    assert (header.simulated, header.subject, header.marks) == (True, "six", marks_of(cluster))
    assert run.journal == again.journal


def test_a_real_run_says_nothing_of_a_simulation() -> None:
    """Its bytes are as those of the versions before, which can read them."""
    assert b"simulated" not in b"".join(map(frame, as_real(run_of_two())))


def run_of_two() -> list[Record]:
    made = cluster(*TWO)
    return list(rehearse(Conditions(made, project_of(made).distro)).records)


@pytest.mark.parametrize("words", [*VERBS[:5], ["graph", "--run"]], ids=" ".join)
def test_a_simulated_run_of_another_cluster_is_refused_too(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a state folder, though every node has its name."""
    manifest = manifest_in(tmp_path)
    keep(manifest, run_of(manifest).records)
    verb, *more = words
    other, *state = beside(manifest, ELSEWHERE)
    assert main([verb, other, *state, *more]) == 2
    assert f"{JOURNAL} is of another cluster than {other}" in capsys.readouterr().err


def test_a_saved_simulation_of_another_cluster_is_refused_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `mk8s simulate --journal` writes it."""
    manifest, saved = manifest_in(tmp_path), tmp_path / "sim.jsonl"
    assert main(["simulate", str(manifest), "--journal", str(saved)]) == 0
    other, *_ = beside(manifest, ELSEWHERE)
    assert main(["replay", str(manifest), "--journal", str(saved), "--at", "5m"]) == 0
    assert main(["replay", other, "--journal", str(saved)]) == 2
    assert f"{saved} is of another cluster than {other}" in capsys.readouterr().err


def test_no_run_goes_on_from_a_simulated_one() -> None:
    """What, where, why, what to do."""
    with pytest.raises(UsageError) as refused:
        refuse_simulated(run_of_two(), Path("state/journal.jsonl"))
    said = str(refused.value)
    assert "state/journal.jsonl is of a simulation: no run can go on from it" in said
    assert "because nothing of what it says was done to any node (from record 1 on)" in said
    assert "hint: move it away, and put this cluster's own journal back if it has one" in said


def test_nor_from_a_real_one_that_a_simulation_went_on_with(tmp_path: Path) -> None:
    """Its first records are true, and the last are not."""
    project = load_project(manifest_in(tmp_path))
    what_if = rehearse(Conditions(project.cluster, project.distro, past=OLD.read_bytes()))
    begun = len(parse(OLD.read_bytes()).records) + 1
    with pytest.raises(UsageError, match=rf"\(from record {begun} on\)"):
        refuse_simulated(what_if.records, Path("j"))


def test_nor_from_one_that_an_older_version_simulated() -> None:
    """It told no wall clock, as every real run does."""
    older = [
        replace(record, header=replace(record.header, simulated=False, subject="", marks=()))
        if record.header
        else record
        for record in run_of_two()
    ]
    with pytest.raises(UsageError, match="is of a simulation"):
        refuse_simulated(older, Path("j"))


@pytest.mark.parametrize("records", [[], parse(OLD.read_bytes()).records], ids=["none", "an older version's"])
def test_a_real_past_is_none_of_a_simulation(records: list[Record]) -> None:
    """Nor is an empty one."""
    refuse_simulated(records, Path("j"))


# -- journals that were written before headers said whose they are -------------------------------------


def test_an_old_journal_is_read_by_every_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As before: whose it is it does not say."""
    path = manifest_in(tmp_path)
    keep(path, parse(OLD.read_bytes()).records)
    for verb in (["explain"], ["journal"], ["replay", "--at", "5m"], ["report", "--no-prediction"]):
        out = ["--out", str(tmp_path / "page.html")] if verb[0] == "report" else []
        assert main([verb[0], str(path), *verb[1:], *out]) == 0, capsys.readouterr().err
    assert main(["status", str(path)]) == 1
    assert "srv-2    server   192.0.2.12  running" in capsys.readouterr().out


def test_an_old_journal_is_gone_on_with(tmp_path: Path) -> None:
    """To its end, from the very record where it was cut off; the old bytes stay as they are."""
    project = load_project(manifest_in(tmp_path))
    journal = MemoryJournal(OLD.read_bytes())
    run = rehearse(Conditions(project.cluster, project.distro), journal=journal)
    assert set(run.result.states.values()) == {"healthy"}
    assert journal.data.startswith(OLD.read_bytes())


def test_a_real_run_says_whose_it_is_from_its_first_resume_on(tmp_path: Path) -> None:
    """The folder of an older version is known again from then on."""
    path = manifest_in(tmp_path)
    records = parse(OLD.read_bytes()).records
    keep(path, records)
    project = load_project(path)
    Secrets(project.state().folder).token()
    with open_journal(project.state()) as journal:
        supervisor = real_rollout(project, project.state(), journal, {}, make=False).supervisor()
        supervisor.abort()
        trio.run(supervisor.run)
        header = journal.records()[len(records)].header
        assert header is not None
        assert (header.subject, header.marks) == ("six", marks_of(project.cluster))
        assert states_in(journal, project.cluster)["srv-1"] == "healthy"
        other, *_ = beside(path, ELSEWHERE)
        with pytest.raises(UsageError, match="another cluster"):
            states_in(journal, load_project(Path(other)).cluster)


def test_lines_are_as_they_were_where_nothing_is_said() -> None:
    """No byte of a journal without an identity changed."""
    assert b"".join(map(frame, parse(OLD.read_bytes()).records)) == OLD.read_bytes()
