"""A recorded run once more: the moment, the steps, the time; and records that contradict each other."""

from __future__ import annotations

import json

import msgspec
import pytest

from machines import Record
from mk8s.contradictions import faults_in
from mk8s.retelling.frames import frame_after, frame_as_data, frame_as_text, frame_at
from mk8s.retelling.playing import RunClock, play, step_through
from tests.mk8s.explaining.scenes import Run


def joining() -> Run:
    """The primary is there after a minute; then the second server joins, for two minutes."""
    run = Run().all_ready().after(60).healthy("srv-1", "start-primary")
    run.add("signal", signal="primary-ready", evidence={"have": 1, "need": 1, "members": ["srv-1"]})
    return run.begin("srv-2", "join-server").after(120).done("srv-2", "join-server")


def text_at(at: float, run: Run) -> str:
    return frame_as_text(frame_at(at, run.records, run.table, run.cluster), {})


def test_a_moment_shows_where_everyone_was_and_why() -> None:
    """As it was then, and not as it ended."""
    text = text_at(100, joining())
    assert text.startswith("at 1:40 of 3:00: 1 of 5 healthy\nsignals that had come: primary-ready at 1:00\n")
    assert "srv-2    server   waiting  1:00   is at work: join as a server" in text
    assert "srv-3    server   waiting  0 s    queues for etcd-joins (1 at a time), behind srv-2" in text
    assert "agent-1  agent    waiting  0 s    waits for servers-healthy" in text


def test_a_moment_before_a_signal_does_not_know_it() -> None:
    """The future is not told."""
    text = text_at(59, joining())
    assert "signals that had come: none yet" in text
    assert "waits for primary-ready" in text


def test_a_moment_after_the_end_is_the_end_and_says_so() -> None:
    """Nothing is made up behind it."""
    assert "at 1:00:00 of 3:00: 1 of 5 healthy; the record ends before that" in text_at(3600, joining())


def test_a_moment_after_a_record_knows_none_that_follow() -> None:
    """Records of one second come one after the other."""
    run = joining()
    begun = next(r for r in run.records if r.to == "waiting~join-server")
    before = frame_after(begun.seq - 1, run.records, run.table, run.cluster)
    after = frame_after(begun.seq, run.records, run.table, run.cluster)
    assert [f.rows[1].state for f in (before, after)] == ["waiting", "waiting~join-server"]
    assert after.just[-1] == begun


def test_a_moment_is_json_too() -> None:
    """Rows with names, signals with their second."""
    run = joining()
    data = json.loads(json.dumps(frame_as_data(frame_at(100, run.records, run.table, run.cluster))))
    assert (data["at"], data["end"], data["signals"]) == (100, 180, {"primary-ready": 60})
    assert data["nodes"][1]["state"] == "waiting~join-server"


def test_what_a_run_wrote_fits_together() -> None:
    """Each record fits the one before."""
    run = joining()
    assert faults_in(run.records, run.table) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": "running"}, "srv-2 leaves running, and was in waiting"),
        ({"to": "healthy"}, "srv-2: no way leads from waiting to healthy"),
        ({"at": 1.0}, "is of second 1, after one of 60"),
        ({"to": "nowhere"}, "no way leads from waiting to nowhere"),
    ],
)
def test_records_that_contradict_each_other_are_told(change: dict[str, object], told: str) -> None:
    """By number, with what is wrong."""
    run = joining()
    records = [
        msgspec.structs.replace(r, **change) if r.to == "waiting~join-server" else r for r in run.records
    ]
    assert told in "; ".join(faults_in(records, run.table))


def test_a_run_is_played_in_its_time_made_shorter() -> None:
    """Each record when it is due, at sixty times the speed."""
    now = 0.0
    heard: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    records = joining().records
    play(records, lambda record: heard.append((now, record.seq)), RunClock(lambda: now, 60), sleep)
    assert [seq for _, seq in heard] == [record.seq for record in records]
    assert [at for at, _ in heard] == pytest.approx([record.at / 60 for record in records])


def stepped(answers: list[str | None]) -> tuple[list[Record], list[str], list[int]]:
    run = joining()
    told: list[Record] = []
    counts: list[str] = []
    pictures: list[int] = []

    def tell(record: Record, words: str) -> None:
        told.append(record)
        counts.append(words)

    step_through(run.records, run.table, tell, lambda: answers.pop(0), pictures.append)
    return told, counts, pictures


def test_each_step_tells_one_record_and_how_many_are_where() -> None:
    """Enter goes on."""
    told, counts, _ = stepped(["\n", "\n", "q"])
    assert [record.seq for record in told] == [1, 2, 3]
    assert counts[-1] == "5 pending"


def test_the_end_of_the_input_ends_the_steps() -> None:
    """So a pipe works too."""
    assert len(stepped(["\n", None])[0]) == 2


def test_all_nodes_are_shown_when_asked_for() -> None:
    """As often as one likes; then it goes on."""
    told, _, pictures = stepped(["t\n", "T", "\n", None])
    assert (len(told), pictures) == (2, [1, 1])
