"""What people read of a run: status and summary, over the journal of a simulated one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from machines import History, Table, fold
from machines.simulation import FaultPlan, ScriptedFault
from mk8s.distros.base import load_distro
from mk8s.forecast.beside import Prediction
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
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
    return rehearse(Conditions(CLUSTER, load_distro("rke2")), faults=FULL)


def history_of(run: Rehearsal, until: int | None = None) -> History:
    """What the journal tells, or its first records."""
    spec = node_machine(CLUSTER)
    table = Table(spec, {name.lstrip("!"): bool for edge in spec.edges for name in edge.guard})
    history = fold(run.records[:until], table)
    assert history is not None
    return history


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
    assert lines[0].split() == ["NODE", "ROLE", "ADDRESS", "STATE", "AFTER"]
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


def test_a_rehearsal_that_ends_badly_does_not_lead_to_the_real_run(run: Rehearsal) -> None:
    """One that ends well does."""
    bad = summary(CLUSTER, run.result, run.records, "c.yaml", simulated=True)
    assert "mk8s run" not in bad
    good = rehearse(Conditions(CLUSTER, load_distro("rke2")))
    told = summary(CLUSTER, good.result, good.records, "c.yaml", simulated=True)
    assert told.splitlines()[-1] == "Next: mk8s run c.yaml"


def test_the_summary_lays_the_prediction_beside_the_part_that_was_predicted() -> None:
    """Of a run that went on, from there; the next command stays the last line."""
    good = rehearse(Conditions(CLUSTER, load_distro("rke2")))
    told, began = Prediction(10.0, 20.0, 30.0, ""), good.result.at - 20.0
    lines = summary(CLUSTER, good.result, good.records, "c.yaml", predicted=told, began=began).splitlines()
    assert lines[1] == "predicted: 10 s to 30 s, and it took 20 s"
    assert lines[2].startswith("Next: ")


def test_the_summary_of_a_whole_cluster_leads_to_its_kubeconfig() -> None:
    """All healthy, when the control plane was complete, and how to use it."""
    good = rehearse(Conditions(CLUSTER, load_distro("rke2")))
    lines = summary(CLUSTER, good.result, good.records, "c.yaml").splitlines()
    assert lines[0].startswith("5 of 5 nodes healthy in ")
    assert "control plane complete after" in lines[0]
    assert lines[1] == "Next: export KUBECONFIG=$(mk8s kubeconfig c.yaml)"


def test_the_summary_doubts_a_healthy_node_that_did_not_answer() -> None:
    """It is counted by the journal alone: who reads the figure is told whose health nobody saw."""
    good = rehearse(Conditions(CLUSTER, load_distro("rke2")))
    lines = summary(CLUSTER, good.result, good.records, "c.yaml", unheard=["srv-2"]).splitlines()
    assert lines[0].startswith("5 of 5 nodes healthy in ")
    assert lines[1:] == [
        "srv-2: healthy by the journal, but gave no answer before this run began; "
        "`mk8s health c.yaml` asks again",
        "Next: export KUBECONFIG=$(mk8s kubeconfig c.yaml)",
    ]
