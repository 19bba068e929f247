"""mk8s.forecast.carrying: how many bytes a second nodes hand on to each other, out of what fetches took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mk8s.cluster import FanOut
from mk8s.delivery import PIECE
from mk8s.fanout.model import CARRYING, FAN_OUT_DURATIONS, LOGIN
from mk8s.forecast.carrying import carrying_rate, fetches_in
from mk8s.forecast.comparing import compare
from mk8s.forecast.learning import learnt_from, rates_of
from mk8s.forecast.measuring import measured
from mk8s.forecast.profile import DEFAULTS, Layer, Profile
from mk8s.transcript import CommandDone, StepDone, Transcript
from tests.mk8s.examples import cluster
from tests.mk8s.forecast.runs import command, kept
from transports.simulated import Span

SHAPE = replace(cluster(servers=1, agents=5), fan_out=FanOut("on"))
SHORT = 1000  # bytes of a file's last piece


def fetch(at: float, pieces: int, seconds: float = 0.5, status: int | str = 0) -> CommandDone:
    done = command("fanout.pull", at, seconds, status=status)
    return replace(done, description=f"fetch {pieces} pieces of .aa.part from b")


def brought(size: int, status: int | str = 0) -> StepDone:
    """The first ten seconds."""
    return StepDone("a", "upload", "put it", at=0, seconds=10, status=status, size=size, changed=True)


def sizes(size: int, *commands: CommandDone) -> list[int]:
    return [found for _, found in fetches_in(Transcript(commands, (brought(size),)))]


def carrying(rate: float) -> Profile:
    return DEFAULTS.under(Layer("here", {CARRYING: Span(0, 0, rate)}, 200e6, 200e6, 0.01))


def test_all_pieces_but_a_files_last_one_are_of_one_size() -> None:
    """Which comes last, whatever the order in which the fetches were written down."""
    size = 5 * PIECE + SHORT

    assert sizes(size, fetch(2, 4), fetch(1, 2)) == [2 * PIECE, 3 * PIECE + SHORT]


def test_what_this_machine_sent_was_not_fetched() -> None:
    """Here the first piece, and the last."""
    first, last = command("file.append", 0, 1, size=PIECE), command("file.append", 5, 1, size=SHORT)

    assert sizes(4 * PIECE + SHORT, first, fetch(2, 3), last) == [3 * PIECE]


@pytest.mark.parametrize(
    "commands",
    [
        (fetch(1, 3), fetch(2, 3)),
        (fetch(1, 1),),
        (fetch(1, 2), fetch(2, 3, status=91)),
        (fetch(1, 2), fetch(2, 3, status="connection.lost")),
        (replace(fetch(1, 5), description="fetch it"),),
    ],
)
def test_where_the_bytes_do_not_add_up_nothing_is_known(commands: tuple[CommandDone, ...]) -> None:
    """More pieces than came, fewer, one that failed, and words that are not known."""
    assert sizes(4 * PIECE + SHORT, *commands) == []


def test_a_fetch_beside_every_step_belongs_to_none() -> None:
    """Such as one of an attempt that was cut off."""
    assert sizes(5 * PIECE, fetch(1, 5), fetch(20, 5)) == [5 * PIECE]


def test_a_step_that_failed_says_nothing() -> None:
    """Nobody wrote down what it brought."""
    failed = Transcript((fetch(1, 2),), (brought(2 * PIECE, status="connection.lost"),))

    assert list(fetches_in(failed)) == []


def test_a_few_small_fetches_tell_no_rate() -> None:
    """Most of their time is a login and the command itself, however long they took."""
    run = Transcript((fetch(1, 1, 1.2), fetch(3, 1, 1.1)), (brought(2 * PIECE),))

    assert [size for _, size in fetches_in(run)] == [PIECE, PIECE]
    assert carrying_rate(run, FAN_OUT_DURATIONS, 0.01) == {}


def test_models_without_a_fan_out_are_told_no_rate_of_it() -> None:
    """Such as another party's, on hosts that never learnt it."""
    run = Transcript((fetch(1, 8, 60.0),), (brought(8 * PIECE),))

    assert carrying_rate(run, {}, 0.0) == {}
    assert carrying_rate(run, {**FAN_OUT_DURATIONS, LOGIN: Span(0, 0)}, 0.0).keys() == {CARRYING}


@pytest.mark.parametrize("rate", [10e6, 100e6])
def test_a_run_gives_its_rate_back(rate: float) -> None:
    """Beside logins, a link and the hosts' own work, with as many samples as there were fetches."""
    run = kept(SHAPE, carrying(rate), size=60_000_000)
    found = rates_of(run, measured(run.transcript.commands, "x"))

    assert found[CARRYING].bytes_per_second == pytest.approx(rate, rel=0.15)
    assert found[CARRYING].samples == sum(one.operation == "fanout.pull" for one in run.transcript.commands)
    assert "hashing" in found


def test_larger_files_and_more_nodes_are_predicted_by_the_rate_that_was_learnt() -> None:
    """Five times as large as the earlier run's, between nodes that hand on slowly."""
    here = carrying(10e6)
    found = learnt_from(kept(SHAPE, here, size=60_000_000))
    wanted = kept(SHAPE, here, size=300_000_000)

    told = compare(kept(SHAPE, DEFAULTS.under(found), size=300_000_000).timeline, wanted.timeline)
    without = replace(found, durations={k: v for k, v in found.durations.items() if k != CARRYING})
    worse = compare(kept(SHAPE, DEFAULTS.under(without), size=300_000_000).timeline, wanted.timeline)

    assert found.samples[CARRYING] > 0
    assert abs(told.predicted - told.measured) < abs(worse.predicted - worse.measured) / 5
