"""The compiled table: where every event takes a node, and that nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import pytest

from machines.errors import Failure
from machines.spec import Catch, EdgeSpec, MachineSpec, Retry, StateSpec
from machines.table import OutOfPlace, Table

REFUSED = Failure(("connection.refused", "connection"))
EXIT = Failure(("exit.17", "exit"))


@dataclass
class Node:
    state: str
    role: str = "server"


def is_server(node: Node) -> bool:
    return node.role == "server"


GUARDS = {"is_server": is_server}

JOIN = EdgeSpec(
    name="join",
    source=["waiting", "parked"],
    to="running",
    guard=["is_server"],
    do="join",
    retry=[
        Retry(match=["connection.refused"], attempts=2),
        Retry(match=["connection", "timeout"]),
    ],
    catch=[Catch(match=["exit"], to="quarantined"), Catch(match=["*"], to="failed")],
)
SPEC = MachineSpec(
    machine="example",
    version=1,
    initial="new",
    states={
        "new": StateSpec(),
        "waiting": StateSpec(),
        "parked": StateSpec(),
        "running": StateSpec(outcome="success"),
        "failed": StateSpec(outcome="failure"),
        "quarantined": StateSpec(outcome="failure"),
    },
    edges=[
        EdgeSpec(name="hold", source="new", to="waiting"),
        EdgeSpec(name="park", source="waiting", to="parked", guard=["!is_server"]),
        JOIN,
    ],
)


@pytest.fixture
def table() -> Table:
    return Table(SPEC, GUARDS)


def test_an_edge_with_an_action_adds_one_state_for_each_source(table: Table) -> None:
    """The in-flight state is `<source>~<edge>`; edges without action add none."""
    assert table.states == {*SPEC.states, "waiting~join", "parked~join"}


def test_an_in_flight_state_knows_its_source_and_its_edge(table: Table) -> None:
    """That is what a resume reads from a journal's state name."""
    assert table.in_flight("parked~join") == ("parked", "join")
    assert table.in_flight("parked") is None


def test_edges_leave_a_state_in_document_order(table: Table) -> None:
    """The engine tries them in this order."""
    assert [edge.name for edge in table.edges_from("waiting")] == ["park", "join"]
    assert table.edges_from("running") == ()
    assert table.edges_from("waiting~join") == ()


def test_an_outcome_is_told_only_by_a_state_that_ends_a_life(table: Table) -> None:
    """In-flight states and states on the way have none."""
    outcomes = {state: table.outcome(state) for state in table.states if table.outcome(state)}
    assert outcomes == {"running": "success", "failed": "failure", "quarantined": "failure"}


def test_an_edge_without_action_ends_where_it_leads(table: Table) -> None:
    """There is nothing to be in flight for."""
    node = Node("new")
    assert table.begin(node, "hold")
    assert node.state == "waiting"


def test_an_edge_with_an_action_puts_the_node_in_flight(table: Table) -> None:
    """The state says which edge, and from where."""
    node = Node("parked")
    assert table.begin(node, "join")
    assert node.state == "parked~join"


@pytest.mark.parametrize(("role", "edge"), [("agent", "join"), ("server", "park")])
def test_a_guard_that_refuses_leaves_the_node_where_it_is(table: Table, role: str, edge: str) -> None:
    """`!name` negates; `is_open` and `begin` agree."""
    node = Node("waiting", role)
    assert not table.is_open(node, edge)
    assert not table.begin(node, edge)
    assert node.state == "waiting"


@pytest.mark.parametrize(("role", "edge"), [("server", "join"), ("agent", "park")])
def test_an_edge_is_open_when_every_guard_allows_it(table: Table, role: str, edge: str) -> None:
    """The same guards, the other way round."""
    assert table.is_open(Node("waiting", role), edge)


def test_a_guard_may_answer_with_any_truth_value() -> None:
    """`1` or a non-empty string is a yes, as everywhere in Python."""
    table = Table(SPEC, {"is_server": lambda _node: "yes"})  # type: ignore[dict-item,return-value]
    assert table.begin(Node("waiting"), "join")
    assert not table.is_open(Node("waiting"), "park")


def test_a_guard_that_raises_leaves_the_node_where_it_is() -> None:
    """A bug in a guard is the caller's to handle; the table stays whole."""

    def broken(_node: Node) -> bool:
        raise RuntimeError("guard broke")

    node = Node("waiting")
    with pytest.raises(RuntimeError, match="guard broke"):
        Table(SPEC, {"is_server": broken}).begin(node, "join")
    assert node.state == "waiting"


def test_success_leads_to_the_target(table: Table) -> None:
    """Whatever the source was."""
    node = Node("parked~join")
    table.succeed(node, "join")
    assert node.state == "running"


def test_an_interruption_leads_back_to_its_own_source(table: Table) -> None:
    """An edge with two sources returns each node to where it came from."""
    states = []
    for source in ("waiting", "parked"):
        node = Node(f"{source}~join")
        table.interrupt(node, "join")
        states.append(node.state)
    assert states == ["waiting", "parked"]


def test_the_first_retry_clause_that_matches_keeps_the_node_in_flight(table: Table) -> None:
    """Order in the document decides, not how specific a class is."""
    node = Node("waiting~join")
    assert table.fail(node, "join", REFUSED, {0: 1}, False) is JOIN.retry[0]
    assert node.state == "waiting~join"


def test_attempts_count_tries_and_not_repetitions(table: Table) -> None:
    """`attempts: 2` means two tries in all: the second failure is caught."""
    node = Node("waiting~join")
    assert table.fail(node, "join", REFUSED, {0: 2}, False) is JOIN.catch[1]
    assert node.state == "failed"


def test_a_used_up_clause_does_not_hand_over_to_a_later_one(table: Table) -> None:
    """The second clause matches `connection` too, and is not asked: the first match decides."""
    node = Node("waiting~join")
    clause = table.fail(node, "join", REFUSED, {0: 2, 1: 0}, False)
    assert isinstance(clause, Catch)


def test_each_retry_clause_counts_for_itself(table: Table) -> None:
    """A used-up first clause does not shorten the second."""
    node = Node("waiting~join")
    lost = Failure(("connection.lost", "connection"))
    assert table.fail(node, "join", lost, {0: 99, 1: 1}, False) is JOIN.retry[1]


def test_a_clause_without_attempts_is_bounded_by_the_deadline_alone(table: Table) -> None:
    """A million tries are fine while the deadline is not over."""
    timeout = Failure(("timeout",))
    node = Node("waiting~join")
    assert table.fail(node, "join", timeout, {1: 1_000_000}, False) is JOIN.retry[1]
    assert table.fail(node, "join", timeout, {1: 1}, True) is JOIN.catch[1]
    assert node.state == "failed"


def test_a_final_failure_is_never_repeated(table: Table) -> None:
    """Repeating cannot help, so no retry clause is looked at."""
    node = Node("waiting~join")
    assert table.fail(node, "join", Failure(("timeout",), final=True), {1: 1}, False) is JOIN.catch[1]


def test_catch_clauses_are_asked_in_order(table: Table) -> None:
    """The first that matches leads away."""
    node = Node("parked~join")
    assert table.fail(node, "join", EXIT, {}, False) is JOIN.catch[0]
    assert node.state == "quarantined"


def test_the_failure_is_charged_to_the_clause_that_decides(table: Table) -> None:
    """`retry_index` names the counter to raise before `fail` is called."""
    assert [table.retry_index("join", failure) for failure in (REFUSED, Failure(("timeout",)), EXIT)] == [
        0,
        1,
        None,
    ]


def test_a_failure_that_no_clause_takes_is_refused_and_changes_nothing() -> None:
    """Checked documents always have a catch for '*'; a spec built by hand may not."""
    catch = [Catch(match=["exit"], to="failed")]
    edge = EdgeSpec(name="join", source="waiting", to="running", do="join", catch=catch)
    spec = MachineSpec(machine="m", version=1, initial="waiting", states=SPEC.states, edges=[edge])
    node = Node("waiting~join")
    with pytest.raises(OutOfPlace, match=r"no clause of edge 'join' takes 'timeout'"):
        Table(spec, {}).fail(node, "join", Failure(("timeout",)), {}, False)
    assert node.state == "waiting~join"


def _fire(table: Table, node: Node, edge: str, event: str) -> object:
    calls: dict[str, Callable[[], object]] = {
        "begin": lambda: table.begin(node, edge),
        "ok": lambda: table.succeed(node, edge),
        "stop": lambda: table.interrupt(node, edge),
        "err": lambda: table.fail(node, edge, EXIT, {}, False),
    }
    return calls[event]()


EXPECTED = {
    ("new", "hold", "begin"): "waiting",
    ("waiting", "park", "begin"): "waiting",  # the guard refuses a server
    ("waiting", "join", "begin"): "waiting~join",
    ("parked", "join", "begin"): "parked~join",
    ("waiting~join", "join", "ok"): "running",
    ("parked~join", "join", "ok"): "running",
    ("waiting~join", "join", "stop"): "waiting",
    ("parked~join", "join", "stop"): "parked",
    ("waiting~join", "join", "err"): "quarantined",
    ("parked~join", "join", "err"): "quarantined",
}


@pytest.mark.parametrize(
    ("state", "edge", "event"),
    sorted(product(Table(SPEC, GUARDS).states, ("hold", "park", "join"), ("begin", "ok", "err", "stop"))),
)
def test_every_event_in_every_state_is_in_the_table_or_refused(
    table: Table, state: str, edge: str, event: str
) -> None:
    """A refusal names what was expected and leaves the node as it was."""
    node = Node(state)
    if (state, edge, event) in EXPECTED:
        _fire(table, node, edge, event)
        assert node.state == EXPECTED[state, edge, event]
    else:
        with pytest.raises(OutOfPlace, match="there it expects"):
            _fire(table, node, edge, event)
        assert node.state == state


def test_a_refusal_names_the_events_that_were_expected(table: Table) -> None:
    """The message is for whoever debugs a driver."""
    with pytest.raises(OutOfPlace, match=r"in state 'waiting'; there it expects park\.begin, join\.begin$"):
        table.succeed(Node("waiting"), "join")


def test_unknown_names_are_refused_by_name(table: Table) -> None:
    """A misspelt edge or state never looks like a guard that refused."""
    with pytest.raises(OutOfPlace, match="'joim'"):
        table.begin(Node("waiting"), "joim")
    with pytest.raises(OutOfPlace, match="'wating'"):
        table.begin(Node("wating"), "join")
    with pytest.raises(OutOfPlace, match="'wating'"):
        table.outcome("wating")


def test_a_table_that_names_what_does_not_exist_is_not_built() -> None:
    """`transitions` would accept unknown states; all mistakes are told together."""
    edges = [
        EdgeSpec(name="go", source="new", to="moon", guard=["is_brave"]),
        EdgeSpec(name="go", source="x", to="new"),
    ]
    spec = MachineSpec(machine="m", version=1, initial="old", states=SPEC.states, edges=edges)
    with pytest.raises(ValueError, match="cannot be compiled") as caught:
        Table(spec, {})
    for part in (
        "'go' stands twice",
        "initial: unknown state 'old'",
        "'moon'",
        "'x'",
        "unknown guard 'is_brave'",
    ):
        assert part in str(caught.value)


def test_an_edge_may_have_any_name_that_the_form_allows() -> None:
    """`state` is the name of the attribute that `transitions` writes; it must not matter."""
    spec = MachineSpec(
        machine="m",
        version=1,
        initial="new",
        states={"new": StateSpec(), "end": StateSpec(outcome="success")},
        edges=[EdgeSpec(name="state", source="new", to="end")],
    )
    node = Node("new")
    Table(spec, {}).begin(node, "state")
    assert node.state == "end"


def test_one_table_serves_nodes_of_any_kind_at_once(table: Table) -> None:
    """The table holds nothing of a node; slots are enough and equal nodes are not confused."""

    class Slotted:
        __slots__ = ("role", "state")

        def __init__(self) -> None:
            self.state, self.role = "waiting", "server"

    first, second = Slotted(), Slotted()
    table.begin(first, "join")
    assert (first.state, second.state) == ("waiting~join", "waiting")
