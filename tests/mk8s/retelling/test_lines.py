"""A journal as lines: what is said of the run as a whole."""

from __future__ import annotations

from mk8s.retelling.lines import as_text, ends_of
from tests.mk8s.explaining.scenes import Run


def said(run: Run) -> list[str]:
    """The words of each line, without its columns."""
    ends = ends_of(run.records)
    return [as_text(record, {}, ends).split("  *")[-1].strip() for record in run.records]


def test_the_end_of_a_run_says_how_it_ended() -> None:
    """How many nodes were where, by the records up to it."""
    run = Run(servers=1, agents=1).ready("srv-1").healthy("srv-1", "start-primary")
    run.add("blocked", node="agent-1", reason="the signal cannot come").add("finished")
    assert said(run)[-1] == "the run has ended: 1 healthy, 1 blocked"


def test_each_run_of_a_journal_has_its_own_end() -> None:
    """One that was stopped has none, and says so."""
    run = Run(servers=1, agents=0).ready("srv-1").add("stopped")
    header = run.records[0].header
    run.add("resumed", header=header).healthy("srv-1", "start-primary").add("finished")
    assert "the run was stopped, resumable" in said(run)
    assert said(run)[-1] == "the run has ended: 1 healthy"
