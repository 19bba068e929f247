"""Predicted beside measured: tables, whether it is close, and reasons that name edge, step and seconds."""

from __future__ import annotations

import json

import pytest

from machines.simulation import FaultPlan
from mk8s.forecast.comparing import Comparison, compare
from mk8s.forecast.comparison_words import comparison_as_data, comparison_as_text
from mk8s.forecast.profile import DEFAULTS, Layer, Profile
from tests.mk8s.examples import cluster
from tests.mk8s.forecast.runs import kept
from transports.simulated import Span

SHAPE = cluster(servers=2, agents=2)
PREDICTED = DEFAULTS.under(
    Layer(
        "predicted",
        {
            "rke2:primary-first-start": Span(30, 30),
            "rke2:server-first-start": Span(30, 30),
            "rke2:agent-first-start": Span(30, 30),
            "rke2:node-network": Span(5, 5),
        },
    )
)


def compared(**changed: object) -> Comparison:
    """What was predicted beside a run in which something took another time."""
    durations = {f"rke2:{name}": span for name, span in changed.items() if isinstance(span, Span)}
    links = [value for name, value in changed.items() if name == "uplink" and isinstance(value, float)]
    other = PREDICTED.under(Layer("measured", durations, next(iter(links), None)))
    return compare(kept(SHAPE, PREDICTED).timeline, kept(SHAPE, other).timeline)


def test_the_same_run_is_close_and_needs_no_reason() -> None:
    """Not a second apart."""
    told = compared()

    assert (told.close, told.ratio, told.reasons) == (True, 1.0, ())


def test_a_phase_that_took_longer_is_named_by_its_edge_its_step_and_its_seconds() -> None:
    """The first reason is the one that made the most of the difference."""
    told = compared(**{"server-first-start": Span(130, 130)})
    reason = told.reasons[0]

    assert not told.close
    assert reason.seconds == pytest.approx(100, abs=5)
    assert reason.words.startswith("join-server of srv-2 took ")
    assert "step 'rke2-server.service is active'" in reason.words


def test_a_run_that_was_quicker_is_explained_as_well() -> None:
    """A prediction that frightened somebody for nothing is a wrong one too."""
    told = compared(**{"agent-first-start": Span(1, 1)})

    assert told.measured < told.predicted
    assert told.reasons[0].words.startswith("join-agent of ")
    assert told.reasons[0].seconds < -20


def test_a_slow_link_is_told_with_both_rates() -> None:
    """An upload's seconds mean little without them."""
    told = compared(uplink=5e6)

    assert told.reasons[0].words.startswith("stage of ")
    assert "MiB/s instead of" in told.reasons[0].words


def test_attempts_that_failed_are_told_with_what_they_cost() -> None:
    """No prediction knows them."""
    faults = FaultPlan(6, {"drop": 0.02, "exit": 0.02})
    told = compare(kept(SHAPE, PREDICTED).timeline, kept(SHAPE, PREDICTED, faults=faults).timeline)

    assert any("ended without success" in reason.words for reason in told.reasons)


def test_nodes_that_did_not_get_healthy_are_told_first() -> None:
    """Then the times mean another thing."""
    faults = FaultPlan(1, {"disk-full": 0.03})
    told = compare(kept(SHAPE, PREDICTED).timeline, kept(SHAPE, PREDICTED, faults=faults).timeline)

    assert "did not get healthy" in told.reasons[0].words


def test_of_many_nodes_that_did_not_get_healthy_a_few_are_told_and_the_rest_counted() -> None:
    """Most of them waited for the one that failed."""
    many = cluster(servers=1, agents=9)
    stuck = PREDICTED.under(Layer("stuck", {"rke2:primary-first-start": Span(9e5, 9e5)}))
    told = compare(kept(many, PREDICTED).timeline, kept(many, stuck).timeline)

    assert told.reasons[0].words.startswith("srv-1 did not get healthy")
    assert sum("did not get healthy" in reason.words for reason in told.reasons) == 5
    assert any(reason.words == "6 more nodes did not get healthy" for reason in told.reasons)


def test_commands_that_all_took_longer_are_told_as_one_reason() -> None:
    """No single step explains a machine that was busy."""
    slow = {name: Span(0.5, 0.6) for name in ("folder.make", "unit.enable", "rke2.start", "rke2.begin-cache")}
    busy = PREDICTED.under(Layer("busy", slow))
    told = compare(kept(SHAPE, PREDICTED).timeline, kept(SHAPE, busy).timeline)

    assert any("times as long as predicted" in reason.words for reason in told.reasons)


def test_edges_have_a_row_for_each_role_and_nodes_one_each() -> None:
    """Means over the nodes of a role."""
    told = compared(**{"agent-first-start": Span(60, 60)})
    (row,) = [row for row in told.edges if (row.role, row.edge) == ("agent", "join-agent")]

    assert row.nodes == 2
    assert row.measured is not None
    assert row.predicted is not None
    assert row.measured - row.predicted == pytest.approx(30, abs=3)
    assert [node.node for node in told.nodes] == ["srv-1", "srv-2", "agent-1", "agent-2"]


def test_the_text_has_the_whole_the_edges_and_the_reasons() -> None:
    """In this order."""
    text = comparison_as_text(compared(**{"server-first-start": Span(130, 130)}))

    assert text.startswith("predicted ")
    assert "not within 15%" in text.splitlines()[0]
    assert text.index("join-server") < text.index("- join-server of srv-2")


def test_the_data_are_json() -> None:
    """With what is computed, too."""
    told = compare(kept(SHAPE, Profile()).timeline, kept(SHAPE, PREDICTED).timeline)
    data = json.loads(json.dumps(comparison_as_data(told)))

    assert {"predicted", "measured", "ratio", "close", "edges", "nodes", "reasons", "basis"} == data.keys()
