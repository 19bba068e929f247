"""Predicted and measured: how the two are told beside each other."""

from __future__ import annotations

from mk8s.forecast.basis import Basis, Footing
from mk8s.forecast.comparing import compare
from mk8s.report.prediction import prediction
from tests.mk8s.report.pages import rehearsed


def test_a_run_beside_itself_is_close() -> None:
    """Every edge of every role has a row, and the verdict is good."""
    view = rehearsed()
    told = prediction(compare(view.timeline, view.timeline), "itself", view.titles)
    assert "The prediction is within 15%" in told
    assert told.count("<strong>join-server</strong>") == 1
    assert "Predicted from: itself." in told


def test_what_the_prediction_rests_on_is_told_kind_by_kind() -> None:
    """Where there is more than the models' defaults."""
    view = rehearsed()
    rested = Basis((Footing("rke2.unpack", "learnt", 2.0, 7, "a run"), Footing("hashing", "default", 3.0)))
    bare = prediction(compare(view.timeline, view.timeline), "the models' defaults", view.titles)
    told = prediction(compare(view.timeline, view.timeline, rested), "a run", view.titles)
    assert "learnt: 1 of 2 durations, from 7 samples" in told
    assert "hashing 3.0 s" in told
    assert "neither measured nor given" not in bare


def test_what_took_longer_is_told_with_its_sign() -> None:
    """A run with faults beside one without: minutes more, and why."""
    clean, faulty = rehearsed(seed=1), rehearsed(faults=0.01, seed=5)
    told = prediction(compare(clean.timeline, faulty.timeline), "the models' defaults", clean.titles)
    assert "Where they differ" in told
    assert ">+" in told
