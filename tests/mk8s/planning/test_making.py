"""mk8s.planning.making: what is ahead of each node, by the manifest and the journal."""

from __future__ import annotations

from machines import Table, fold
from machines.simulation import FaultPlan
from mk8s.planning.making import REFRESH, edges_ahead, edges_behind, make_plan, places_in
from mk8s.rehearsal import Conditions, rehearse
from mk8s.steps import Upload
from tests.mk8s.planning.worlds import cluster_of, ground_of


def test_a_bare_node_goes_through_all_edges_of_its_role() -> None:
    """The primary starts, the others join."""
    plans = {plan.node.role: plan for plan in make_plan(ground_of(cluster_of("rke2", servers=2)))}
    assert [edge.name for edge in plans["primary"].edges] == ["stage", "bootstrap", "start-primary", "verify"]
    assert [edge.name for edge in plans["server"].edges] == ["stage", "bootstrap", "join-server", "verify"]
    assert plans["agent"].edges[2].signal == "servers-healthy"


def test_only_what_the_journal_leaves_is_ahead() -> None:
    """What is done is named; its bytes are not sent again."""
    ground = ground_of(cluster_of(), {"agent-1": "bootstrapped"})
    (plan,) = [plan for plan in make_plan(ground) if plan.node.name == "agent-1"]
    assert [edge.name for edge in plan.edges] == ["join-agent", "verify"]
    assert len(plan.done) == 2
    assert plan.bytes_to_send == 0


def test_ahead_and_behind_make_the_whole_way() -> None:
    """Wherever a node stands."""
    made = cluster_of()
    agent = made.nodes[-1]
    whole = [edge.name for edge in edges_ahead(ground_of(made), agent)]
    for state in ("pending", "staged", "bootstrapped", "waiting", "running", "healthy"):
        ground = ground_of(made, {agent.name: state})
        parts = [*edges_behind(ground, agent), *edges_ahead(ground, agent)]
        assert [edge.name for edge in parts] == whole


def test_a_healthy_server_of_k3s_learns_of_others() -> None:
    """A run tells healthy nodes what is new, where the distro has anything to tell."""
    ground = ground_of(cluster_of(), {"srv-1": "healthy"})
    assert [edge.name for edge in make_plan(ground)[0].edges] in ([], [REFRESH])


def test_uploads_are_counted_by_node() -> None:
    """The most that it receives."""
    for plan in make_plan(ground_of(cluster_of("rke2"))):
        steps = [step.step for edge in plan.edges for step in edge.steps]
        assert plan.bytes_to_send == sum(step.source.size for step in steps if isinstance(step, Upload))


def test_a_node_that_failed_begins_where_its_edge_began() -> None:
    """As a run would put it back."""
    made = cluster_of("rke2")
    ground = ground_of(made)
    guards = {name.lstrip("!"): bool for edge in ground.machine.edges for name in edge.guard}
    run = rehearse(Conditions(made, ground.distro), faults=FaultPlan(0, {"disk-full": 0.5}))
    history = fold(run.records, Table(ground.machine, guards))
    assert history is not None
    states = {name for name, state in run.result.states.items() if state == "quarantined"}
    assert states
    assert {places_in(history)[name] for name in states} <= {"pending", "staged"}
