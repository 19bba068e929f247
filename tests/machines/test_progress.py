"""A retry clause with ``renew: progress``: an attempt that got further begins its count anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from machines.checks import check
from machines.diagrams.picture import again_in_words
from machines.errors import ActionError
from machines.framing import parse
from machines.journal import MemoryJournal
from machines.records import Record
from machines.registry import Context, Evidence
from machines.simulation import Simulated
from machines.spec import MachineSpec, Retry
from tests.machines.groups import Act, people, registry, run, with_edge

LOST = ("connection.lost", "connection")
RENEWED = Retry(match=["connection"], attempts=3, delay=2, backoff=3, jitter="none", renew="progress")


def reaching(*marks: int, lineage: tuple[str, ...] = LOST) -> Act:
    """An action whose attempts reach these marks, one each, and fail; the one after them succeeds."""

    async def act(context: Context) -> Evidence | None:
        if context.attempt > len(marks):
            return None
        context.reached(marks[context.attempt - 1])
        raise ActionError(*lineage, message=f"after {marks[context.attempt - 1]}")

    return act


def machine(*clauses: Retry, **changes: Any) -> MachineSpec:
    return with_edge("build", retry=list(clauses or [RENEWED]), **changes)


def alone(act: Act, spec: MachineSpec, journal: MemoryJournal | None = None) -> Simulated:
    return run(people(0), registry(build=act), spec, journal=journal)


def of(records: Sequence[Record], kind: str) -> list[Record]:
    return [record for record in records if record.kind == kind and record.edge == "build"]


def test_who_gets_further_each_time_is_not_given_up() -> None:
    """Seven attempts fail where three are allowed: each got further."""
    done = alone(reaching(1, 2, 5, 6, 7, 8, 9), machine())
    assert done.result.ok
    assert len(of(done.records, "intent")) == 8


@pytest.mark.parametrize("marks", [(0,) * 9, (4,) * 9, (4, 3, 2, 1, 0), (4, 1, 4, 9)], ids=str)
def test_three_in_a_row_that_get_nobody_further_are_the_end(marks: tuple[int, ...]) -> None:
    """As far as before is not further; neither is further than the last and less far than the best."""
    done = alone(reaching(*marks), machine())
    assert done.result.states == {"lead": "failed"}
    assert len(of(done.records, "error")) == 3


def test_the_attempt_that_got_further_is_the_first_of_the_new_count() -> None:
    """So after it as many fail as are allowed, less one."""
    done = alone(reaching(4, 4, 5, 5, 5, 9), machine())
    assert [record.reached for record in of(done.records, "error")] == [4, 4, 5, 5, 5]
    assert done.result.states == {"lead": "failed"}


def test_the_wait_begins_anew_with_the_count() -> None:
    """A link that lets one get on is asked again as soon as one that has just failed."""
    done = alone(reaching(1, 1, 2, 2), machine())
    assert [record.delay for record in of(done.records, "retry")] == [2.0, 6.0, 2.0, 6.0]


def test_a_clause_that_does_not_say_so_counts_all_the_same() -> None:
    """Nothing changes for a table that does not ask for it, its records included."""
    plain = Retry(match=["connection"], attempts=3)
    done = alone(reaching(1, 2, 3, 4), machine(plain))
    assert done.result.states == {"lead": "failed"}
    assert [record.reached for record in of(done.records, "error")] == [0, 0, 0]


def test_progress_counts_whatever_ended_the_attempt() -> None:
    """It got further, and then something else went wrong: the clause of that is charged, and counts on."""

    async def act(context: Context) -> Evidence | None:
        context.reached({3: 5}.get(context.attempt, 1))
        raise ActionError(*(("exit.1", "exit") if context.attempt == 3 else LOST))

    done = alone(act, machine(RENEWED, Retry(match=["exit"], attempts=2)))
    assert [record.clause for record in of(done.records, "error")] == [0, 0, 1, 0, 0, 0]


def test_the_highest_mark_of_an_attempt_counts() -> None:
    """What was thought to be done may turn out not to be."""

    async def act(context: Context) -> Evidence | None:
        for mark in (3 * context.attempt, 1):
            context.reached(mark)
        raise ActionError(*LOST)

    done = alone(act, machine(deadline=20.0, timeout=10.0))
    assert [record.reached for record in of(done.records, "error")][:4] == [3, 6, 9, 12]


def test_the_deadline_bounds_who_gets_further_for_ever() -> None:
    """A host that flaps is given up in the end."""
    done = alone(reaching(*range(1, 5000)), machine(deadline=100.0))
    assert done.result.states == {"lead": "failed"}
    assert done.result.at <= 100.0
    assert "deadline" in done.result.failures["lead"].failure.message


def test_a_new_run_of_a_failed_node_begins_with_new_marks() -> None:
    """Counters are new, so is what they are compared with."""
    first = alone(reaching(9, 9, 9), machine())
    again = alone(reaching(9, 9, 9, 2, 2, 2, 2), machine(), MemoryJournal(first.journal.data))
    assert [record.reached for record in of(again.records, "error")][3:] == [9, 9, 9]


def test_a_clause_that_renews_needs_a_deadline() -> None:
    """Else nothing bounds a member that always gets a little further."""
    (problem,) = check(machine(deadline=None))
    assert problem.path == ("edges", 0, "retry", 0, "renew")
    assert (
        problem.message
        == "nothing bounds this clause: its count begins anew whenever an attempt gets further"
    )
    assert problem.hint == "give the edge a deadline"


def test_pictures_and_explanations_say_what_renews_a_count() -> None:
    """In the words of the clause."""
    assert again_in_words(RENEWED) == "again on connection: 3 tries, anew after progress, after 2s"


MARKS = (1, 1, 2, 2, 3, 1, 4, 4, 4)


@pytest.mark.parametrize("room", range(1, 24))
def test_a_run_that_was_cut_off_between_attempts_counts_as_if_it_had_not_been(room: int) -> None:
    """The marks are in the journal: as many attempts are made, cut after any record."""
    whole = alone(reaching(*MARKS), machine())
    lines = whole.journal.data.splitlines(keepends=True)[:room]
    if parse(b"".join(lines)).records[-1].kind == "intent":  # the attempt itself is cut off: one more is made
        lines = lines[:-1]
    resumed = alone(reaching(*MARKS), machine(), MemoryJournal(b"".join(lines)))
    assert [r.reached for r in of(resumed.records, "error")] == [
        r.reached for r in of(whole.records, "error")
    ]
    assert resumed.result.states == whole.result.states == {"lead": "failed"}


def test_tries_of_an_older_table_are_charged_by_their_class() -> None:
    """Its clauses stood elsewhere: numbers in its journal mean others now."""
    older = machine(Retry(match=["exit"], attempts=9), RENEWED)
    lines = alone(reaching(4, 4, 4), older).journal.data.splitlines(keepends=True)
    last = max(n for n, record in enumerate(parse(b"".join(lines)).records) if record.kind == "retry")
    resumed = alone(reaching(4, 4, 4, 4), machine(), MemoryJournal(b"".join(lines[: last + 1])))
    assert [record.clause for record in of(resumed.records, "error")] == [1, 1, 0]
    assert resumed.result.states == {"lead": "failed"}
