"""A journal that grows is read as it grows: no line twice, none half, and to the end of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from machines import Record
from machines.framing import JournalDamaged, frame
from mk8s.errors import Mk8sError
from mk8s.retelling.following import QUIET, JournalTail, StepTail, await_run, follow
from mk8s.retelling.lines import Entry
from tests.mk8s.explaining.scenes import Run


@pytest.fixture
def records() -> list[Record]:
    """A whole run of one server, up to its end."""
    run = Run(servers=1, agents=0).ready("srv-1").healthy("srv-1", "start-primary")
    return run.add("finished").records


def written(path: Path, records: list[Record], tail: bytes = b"") -> Path:
    with path.open("ab") as file:
        file.write(b"".join(map(frame, records)) + tail)
    return path


class Other:
    """Another process: it does its next thing whenever the reader waits. The clock goes on meanwhile."""

    def __init__(self, *things: Callable[[], object]) -> None:
        self._things: Iterator[Callable[[], object]] = iter(things)
        self.now = 0.0
        self.waits = 0

    def wait(self) -> None:
        self.waits += 1
        self.now += 1.0
        thing = next(self._things, None)
        if thing is not None:
            thing()

    def clock(self) -> float:
        return self.now


def followed(tail: JournalTail, other: Other, is_going: Callable[[], bool]) -> tuple[list[Entry], str]:
    """Everything that came, and how it ended."""
    seen: list[Entry] = []
    for news in follow(lambda: list(tail.read()), is_going, other.clock, other.wait):
        if isinstance(news, str):
            return seen, news
        seen += news
    raise AssertionError("it never ended")


def test_what_is_written_later_is_read_later_and_once(tmp_path: Path, records: list[Record]) -> None:
    """To the end of the run."""
    path = written(tmp_path / "j", records[:3])
    other = Other(lambda: written(path, records[3:6]), lambda: None, lambda: written(path, records[6:]))
    seen, ended = followed(JournalTail(path), other, lambda: other.waits < 4)
    assert (seen, ended) == (records, "finished")


def test_a_torn_last_line_is_waited_for(tmp_path: Path, records: list[Record]) -> None:
    """Half a record is none; it is read when it is whole."""
    line = frame(records[3])
    path = written(tmp_path / "j", records[:3], line[:20])
    tail = JournalTail(path)
    assert tail.read() == records[:3]
    assert tail.read() == []
    path.write_bytes(path.read_bytes() + line[20:])
    assert tail.read() == records[3:4]


def test_a_torn_line_that_the_next_run_cuts_off_does_not_matter(
    tmp_path: Path, records: list[Record]
) -> None:
    """Nothing of it was taken."""
    path = written(tmp_path / "j", records[:3], b"0123 torn")
    tail = JournalTail(path)
    assert tail.read() == records[:3]
    path.write_bytes(b"".join(map(frame, records)))
    assert tail.read() == records[3:]


def test_a_resumed_run_goes_on_behind_a_stop(tmp_path: Path) -> None:
    """Its lock is seen, so the stop was not the end."""
    run = Run(servers=1, agents=0).ready("srv-1").add("stopped")
    before = run.records
    after = (
        run.add("resumed", header=before[0].header).healthy("srv-1", "start-primary").add("finished").records
    )
    path = written(tmp_path / "j", before)
    other = Other(lambda: None, lambda: written(path, after[len(before) :]))
    seen, ended = followed(JournalTail(path), other, lambda: other.waits < 3)
    assert (seen, ended) == (after, "finished")


@pytest.mark.parametrize(("last", "ended"), [("stopped", "stopped"), ("finished", "finished")])
def test_a_run_that_is_over_is_not_waited_for(tmp_path: Path, last: str, ended: str) -> None:
    """What is there is told, then how it ended."""
    path = written(tmp_path / "j", Run().add(last).records)
    other = Other()
    assert followed(JournalTail(path), other, lambda: False)[1] == ended
    assert other.waits == 0


def test_a_run_that_was_cut_off_is_given_up_after_a_while(tmp_path: Path, records: list[Record]) -> None:
    """No run is seen, and nothing is written."""
    path = written(tmp_path / "j", records[:4])
    other = Other()
    assert followed(JournalTail(path), other, lambda: False) == (records[:4], "cut off")
    assert other.now == QUIET


def test_a_journal_that_was_replaced_is_refused(tmp_path: Path, records: list[Record]) -> None:
    """It is shorter than what was read: these are other records."""
    path = written(tmp_path / "j", records)
    tail = JournalTail(path)
    tail.read()
    path.write_bytes(frame(records[0]))
    with pytest.raises(Mk8sError, match="replaced or cut"):
        tail.read()


def test_a_file_that_is_gone_is_told(tmp_path: Path, records: list[Record]) -> None:
    """Somebody removed the state folder while it was followed."""
    path = written(tmp_path / "j", records[:3])
    tail = JournalTail(path)
    tail.read()
    path.unlink()
    with pytest.raises(Mk8sError, match="cannot be read any more"):
        tail.read()


def test_damage_in_what_is_new_is_refused_where_it_stands(tmp_path: Path, records: list[Record]) -> None:
    """By its offset in the file."""
    path = written(tmp_path / "j", records[:2])
    tail = JournalTail(path)
    tail.read()
    offset = path.stat().st_size
    written(path, [], b"nonsense\n")
    with pytest.raises(JournalDamaged, match=f"damaged at byte {offset}"):
        tail.read()


def test_steps_of_the_run_are_read_as_they_come(tmp_path: Path) -> None:
    """Those of other runs are not; a torn line is waited for."""
    step = {
        "node": "srv-1", "operation": "step", "kind": "run", "description": "one", "at": 1.0, "seconds": 1.0,
        "status": 0, "bytes": 0, "changed": True,
    }  # fmt: skip
    path = tmp_path / "transcript.jsonl"
    tail = StepTail(path)
    assert tail.read(["now"]) == []
    lines = [{"operation": "run", "started": "then"}, step, {"operation": "run", "started": "now"}, step]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"oper')
    assert len(tail.read(["now"])) == 1
    later = json.dumps({**step, "description": "two"})
    path.write_text(path.read_text().removesuffix('{"oper') + later + "\n")
    assert [each.title for each in tail.read(["now"])] == ["two"]


def test_a_first_record_is_waited_for_as_long_as_a_run_is_seen() -> None:
    """A run looks at all of its hosts before it writes, which takes what it takes."""
    other = Other(*[lambda: None] * 40)
    await_run(lambda: other.waits == 35, lambda: other.waits < 30, other.clock, other.wait)
    assert other.waits == 35


def test_nobody_waits_long_for_a_run_that_is_not_there() -> None:
    """What is wrong is told then, as without --follow."""
    other = Other()
    await_run(lambda: False, lambda: False, other.clock, other.wait)
    assert other.now == QUIET


def test_a_run_that_has_written_is_not_waited_for() -> None:
    """Not even for a moment."""
    other = Other()
    await_run(lambda: True, lambda: False, other.clock, other.wait)
    assert other.waits == 0
