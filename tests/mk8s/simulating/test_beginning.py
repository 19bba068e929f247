"""mk8s.simulating.beginning: a simulated run goes on from the journal of a half-done one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from machines import FileJournal, Record
from machines.framing import frame
from mk8s.distros.base import load_distro
from mk8s.errors import Mk8sError
from mk8s.explaining.reasons import Reasons
from mk8s.explaining.scene import Scene
from mk8s.past import read_past
from mk8s.project import Project
from mk8s.rehearsal import Conditions, rehearse
from mk8s.simulating.beginning import journal_of
from mk8s.simulating.trial import rehearsed, tried
from mk8s.timeline import timeline_of
from tests.mk8s.examples import cluster
from tests.mk8s.simulating.runs import experiment, of_rate

WHOLE = rehearsed(experiment(), 0)


def cut_where(kind: str, edge: str, node: str) -> list[Record]:
    """The whole run's records up to, and with, this one."""
    index = next(
        index
        for index, record in enumerate(WHOLE.records)
        if (record.kind, record.edge, record.node) == (kind, edge, node)
    )
    return list(WHOLE.records[: index + 1])


def as_bytes(records: list[Record]) -> bytes:
    return b"".join(frame(record) for record in records)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
def test_a_run_that_was_cut_off_anywhere_ends_as_the_whole_one(share: float) -> None:
    """Everybody healthy, whatever of the attempts in flight had happened; and no invariant is broken."""
    past = as_bytes(list(WHOLE.records[: max(1, int(len(WHOLE.records) * share))]))
    for seed in range(3):
        run = rehearsed(experiment(past=past), seed)
        assert run.result.states == WHOLE.result.states


def test_edges_that_are_done_are_not_done_again() -> None:
    """Only those that were not are begun."""
    past = cut_where("done", "start-primary", "srv-1")
    run = rehearsed(experiment(past=as_bytes(past)), 1)
    begun = {
        (record.node, record.edge) for record in run.records[run.resumed_after :] if record.kind == "intent"
    }
    assert ("srv-1", "start-primary") not in begun
    assert ("srv-1", "verify") in begun
    assert not any(edge in ("stage", "bootstrap") for _, edge in begun)


def test_the_time_is_counted_from_where_it_goes_on() -> None:
    """What is left, not what was."""
    past = cut_where("done", "start-primary", "srv-1")
    left = tried(experiment(past=as_bytes(past)), 0).seconds
    assert 0 < left < WHOLE.result.at - past[-1].at + 60


def test_what_an_attempt_in_flight_had_done_is_drawn_by_the_seed() -> None:
    """The same seed, the same beginning; over seeds, more than one."""
    past = as_bytes(cut_where("intent", "join-server", "srv-2"))
    digests = [tried(experiment(past=past), seed).digest for seed in (1, 1, 2, 3, 4)]
    assert digests[0] == digests[1]
    assert len(set(digests)) > 2


@pytest.mark.parametrize(
    ("edge", "name"), [("start-primary", "srv-1"), ("join-server", "srv-2"), ("join-agent", "agent-1")]
)
def test_an_attempt_in_doubt_had_its_effect_in_some_seeds_and_in_others_not(edge: str, name: str) -> None:
    """Whoever crashed behind the effect is as real as whoever crashed before it; the probe tells them apart.

    Both end well, what was effected is not done again, and each seed draws the same every time.
    """
    past = as_bytes(cut_where("intent", edge, name))

    def goes_on(seed: int) -> list[tuple[str, bool]]:
        run = rehearsed(experiment(past=past), seed)
        assert run.result.ok
        records = [r for r in run.records[run.resumed_after :] if (r.node, r.edge) == (name, edge)]
        return [(r.kind, r.found) for r in records if r.kind in ("probed", "intent", "error")]

    ways = [goes_on(seed) for seed in range(8)]
    assert [("probed", True)] in ways
    assert [("probed", False), ("intent", False)] in ways
    assert ways[:2] == [goes_on(0), goes_on(1)]


def test_an_attempt_in_doubt_that_others_are_not_as_far_for_had_its_time() -> None:
    """The first server of vanilla waits for the etcd of founders that were cut off before they had begun it.

    The modelled wait has the attempt's time-out too: else the simulation would never begin.
    """
    three = replace(cluster(servers=3, agents=0), distro="vanilla", version="v1.33.4")
    vanilla = Conditions(three, load_distro("vanilla"))
    whole = rehearse(vanilla).records
    cut = next(i for i, r in enumerate(whole) if (r.kind, r.edge) == ("intent", "start-primary"))
    kept = [
        r
        for r in whole[: cut + 1]
        if r.node in ("", "srv-1") or r.edge not in ("bootstrap", "hold", "join-server")
    ]
    past = as_bytes([msgspec.structs.replace(r, seq=seq) for seq, r in enumerate(kept, 1)])
    for seed in range(4):
        assert rehearse(replace(vanilla, past=past), seed).result.ok


def test_what_if_a_node_reboots_now() -> None:
    """A scenario meets the run that goes on; its seconds count from there."""
    past = as_bytes(cut_where("intent", "join-server", "srv-2"))
    run = rehearsed(experiment("faults: [{node: srv-2, what: reboot, at: 0s}]\n", past=past), 1)
    assert [one.at for one in run.happened] == [0.0]
    assert run.result.ok


def test_faults_meet_what_goes_on_and_not_what_was() -> None:
    """The hosts are brought to where the journal says without any."""
    past = as_bytes(cut_where("done", "start-primary", "srv-1"))
    run = rehearsed(experiment(past=past, made=of_rate(0.05)), 1)
    assert run.struck
    assert all(struck.operation != "file.append" for struck in run.struck)


def test_a_failed_node_is_put_back_and_tried_again() -> None:
    """As a run does that is begun again after its host was mended."""
    failing = rehearsed(experiment("faults: [{node: 'agent[0]', what: cable-out, at: 0s}]\n"), 1)
    assert failing.result.states["agent-1"] == "failed"
    assert rehearsed(experiment(past=failing.journal), 2).result.ok


def project(folder: Path) -> Project:
    return Project(folder / "cluster.yaml", cluster(servers=3, agents=2), load_distro("rke2"), (), "text")


def test_the_real_journal_is_only_read(tmp_path: Path) -> None:
    """Also while a run holds its lock."""
    state = project(tmp_path).state()
    journal = FileJournal(state.journal)
    try:
        journal.append(0.0, "header", header=WHOLE.records[0].header)
        before = journal.path.read_bytes()
        assert journal_of(project(tmp_path)) == before
        assert tried(experiment(past=before), 1).ending == "healthy"
        assert journal.path.read_bytes() == before
    finally:
        journal.close()


def test_without_a_journal_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    """And the words say what to do."""
    with pytest.raises(Mk8sError, match="leave out --from-state"):
        journal_of(project(tmp_path))


def test_a_manifest_that_lost_a_node_is_refused_as_a_run_refuses_it(tmp_path: Path) -> None:
    """With the node's name."""
    state = project(tmp_path).state()
    journal = FileJournal(state.journal)
    journal.append(0.0, "header", header=WHOLE.records[0].header)
    journal.close()
    smaller = replace(project(tmp_path), cluster=cluster(servers=3, agents=1))
    with pytest.raises(Mk8sError, match="agent-2 had another role, or is not in the manifest now"):
        journal_of(smaller)


def test_a_clause_of_another_versions_table_is_believed(tmp_path: Path) -> None:
    """Tables may lose retry clauses: a run that was begun with more of them goes on, and is explained."""
    failing = rehearsed(experiment("faults: [{node: srv-2, operation: file.put, what: drop}]\n"), 1)
    last = next(at for at, r in enumerate(failing.records) if r.kind == "retry" and r.node == "srv-2")
    old = [
        msgspec.structs.replace(r, clause=7) if r.node == "srv-2" and r.kind in ("error", "retry") else r
        for r in failing.records[: last + 1]
    ]
    here = project(tmp_path)
    journal = here.state().journal
    journal.mkdir(mode=0o700)
    (journal / "journal.jsonl").write_bytes(as_bytes(old))
    assert rehearsed(experiment(past=journal_of(here)), 1).result.ok
    past = read_past(here, None)
    scene = Scene(here.cluster, past.history, timeline_of(old, past.history.table.spec), "x")
    assert Reasons(scene).of("srv-2").kind == "back-off"
