"""A run that was cut off goes on exactly where it stopped: after any record, with nothing done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from machines.errors import ActionError
from machines.fold import HistoryError, fold
from machines.framing import parse
from machines.journal import JournalError, MemoryJournal
from machines.records import Kind, Record
from machines.registry import Context, Evidence
from machines.simulation import FaultPlan, ScriptedFault, Simulated
from machines.spec import EdgeSpec, Retry
from tests.machines.groups import SPEC, Group, Person, kinds, people, refuse, registry, run, table, with_edge
from tests.machines.groups import with_spec as spec_with

FAULTS = FaultPlan(
    seed=3,
    scripted=(
        ScriptedFault("lead", "lead", "apply-then-drop"),
        ScriptedFault("f0", "build", "drop"),
        ScriptedFault("f0", "follow", "apply-then-drop", attempt=None),
        ScriptedFault("f1", "follow", "hang"),
        ScriptedFault("f2", "build", "exit", attempt=None),
        ScriptedFault("f3", "follow", "exit", attempt=None),
    ),
)
SHARES = 8  # into which the places to cut at are split


class PowerLoss(JournalError):  # noqa: N818 - it says what happened
    """The lights go out."""


class MortalJournal(MemoryJournal):
    """A journal that ends after so many records, and takes the run with it."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        if not self._room:
            raise PowerLoss
        self._room -= 1
        return super().append(at, kind, **fields)


def group() -> Group:
    return Group(people(4), FAULTS, seed=3)


def cut_off(room: int, sut: Group) -> MortalJournal:
    journal = MortalJournal(room)
    with pytest.raises(PowerLoss):
        sut.run(journal)
    return journal


def only_durable(journal: MemoryJournal) -> bytes:
    """What a power loss leaves in the worst case: nothing after the last sync."""
    lines = journal.data.splitlines(keepends=True)
    return b"".join(lines[: journal.durable_seq])


def test_the_group_below_writes_a_journal_worth_cutting() -> None:
    """Its run has retries, a doubt, a rollback, a failure and two signals' worth of waiting."""
    done = group().run()
    assert len(done.records) > 80
    assert {"probed", "retry", "undo", "undone", "signal"} <= {record.kind for record in done.records}
    assert done.result.states == {
        "lead": "home",
        "f0": "home",
        "f1": "home",
        "f2": "failed",
        "f3": "rolled-back",
    }


@pytest.mark.parametrize("loses_what_was_not_synced", [False, True])
@pytest.mark.parametrize("share", range(SHARES))
def test_a_run_cut_off_after_any_record_comes_to_the_same_end(
    share: int, loses_what_was_not_synced: bool
) -> None:
    """And whatever a probe can find is never done twice, though the answer was lost."""
    whole = group().run()
    for room in range(share, len(whole.records), SHARES):
        sut = group()
        journal = cut_off(room, sut)
        left = only_durable(journal) if loses_what_was_not_synced else journal.data
        done = sut.run(MemoryJournal(left))
        assert done.result.states == whole.result.states, f"cut off after record {room}"
        joins = {key: count for key, count in sut.world.applied.items() if key[1] in ("lead", "follow")}
        assert set(joins.values()) == {1}, f"cut off after record {room}: {joins}"


@pytest.mark.parametrize("share", range(SHARES))
def test_an_action_without_a_probe_runs_again_only_where_its_end_was_not_written(share: int) -> None:
    """Repeated is what was open when the lights went out, and what a rollback took back; nothing else."""
    for room in range(share, len(group().run().records), SHARES):
        sut = group()
        journal = cut_off(room, sut)
        open_ends = unfinished(journal.records())
        sut.run(MemoryJournal(journal.data))
        for key, count in sut.world.applied.items():
            allowed = 1 + (key in open_ends) + sut.world.undone.count(key)
            assert count <= allowed, f"cut off after record {room}: {key} {count} times"


def unfinished(records: list[Record]) -> set[tuple[str, str]]:
    open_ends: set[tuple[str, str]] = set()
    for record in records:
        if record.kind == "intent":
            open_ends.add((record.node, record.edge))
        elif record.kind in ("done", "error"):
            open_ends.discard((record.node, record.edge))
    return open_ends


def test_a_run_that_was_cut_off_twice_comes_to_the_same_end() -> None:
    """A resume can be resumed."""
    sut = group()
    expected = group().run().result.states
    journal = cut_off(40, sut)
    second = MortalJournal(30)
    second.__init__(30)  # type: ignore[misc]
    for record in journal.records():
        MemoryJournal.append(second, record.at, record.kind, **fields_of(record))
    with pytest.raises(PowerLoss):
        sut.run(second)
    assert sut.run(MemoryJournal(second.data)).result.states == expected


def fields_of(record: Record) -> dict[str, Any]:
    fields = msgspec.structs.asdict(record)
    return {name: value for name, value in fields.items() if name not in ("seq", "at", "kind")}


# -- what is carried over -----------------------------------------------------------------------------


class Stubborn:
    """An action that refuses so many times, and remembers when it was tried."""

    def __init__(self, refusals: int, seconds: float = 0.0) -> None:
        self._refusals = refusals
        self._seconds = seconds
        self.attempts: list[int] = []

    async def __call__(self, context: Context) -> Evidence | None:
        self.attempts.append(context.attempt)
        await trio.sleep(self._seconds)
        if len(self.attempts) <= self._refusals:
            raise ActionError("exit.1", "exit", message="no")
        return None


def resumed(journal: MemoryJournal, *args: Any, **options: Any) -> Simulated:
    return run(*args, journal=MemoryJournal(journal.data), **options)


def test_attempt_numbers_and_tries_go_on_over_a_resume() -> None:
    """A stop is no way to get new tries."""
    retry = [Retry(match=["exit"], attempts=3, delay=100, backoff=1, jitter="none", max_delay=100)]
    spec = with_edge("build", retry=retry)
    build = Stubborn(9)
    first = run(people(0), registry(build=build), spec, stop_at=150.0)
    assert build.attempts == [1, 2]
    second = resumed(first.journal, people(0), registry(build=build), spec)
    assert build.attempts == [1, 2, 3]
    assert second.result.states == {"lead": "failed"}


def test_the_rest_of_the_deadline_goes_on_over_a_resume() -> None:
    """Time that was used before counts, time between the runs does not."""
    retry = [Retry(match=["*"], delay=10, backoff=1, jitter="none")]
    spec = with_edge("build", retry=retry, deadline=100.0, timeout=None)
    build = Stubborn(0, seconds=500.0)
    first = run(people(0), registry(build=build), spec, stop_at=30.0, grace=10.0)
    assert first.result.at == 40.0
    second = resumed(first.journal, people(0), registry(build=build), spec)
    error = next(record for record in second.records if record.kind == "error")
    assert (error.at, error.used) == (100.0, 100.0)


def test_time_goes_on_over_a_resume() -> None:
    """Seconds of the run never go back."""
    first = run(people(0), registry(build=Stubborn(0, seconds=50.0)), stop_at=10.0, grace=5.0)
    second = resumed(first.journal, people(0))
    times = [record.at for record in second.records]
    assert times == sorted(times)
    assert second.result.at == 15.0


def test_what_is_done_is_not_done_again() -> None:
    """A second run right after a good one changes nothing and says so."""
    first = run(people(3))
    second = resumed(first.journal, people(3), registry(build=refuse, join=refuse))
    assert second.result.ok
    assert [record.kind for record in second.records[len(first.records) :]] == ["resumed", "finished"]


def test_a_latched_signal_stays_latched_over_a_resume() -> None:
    """It is not written a second time."""
    first = run(people(1), registry(join=Stubborn(0, seconds=60.0)), stop_at=70.0)
    second = resumed(first.journal, people(1))
    assert kinds(second.records).count("signal") == 1
    assert second.result.ok


# -- a person ran it again ----------------------------------------------------------------------------


def test_a_failed_node_is_put_back_to_where_it_failed_with_new_counters() -> None:
    """The host was mended, and someone said run."""
    build = Stubborn(1)
    first = run(people(0), registry(build=build), with_edge("build", retry=[]))
    assert first.result.states == {"lead": "failed"}
    second = resumed(first.journal, people(0), registry(build=build), with_edge("build", retry=[]))
    put_back = [record for record in second.records if record.kind == "resumed" and record.node]
    assert [(r.edge, r.source, r.to) for r in put_back] == [("build", "failed", "new")]
    assert build.attempts == [1, 1]
    assert second.result.ok
    assert second.result.failures == {}


def test_blocked_nodes_go_on_when_what_blocked_them_comes() -> None:
    """A lost signal is open again."""
    spec = with_edge("build", retry=[])
    first = run(people(2), registry(build=Stubborn(1)), spec, seed=1, limits={"builders": 1})
    assert set(first.result.blocked) == {"f0", "f1"}
    assert resumed(first.journal, people(2), spec=spec).result.ok


def test_an_edge_that_failed_in_doubt_is_probed_before_it_is_tried_again() -> None:
    """The join may have happened all the same."""
    spec = with_edge("lead", retry=[], catch=SPEC.edges[0].catch)

    async def join(_context: Context) -> None:
        raise ActionError("connection.lost", "connection", ambiguous=True)

    async def has_joined(_context: Context) -> Evidence:
        return {"member": True}

    first = run(people(0), registry(join=join), spec)
    assert first.result.states == {"lead": "failed"}
    second = resumed(first.journal, people(0), registry(join=refuse, has_joined=has_joined), spec)
    assert second.result.ok


def test_an_edge_that_was_begun_is_probed_when_a_run_resumes() -> None:
    """Also after a plain refusal: time has passed, and someone may have done it by hand."""
    retry = [Retry(match=["exit"], delay=100, jitter="none", max_delay=100)]

    async def has_joined(_context: Context) -> Evidence:
        return {"member": True}

    spec = with_edge("lead", retry=retry)
    first = run(people(0), registry(join=refuse), spec, stop_at=50.0)
    second = resumed(first.journal, people(0), registry(join=refuse, has_joined=has_joined), spec)
    assert kinds(second.records, "lead")[-4:] == ["resumed", "probed", "state", "state"]
    assert second.result.ok


def test_who_ended_elsewhere_before_can_no_longer_come_after_a_resume() -> None:
    """A new follower does not wait for a lead that went home without joining."""
    skip = EdgeSpec(name="skip", source="new", to="home", guard=["is_lead"])
    spec = spec_with(edges=[skip, *SPEC.edges])
    first = run(people(0), spec=spec)
    second = resumed(first.journal, people(1), spec=spec)
    assert "lead can no longer come" in second.result.blocked["f0"]


def test_after_a_rollback_a_node_begins_at_the_oldest_edge_that_was_undone() -> None:
    """What was taken back has to be done again."""
    first = run(people(0), registry(join=refuse), with_edge("lead", retry=[]))
    assert first.result.states == {"lead": "rolled-back"}
    build = Stubborn(0)
    second = resumed(first.journal, people(0), registry(build=build), with_edge("lead", retry=[]))
    assert build.attempts == [1]
    assert second.result.ok


def test_a_rollback_that_was_cut_off_goes_on_where_it_stopped() -> None:
    """No undo runs twice that is known to have ended."""
    ran: list[str] = []

    async def undo(context: Context) -> None:
        ran.append(context.edge)

    actions = registry(join=refuse, leave=undo, tear_down=undo)
    spec = with_edge("lead", retry=[])
    whole = run(people(0), actions, spec)
    cut = next(record.seq for record in whole.records if record.kind == "undone")
    data = b"".join(whole.journal.data.splitlines(keepends=True)[:cut])
    ran.clear()
    done = run(people(0), actions, spec, journal=MemoryJournal(data))
    assert ran == ["build"]
    assert done.result.states == {"lead": "rolled-back"}


# -- the plan and the machine have changed ------------------------------------------------------------


def test_a_member_added_to_the_plan_starts_at_the_beginning() -> None:
    """The others stay where they are."""
    first = run(people(1))
    second = resumed(first.journal, people(2))
    assert second.result.states == {"lead": "home", "f0": "home", "f1": "home"}
    assert {record.node for record in second.records[len(first.records) :]} == {"", "f1"}


def test_a_member_that_vanished_from_the_plan_is_named() -> None:
    """Its host may still be part of the group: someone has to say what becomes of it."""
    first = run(people(2))
    with pytest.raises(HistoryError, match="the journal knows f1, and the plan no longer does"):
        resumed(first.journal, people(1))


def test_a_member_whose_role_changed_is_named() -> None:
    """That is another node."""
    first = run(people(1))
    with pytest.raises(HistoryError, match="f0 was 'follower' when the run began and is 'lead'"):
        resumed(first.journal, [Person("lead", "lead"), Person("f0", "lead")])


@pytest.mark.parametrize(
    ("change", "says"), [({"version": 2}, "version 2"), ({"machine": "other"}, "'other'")]
)
def test_a_journal_of_another_machine_is_refused(change: dict[str, Any], says: str) -> None:
    """With both names and versions, and what to do."""
    first = run(people(0))
    with pytest.raises(HistoryError, match=f"'group' version 1, and this is.*{says}.*begin anew"):
        resumed(first.journal, people(0), spec=spec_with(**change))


def test_a_state_that_the_machine_no_longer_has_is_refused_with_node_and_state() -> None:
    """A journal is never read as something else."""
    journal = run(people(0)).journal
    spec = with_edge("lead", name="conduct")
    with pytest.raises(HistoryError, match="lead: the journal says state 'built~lead'"):
        fold(journal.records(), table(spec))


def test_a_journal_that_does_not_begin_with_its_header_is_refused() -> None:
    """It is a piece of one."""
    with pytest.raises(HistoryError, match="begins with a record 'done' instead of its header"):
        fold([Record(seq=1, at=0.0, kind="done", node="n")], table())


def test_a_record_of_a_node_that_nobody_named_is_refused() -> None:
    """Headers name every member."""
    records = [*run(people(0)).records, Record(seq=99, at=0.0, kind="done", node="ghost", edge="any")]
    with pytest.raises(HistoryError, match="node 'ghost', which no header names"):
        fold(records, table())


def test_a_journal_of_schema_1_loads_for_ever() -> None:
    """It was written by version 0.1.0: stopped once, resumed, and cut off in the middle of a rollback."""
    path = Path(__file__).parent / "journals" / "schema-1.jsonl"
    history = fold(parse(path.read_bytes(), str(path)).records, table())
    assert history is not None
    assert (history.header.program, history.at, list(history.latched)) == (
        "0.1.0",
        197.889469,
        ["lead-joined"],
    )
    assert {name: (life.state, life.attempt) for name, life in history.lives.items()} == {
        "lead": ("home", 0),
        "f0": ("home", 0),
        "f1": ("home", 0),
        "f2": ("failed", 6),
        "f3": ("built~follow", 6),
    }
    cut_off = history.lives["f3"]
    assert (cut_off.tries, cut_off.undone) == ({0: 6}, [("follow", "leave")])
