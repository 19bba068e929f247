"""What people read of a run: explain, status and summary, over the journal of a simulated one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from machines import History, Table, fold
from machines.simulation import FaultPlan, ScriptedFault
from mk8s.distros.base import load_distro
from mk8s.explain import explain
from mk8s.rehearsal import Rehearsal, rehearse
from mk8s.status import status_rows, status_text
from mk8s.steps import Verdict
from mk8s.summary import summary
from mk8s.tables import node_machine
from tests.mk8s.examples import cluster

CLUSTER = cluster(servers=3, agents=2)
FULL = FaultPlan(scripted=(ScriptedFault("srv-3", "file.append", "disk-full", attempt=None),))


@pytest.fixture(scope="module")
def run() -> Rehearsal:
    """A run in which one server's disk is full: it is set aside, and the agents' signal is lost."""
    return rehearse(CLUSTER, load_distro("rke2"), faults=FULL)


def history_of(run: Rehearsal, until: int | None = None) -> History:
    """What the journal tells, or its first records."""
    spec = node_machine(CLUSTER)
    table = Table(spec, {name.lstrip("!"): bool for edge in spec.edges for name in edge.guard})
    history = fold(run.records[:until], table)
    assert history is not None
    return history


def test_explain_says_why_a_node_was_set_aside_and_what_comes_next(run: Rehearsal) -> None:
    """The reason, the remedy, and that a new run starts over at the edge that failed."""
    text = explain("srv-3", history_of(run), run.records)
    assert text.startswith("srv-3 (server) is quarantined")
    assert "it failed at: put the release on the node" in text
    assert " is full: " in text
    assert "hint: " in text
    assert "it starts over at stage" in text


def test_explain_names_who_keeps_a_signal_from_coming(run: Rehearsal) -> None:
    """An agent is blocked, not hanging, and says because of whom."""
    text = explain("agent-1", history_of(run), run.records)
    assert "it is blocked: " in text
    assert "srv-3" in text


def test_explain_says_that_nothing_is_left_to_do(run: Rehearsal) -> None:
    """A healthy node."""
    assert "nothing is left to do on it" in explain("srv-1", history_of(run), run.records)


def test_explain_knows_that_a_new_node_is_in_no_run_yet(run: Rehearsal) -> None:
    """The manifest got it since."""
    text = explain("agent-9", history_of(run), run.records)
    assert text == "agent-9 is not in a run yet\nnext: the next run begins with it"


def test_explain_in_mid_run_counts_those_it_waits_for(run: Rehearsal) -> None:
    """What it waits for, how many are there, how many there must be."""
    waiting = next(i for i, r in enumerate(run.records) if r.node == "agent-1" and r.to == "waiting")
    text = explain("agent-1", history_of(run, waiting + 1), run.records[: waiting + 1])
    assert (
        "it waits for servers-healthy: 100% of role primary and server in state healthy (0 of 3 are)" in text
    )
    assert "next: join-agent (join as an agent) -> running" in text


def test_explain_in_mid_run_says_after_whom_it_comes() -> None:
    """Servers join one by one: who queues is held back, and by whom."""
    run = rehearse(CLUSTER, load_distro("rke2"))
    joining = next(i for i, r in enumerate(run.records) if r.to == "waiting~join-server")
    first = run.records[joining].node
    second = "srv-3" if first == "srv-2" else "srv-2"
    text = explain(second, history_of(run, joining + 1), run.records[: joining + 1])
    assert f"it waits for its turn at etcd-joins, after {first}\n" in text


def test_explain_in_mid_edge_says_how_long_it_may_take(run: Rehearsal) -> None:
    """The attempt, its bound and the bound of all attempts."""
    begun = next(i for i, r in enumerate(run.records) if r.node == "srv-1" and r.kind == "intent")
    text = explain("srv-1", history_of(run, begun + 1), run.records[: begun + 1])
    assert "between pending and staged, at: put the release on the node" in text
    assert "attempt 1; an attempt may take 2:00:00; all attempts together 4:00:00" in text


def test_status_has_a_row_for_every_node_in_working_order(run: Rehearsal) -> None:
    """Primary, servers, agents; the reason beside those that are not healthy."""
    rows = status_rows(CLUSTER, history_of(run), run.records)
    assert [(row.node, row.state, row.healthy) for row in rows] == [
        ("srv-1", "healthy", True),
        ("srv-2", "healthy", True),
        ("srv-3", "quarantined", False),
        ("agent-1", "waiting", False),
        ("agent-2", "waiting", False),
    ]
    lines = status_text(rows).splitlines()
    assert lines[0].split() == ["NODE", "ROLE", "ADDRESS", "STATE", "SINCE"]
    assert " is full: " in lines[3]


def test_status_has_a_node_that_the_manifest_has_lost(run: Rehearsal) -> None:
    """A run would refuse it; nobody should have to start one to hear of it."""
    less = replace(CLUSTER, nodes=CLUSTER.nodes[:-1])
    row = status_rows(less, history_of(run), run.records)[-1]
    assert (row.node, row.state, row.healthy) == ("agent-2", "waiting", False)
    assert "not in the manifest any more" in row.reason


def test_a_node_that_answers_otherwise_than_the_journal_is_not_healthy(run: Rehearsal) -> None:
    """`status --ask`: what the node says now wins."""
    row = status_rows(CLUSTER, history_of(run), run.records)[0]
    asked = row.answered(Verdict(met=False, reason="the unit is failed"))
    assert (asked.healthy, asked.reason) == (False, "the unit is failed")
    assert row.answered(None) == row


def test_the_summary_names_each_trouble_and_ends_with_the_next_command(run: Rehearsal) -> None:
    """The last words of a run."""
    lines = summary(CLUSTER, run.result, run.records, "c.yaml").splitlines()
    assert lines[0].startswith("srv-3: quarantined at stage: ")
    assert lines[1].startswith("    hint: ")
    assert lines[2].startswith("agent-1: blocked in state waiting: ")
    assert lines[-2].startswith("2 of 5 nodes healthy in ")
    assert lines[-1].startswith("Next: mend what is named above, then mk8s run c.yaml")


def test_the_summary_of_a_whole_cluster_leads_to_its_kubeconfig() -> None:
    """All healthy, when the control plane was complete, and how to use it."""
    good = rehearse(CLUSTER, load_distro("rke2"))
    lines = summary(CLUSTER, good.result, good.records, "c.yaml").splitlines()
    assert lines[0].startswith("5 of 5 nodes healthy in ")
    assert "control plane complete after" in lines[0]
    assert lines[1] == "Next: export KUBECONFIG=$(mk8s kubeconfig c.yaml)"
