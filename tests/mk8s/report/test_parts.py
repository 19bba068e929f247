"""The parts of a page: what they tell of a run."""

from __future__ import annotations

import re

import pytest

from machines import Record
from mk8s.forecast.bounds import PathLeg
from mk8s.report.gantt import edge_classes, gantt
from mk8s.report.path import legs_of, path_table
from mk8s.report.plots import histogram, states_over_time
from mk8s.report.slowest import slowest_commands, slowest_steps
from mk8s.report.transfers import moved_by, rates
from mk8s.report.troubles import troubles_of, unfinished
from mk8s.transcript import NOTHING_DONE, StepDone, Transcript
from tests.mk8s.explaining.scenes import Run
from tests.mk8s.report.pages import rehearsed

FAULTY = {"faults": 0.05, "seed": 4}


def test_every_node_has_a_row_that_can_be_read_aloud() -> None:
    """Name, role, how it ended, and how long it did what."""
    view = rehearsed()
    chart = gantt(view.timeline, view.titles)
    labels = re.findall(r'aria-label="(\S+?), (\w+), healthy after [^"]*stage [^"]*"', chart)
    assert labels == [(lane.node, lane.role) for lane in view.timeline.lanes]


def test_a_signal_is_a_line_in_every_row() -> None:
    """Drawn once, and used by all rows."""
    view = rehearsed()
    chart = gantt(view.timeline, view.titles)
    assert chart.count('class="at-signal"') == 2
    assert chart.count('<use href="#g-grid"/>') == len(view.timeline.lanes)


def test_the_legend_holds_what_is_in_the_chart_alone() -> None:
    """A clean run knows no failed attempt."""
    clean, faulty = (gantt(v.timeline, v.titles) for v in (rehearsed(), rehearsed(**FAULTY)))
    assert "attempt failed" not in clean
    assert "attempt failed" in faulty


def test_each_failed_attempt_is_marked() -> None:
    """However short it was."""
    view = rehearsed(**FAULTY)
    failed = [s for lane in view.timeline.lanes for s in lane.stretches if s.outcome == "error"]
    assert gantt(view.timeline, view.titles).count('class="dot"') == len(failed) > 0


def test_the_path_adds_up_to_the_run() -> None:
    """Legs with the steps that took their time, and the strip above them."""
    view = rehearsed()
    legs = legs_of(view.timeline, view.titles)
    told = path_table(legs, edge_classes(view.timeline), view.timeline)
    assert sum(leg.seconds for leg in legs) == pytest.approx(view.timeline.ended, abs=1)
    assert "wait until rke2-server.service is active" in told
    assert "after signal primary-ready" in told


def test_a_leg_that_took_little_is_not_one_of_nothing() -> None:
    """Its share is told as less than one percent."""
    legs = [
        PathLeg("node-1", edge, edge, began, ended, "", ())
        for edge, began, ended in (("stage", 0.0, 1.0), ("join", 1.0, 1000.0))
    ]
    told = path_table(legs, {"stage": "e0", "join": "e1"})
    assert "&lt;1 %" in told
    assert "100 %" in told


def test_many_nodes_one_after_the_other_are_one_row() -> None:
    """With who they were, and for how long each."""
    legs = [
        PathLeg(
            f"n{i}", "stage", "put it there", 10.0 * i, 10.0 * i + 10, f"n{i - 1} gave its place back", ()
        )
        for i in range(20)
    ]
    told = path_table(legs, {"stage": "e0"})
    assert told.count("<tr>") == 2
    assert "1–20" in told
    assert "each when the one before gave its place back" in told
    assert "n19: 10 s" in told


def test_errors_that_say_the_same_are_told_once() -> None:
    """But for the node's own name and numbers; each with how often and who."""
    records = [
        Record(seq=i, at=float(i), kind="error", node=f"n{i}", edge="stage", attempt=1, lineage=("exit.1",),
               message=f"n{i}: 10.0.0.{i} refuses", remedy="look")
        for i in range(1, 4)
    ]  # fmt: skip
    (trouble,) = troubles_of(records)
    assert (trouble.count, list(trouble.times), trouble.first, trouble.last) == (
        3,
        ["n1", "n2", "n3"],
        1.0,
        3.0,
    )


def test_nodes_with_the_same_reason_are_told_together() -> None:
    """With the reason once, and what to do."""
    told = unfinished(rehearsed(**FAULTY).timeline)
    assert re.search(r"blocked</strong> \(\d nodes\)", told)
    assert "What to do: " in told


def test_a_node_that_tries_again_and_again_says_what_went_wrong() -> None:
    """It has no outcome yet: without this, only the table of errors would name its cable."""
    run = Run().begin("srv-1", "stage").after(5).error("srv-1", "stage", "no route", remedy="plug it in")
    told = unfinished(
        run.retry("srv-1", "stage", 30.0).after(1).begin("srv-1", "stage", attempt=2).scene().timeline
    )
    assert "no route" in told
    assert "What to do: </strong>plug it in" in told


def test_a_node_that_is_held_back_says_by_what() -> None:
    """Those that wait for the same stand together."""
    told = unfinished(Run(agents=2).primary_there().after(9).begin("srv-2", "join-server").scene().timeline)
    assert "waits for servers-healthy" in told


def test_without_a_transcript_the_page_says_so() -> None:
    """Instead of an empty table."""
    assert "No transcript was kept" in slowest_steps(NOTHING_DONE)
    assert "No transcript was kept" in slowest_commands(NOTHING_DONE)


def test_what_many_nodes_do_alike_is_one_of_the_slowest() -> None:
    """The longest of them with its node, and how many there were."""
    steps = [StepDone(f"n{i}", "run", "same", 0.0, float(i), 0, 0, changed=True) for i in range(1, 6)]
    told = slowest_steps(Transcript(steps=steps))
    assert told.count("<tr>") == 2
    assert (
        '<td class="num">5</td><td class="num">5.0 s</td><td class="node">n5</td><td class="num">3.0 s</td>'
        in told
    )


def test_a_rate_is_spread_over_the_time_it_took() -> None:
    """Bytes are neither lost nor made."""
    curve = rates([(0.0, 10.0, 1000), (5.0, 0.0, 70)], end=20.0)
    width = curve[1][0]
    assert sum(rate * width for _, rate in curve) == pytest.approx(1070)
    assert curve[0][1] == pytest.approx(100)
    assert curve[-1][1] == 0


def test_a_nodes_bytes_are_those_of_its_evidence() -> None:
    """Sent from here, and handed on by other nodes."""
    lanes = rehearsed().timeline.lanes
    assert all(moved_by(lane).from_here > 800 << 20 for lane in lanes)
    assert all(moved_by(lane).rate.endswith("MiB/s") for lane in lanes)


def test_a_histogram_counts_every_value_once() -> None:
    """Also the largest, which stands on the last edge."""
    drawn = histogram([1.0, 2.0, 2.0, 9.0], {"median": 2.0})
    assert sum(map(int, re.findall(r"<title>(\d+) from", drawn))) == 4
    assert "median 2.0 s" in drawn


def test_a_histogram_of_nothing_says_so() -> None:
    """And of one value it is one column."""
    assert "nothing to count" in histogram([])
    assert histogram([3.0]).count("<rect") == 1


def test_states_over_time_end_as_the_run_did() -> None:
    """For who does not see the picture."""
    assert "at last: 6 healthy" in states_over_time(rehearsed().timeline)
