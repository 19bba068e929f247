"""The machine that mk8s ships: sound, complete, and as its picture in the documentation says."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from msgspec.structs import replace

from machines.checks import check
from machines.errors import Failure
from machines.loading import load_machine
from machines.registry import Registry
from machines.retry import wait_before_retry
from machines.spec import Catch, MachineSpec
from machines.table import OutOfPlace, Table

NODE = Path(__file__).parents[2] / "specs" / "machines" / "node.yaml"


class Walker:
    """A node of some role."""

    def __init__(self, state: str, role: str) -> None:
        self.state = state
        self.role = role


def registry() -> Registry:
    names = Registry()

    async def act(_context: object) -> None:
        """Nothing to do."""

    names.actions |= dict.fromkeys(("stage", "bootstrap", "start", "join", "verify"), act)
    names.probes["has_joined"] = act
    names.undos["stop_unit"] = act
    names.guards["is_primary"] = lambda node: node.role == "primary"
    names.guards["is_server"] = lambda node: node.role == "server"
    names.guards["is_agent"] = lambda node: node.role == "agent"
    return names


@pytest.fixture(scope="module")
def spec() -> MachineSpec:
    return load_machine(NODE, registry())


@pytest.fixture(scope="module")
def table(spec: MachineSpec) -> Table:
    return Table(spec, registry().guards)


def test_the_shipped_machine_has_no_faults(spec: MachineSpec) -> None:
    """Against a registry that knows exactly the names it uses."""
    assert check(spec, registry()) == []


def test_titles_are_whole(spec: MachineSpec) -> None:
    """A comma inside {...} would have cut them off."""
    assert spec.states["waiting"].title == "ready to start, holding for its signal"


@pytest.mark.parametrize(
    ("role", "starts_by"), [("primary", "start-primary"), ("server", "join-server"), ("agent", "join-agent")]
)
def test_a_node_walks_the_six_states_to_healthy(table: Table, role: str, starts_by: str) -> None:
    """Each role has exactly one way, and starts on its own edge."""
    node = Walker("pending", role)
    states, edges = [node.state], []
    while table.outcome(node.state) is None:
        (edge,) = [edge for edge in table.edges_from(node.state) if table.is_open(node, edge.name)]
        assert table.begin(node, edge.name)
        if edge.do:
            table.succeed(node, edge.name)
        states.append(node.state)
        edges.append(edge.name)
    assert states == ["pending", "staged", "bootstrapped", "waiting", "running", "healthy"]
    assert edges == ["stage", "bootstrap", "hold", starts_by, "verify"]


CLASSES = ["connection.lost", "connection", "timeout.command", "timeout", "integrity", "disk.full", "exit.17",
           "join.rejected", "etcd.learner", "unit", "check", "internal", "never.heard.of"]  # fmt: skip


def test_every_failure_on_every_edge_leads_somewhere(table: Table) -> None:
    """Final failures and failures after the deadline too, in every in-flight state."""
    flights = [state for state in sorted(table.states) if table.in_flight(state)]
    assert len(flights) == 6
    for state, kind, final, exhausted in product(flights, CLASSES, (False, True), (False, True)):
        node = Walker(state, "server")
        _, edge = table.in_flight(state) or ("", "")
        failure = Failure((kind, kind.split(".")[0]), final=final)
        clause = table.fail(node, edge, failure, {}, exhausted)
        if isinstance(clause, Catch):
            assert table.outcome(node.state) == "failure"
        else:
            assert node.state == state
            assert not final
            assert not exhausted


def test_every_event_in_every_state_is_in_the_table_or_refused(table: Table) -> None:
    """No event leads out of the table, and a refused one changes nothing."""
    taken = 0
    rows = {(row.source, row.edge.name, row.kind) for row in table.rows}
    for state, edge, event in product(sorted(table.states), table.edges, ("begin", "ok", "stop")):
        node = Walker(state, "server")
        fire = {"begin": table.begin, "ok": table.succeed, "stop": table.interrupt}[event]
        if (state, edge, event) in rows:
            fire(node, edge)
            taken += 1
        else:
            with pytest.raises(OutOfPlace):
                fire(node, edge)
            assert node.state == state
        assert node.state in table.states
    assert taken == 7 + 6 + 6


def test_a_rejected_join_is_rolled_back_and_a_full_disk_is_not(table: Table) -> None:
    """The rows of `join-server` that a person would ask about first."""
    ends = {}
    for kind in ("join.rejected", "disk.full", "internal"):
        node = Walker("waiting~join-server", "server")
        clause = table.fail(node, "join-server", Failure((kind,)), {}, False)
        ends[kind] = (node.state, isinstance(clause, Catch) and clause.rollback)
    assert ends == {
        "join.rejected": ("rolled-back", True),
        "disk.full": ("quarantined", False),
        "internal": ("failed", False),
    }


def test_a_server_outwaits_a_learner_that_died(table: Table) -> None:
    """etcd removes one that makes no progress after five minutes; until then nobody else may join."""
    failure = Failure(("etcd.learner", "etcd"))
    index = table.retry_index("join-server", failure)
    assert index is not None
    clause = table.edges["join-server"].retry[index]
    waits = [wait_before_retry(clause, tries, "any") for tries in range(1, clause.attempts or 0)]
    assert sum(waits) > 1.5 * 300


@pytest.mark.parametrize("edge", ["stage", "bootstrap"])
def test_an_outage_of_six_minutes_is_outwaited_and_a_dead_host_is_given_up(table: Table, edge: str) -> None:
    """Even where each attempt is refused at once; and a dead host costs less than 20 minutes."""
    failure = Failure(("connection.timeout", "connection"))
    clause = table.edges[edge].retry[table.retry_index(edge, failure) or 0]
    attempts = clause.attempts or 0
    longest = [wait_before_retry(replace(clause, jitter="none"), n, "any") for n in range(1, attempts)]
    assert clause.jitter == "equal"  # at the least half of it
    assert sum(longest) / 2 > 6 * 60
    assert sum(longest) + attempts * 10 < 20 * 60


def test_only_edges_with_a_deadline_count_anew(table: Table) -> None:
    """So nobody is tried for ever who always gets a little further."""
    renewing = [edge for edge in table.edges.values() if any(c.renew == "progress" for c in edge.retry)]
    assert len(renewing) == 6
    assert all(edge.deadline for edge in renewing)
