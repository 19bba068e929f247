"""mk8s.artifacts.progress: bytes, rates and times that are true, or are not shown."""

from __future__ import annotations

import io
import json

import pytest

from mk8s.artifacts.progress import JsonShow, LiveShow, PlainShow, Tally, choose_show

MIB = 1 << 20


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_steady_stream_has_its_rate_and_an_end(clock: Clock) -> None:
    """10 MiB/s for 3 s of 100 MiB: 7 s are left."""
    tally = Tally(clock)
    for second in range(4):
        tally.update("a", second * 10 * MIB, 100 * MIB)
        clock.now += 1
    assert tally.words() == "30.0 MiB of 100.0 MiB, 10.0 MiB/s, 7 s left"


def test_a_total_of_which_a_part_is_unknown_is_not_known(clock: Clock) -> None:
    """And then there is no time left, either."""
    tally = Tally(clock, sizes={"a": 10 * MIB, "b": None})
    tally.update("a", 0, 10 * MIB)
    clock.now += 1
    tally.update("a", MIB, 10 * MIB)
    assert tally.words() == "1.0 MiB, the whole is not known, 1.0 MiB/s"


def test_a_size_that_comes_with_the_answer_completes_the_total(clock: Clock) -> None:
    """The first bytes tell what HEAD did not."""
    tally = Tally(clock, sizes={"a": MIB, "b": None})
    tally.update("b", 0, 2 * MIB)
    assert tally.total == 3 * MIB


def test_what_was_here_before_costs_no_time(clock: Clock) -> None:
    """A part that is taken up again makes no rate."""
    tally = Tally(clock)
    tally.update("a", 90 * MIB, 100 * MIB)
    clock.now += 1
    tally.update("a", 91 * MIB, 100 * MIB)
    assert tally.words() == "91.0 MiB of 100.0 MiB, 1.0 MiB/s, 9 s left"


def test_a_file_that_is_begun_anew_makes_no_negative_rate(clock: Clock) -> None:
    """It changed at the server."""
    tally = Tally(clock)
    for here in (0, 10 * MIB, 0, 5 * MIB):
        tally.update("a", here, 20 * MIB)
        clock.now += 1
        assert tally.rate >= 0


def test_a_stall_is_shown_instead_of_an_old_rate(clock: Clock) -> None:
    """Nothing comes: then there is no rate and no end in sight."""
    tally = Tally(clock)
    for second in range(3):
        tally.update("a", second * MIB, 10 * MIB)
        clock.now += 1
    clock.now += 11
    assert tally.words() == "2.0 MiB of 10.0 MiB, no byte for 12 s"


def test_plain_lines_come_seldom(clock: Clock) -> None:
    """Every five seconds, or every tenth part, and each file once at its end."""
    stream = io.StringIO()
    show = PlainShow(stream, clock)
    for piece in range(1001):
        show.bytes("a", piece * 1000, 1_000_000)
        clock.now += 0.001
    show.done("a", "fetched", "")
    lines = stream.getvalue().splitlines()
    assert 9 <= len(lines) <= 12
    assert lines[-1] == "fetched a"


def test_a_slow_stream_is_not_silent(clock: Clock) -> None:
    """Six minutes for one per cent: a line every five seconds."""
    stream = io.StringIO()
    show = PlainShow(stream, clock)
    for piece in range(60):
        clock.now += 1
        show.bytes("a", piece, 1_000_000)
    assert len(stream.getvalue().splitlines()) == 12


def test_events_are_json_one_a_line(clock: Clock) -> None:
    """Talk goes elsewhere; so do control characters in names."""
    data, talk = io.StringIO(), io.StringIO()
    show = JsonShow(data, talk, clock)
    show.expect({"a": 5, "b": None})
    show.bytes("a", 5, 5)
    show.done("a", "failed", "no\nsuch \x1b[31mfile")
    show.say("hello \x1b[31m")
    events = [json.loads(line) for line in data.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["expect", "bytes", "file"]
    assert events[0]["total"] is None
    assert "\x1b" not in talk.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "show"), [("xterm", LiveShow), ("dumb", PlainShow)])
def test_a_dumb_terminal_is_told_in_lines(name: str, show: type) -> None:
    """Nothing can be drawn on it: of a table it would show nothing at all."""
    assert isinstance(choose_show("text", Terminal(), {"TERM": name}), show)


def test_a_terminal_shows_each_file_on_its_way(clock: Clock) -> None:
    """One line a file and one for all; what is done stays above."""

    stream = Terminal()
    show = LiveShow(stream, clock)
    show.say("of nothing is anything known yet")
    assert "0 B of 0 B" not in stream.getvalue()
    show.bytes("kubelet", 5 * MIB, 10 * MIB)
    show.done("kubectl", "fetched", "")
    show.close()
    assert "kubelet" in stream.getvalue()
    assert "5.0 MiB" in stream.getvalue()
    assert "fetched kubectl" in stream.getvalue()
