"""The critical path: the chain of work that a run's duration consists of."""

from __future__ import annotations

from msgspec.structs import replace

from machines import EdgeSpec, MachineSpec, Record
from machines.critical import Leg, critical_path
from machines.spec import SignalSpec, StateSpec

SPEC = MachineSpec(
    machine="kettle",
    version=1,
    initial="cold",
    states={"cold": StateSpec(), "filled": StateSpec(), "hot": StateSpec(outcome="success")},
    edges=[
        EdgeSpec(name="fill", source="cold", to="filled", do="fill"),
        EdgeSpec(name="boil", source="filled", to="hot", do="boil", signal="first-hot", limit="stove"),
        EdgeSpec(name="lead", source="filled", to="hot", do="boil"),
    ],
    signals={"first-hot": SignalSpec(role=["first"], state="hot")},
    limits={"stove": 1},
)


def story(*told: tuple[float, str, str, str, str]) -> list[Record]:
    """Records from (at, node, edge, source, to); a node called * fires the signal named in `edge`."""
    return [
        Record(seq=n, at=at, kind="signal", signal=edge, evidence={"members": ["a"]})
        if node == "*"
        else Record(seq=n, at=at, kind="state", node=node, edge=edge, source=source, to=to)
        for n, (at, node, edge, source, to) in enumerate(told, start=1)
    ]


def fills(node: str, until: float) -> list[tuple[float, str, str, str, str]]:
    return [(0.0, node, "fill", "cold", "cold~fill"), (until, node, "fill", "cold~fill", "filled")]


def boils(
    node: str, began: float, ended: float, edge: str = "boil"
) -> list[tuple[float, str, str, str, str]]:
    return [
        (began, node, edge, "filled", f"filled~{edge}"),
        (ended, node, edge, f"filled~{edge}", "hot"),
    ]


def test_the_path_of_a_node_alone_is_all_that_it_did() -> None:
    assert critical_path(story(*fills("a", 2.0), *boils("a", 2.0, 9.0, "lead")), SPEC) == [
        Leg("a", "fill", 0.0, 2.0),
        Leg("a", "lead", 2.0, 9.0),
    ]


def test_a_wait_for_a_signal_leads_to_whoever_fired_it() -> None:
    """What b did before it waited is not on the path."""
    records = story(
        *sorted([*fills("a", 2.0), *fills("b", 1.0), *boils("a", 2.0, 9.0, "lead")]),
        (9.0, "*", "first-hot", "", ""),
        *boils("b", 9.0, 20.0),
    )
    assert critical_path(records, SPEC) == [
        Leg("a", "fill", 0.0, 2.0),
        Leg("a", "lead", 2.0, 9.0),
        Leg("b", "boil", 9.0, 20.0, "signal first-hot"),
    ]


def test_a_wait_for_a_place_leads_to_whoever_gave_it_back() -> None:
    records = story(
        *sorted([*fills("a", 2.0), *fills("b", 1.0), *fills("c", 1.5), *boils("a", 2.0, 9.0, "lead")]),
        (9.0, "*", "first-hot", "", ""),
        *boils("b", 9.0, 20.0),
        *boils("c", 20.0, 33.0),
    )
    assert critical_path(records, SPEC)[2:] == [
        Leg("b", "boil", 9.0, 20.0, "signal first-hot"),
        Leg("c", "boil", 20.0, 33.0, "b gave its place back"),
    ]


def paused_at(at: float) -> list[Record]:
    """Both are filled by second 1; a boils until it pauses, b boils from then on."""
    begun = (1.0, "a", "boil", "filled", "filled~boil")
    records = story(*sorted([*fills("a", 1.0), *fills("b", 1.0)]), begun, *boils("b", at, 33.0))
    records.insert(-2, Record(seq=0, at=at, kind="retry", node="a", edge="boil", attempt=1, delay=90.0))
    return [replace(record, seq=seq) for seq, record in enumerate(records, start=1)]


def test_a_place_is_given_back_by_a_pause_between_two_attempts_too() -> None:
    """Who waited for the place waited for the attempt that failed, and the path has no hole there."""
    assert critical_path(paused_at(20.0), SPEC) == [
        Leg("a", "fill", 0.0, 1.0),
        Leg("a", "boil", 1.0, 20.0),
        Leg("b", "boil", 20.0, 33.0, "a gave its place back"),
    ]


def test_a_pause_gives_no_place_back_that_is_for_the_whole_edge() -> None:
    whole = replace(SPEC, edges=[replace(edge, limit_scope="edge") for edge in SPEC.edges])
    path = critical_path(paused_at(20.0), whole)
    assert [leg.node for leg in path] == ["b", "b"]


def test_a_node_that_was_late_itself_has_waited_for_nobody() -> None:
    """The signal had fired long before it was filled."""
    records = story(
        *sorted([*fills("a", 2.0), *fills("b", 50.0), *boils("a", 2.0, 9.0, "lead")])[:-1],
        (9.0, "*", "first-hot", "", ""),
        (50.0, "b", "fill", "cold~fill", "filled"),
        *boils("b", 50.0, 61.0),
    )
    assert critical_path(records, SPEC) == [Leg("b", "fill", 0.0, 50.0), Leg("b", "boil", 50.0, 61.0)]


def test_any_arrival_can_be_explained() -> None:
    records = story(*fills("a", 2.0), *boils("a", 2.0, 9.0, "lead"))
    assert critical_path(records, SPEC, end=records[1]) == [Leg("a", "fill", 0.0, 2.0)]


def test_a_run_in_which_nobody_arrived_has_no_path() -> None:
    assert critical_path(story(*fills("a", 2.0)), SPEC) == []
