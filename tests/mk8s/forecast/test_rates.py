"""mk8s.forecast.rates: how many bytes a second hosts work on, out of what commands took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mk8s.forecast.comparing import compare
from mk8s.forecast.learning import learnt_from, rates_of
from mk8s.forecast.measuring import measured
from mk8s.forecast.profile import DEFAULTS, Layer
from mk8s.forecast.rates import Rate, learnt_rates
from mk8s.transcript import CommandDone, StepDone, Transcript
from tests.mk8s.examples import cluster
from tests.mk8s.forecast.runs import command, kept
from transports.simulated import Span

MB = 1e6
DECLARED = {
    "hashing": Span(0, 0, 400 * MB),
    "unpacking": Span(0, 0, 50 * MB),
    "x.check": Span(0.1, 0.1),
    "x.place": Span(0.2, 0.2),
}
CHECKED = tuple(size * MB for size in (10, 20, 40, 80, 160))


def sent(node: str = "a", size: int = 310_000_000) -> StepDone:
    """Of the files that the commands work on."""
    return StepDone(node, "upload", "put all", at=0, seconds=1.0, status=0, size=size, changed=True)


def transcript(commands: list[CommandDone], *steps: StepDone) -> Transcript:
    return Transcript(tuple(commands), steps or (sent(),))


def work(hashing: float, unpacking: float, fixed: float = 1.0, noise: float = 0.0) -> list[CommandDone]:
    """Five checks of other sizes; a file of one size that is checked and unpacked. In bytes per second."""
    checks = [
        replace(
            command("x.check", at, 0.1 * fixed + size / hashing + noise * (-1) ** at),
            description=f"check {at}",
        )
        for at, size in enumerate(CHECKED)
    ]
    place = command("x.place", 9, 0.2 * fixed + 100 * MB / hashing + 100 * MB / unpacking)
    return [*checks, place]


def rehearsed(durations: Mapping[str, Span]) -> Transcript:
    """The same commands on modelled hosts."""
    return transcript(work(durations["hashing"].rate, durations["unpacking"].rate))


def learnt(commands: list[CommandDone], *steps: StepDone) -> dict[str, Rate]:
    return learnt_rates(transcript(commands, *steps), rehearsed, DECLARED, latency=0.0)


def test_larger_files_that_take_longer_tell_a_rate() -> None:
    """Whatever the commands take beside their bytes."""
    found = learnt(work(100 * MB, 50 * MB, fixed=3.0))

    assert found["hashing"].bytes_per_second == pytest.approx(100 * MB)
    assert found["hashing"].samples == len(CHECKED)


def test_what_a_file_of_one_size_takes_is_off_as_its_model_is() -> None:
    """After what is known of its other bytes: two seconds by the model, and four by the run."""
    found = learnt(work(100 * MB, 25 * MB, fixed=2.0))

    assert found["unpacking"].bytes_per_second == pytest.approx(25 * MB)


def test_a_busy_machine_tells_no_rate() -> None:
    """Where larger files took longer only by chance."""
    assert "hashing" not in learnt(work(400 * MB, 50 * MB, noise=0.4, fixed=5.0))


def test_no_rate_is_less_than_what_the_commands_show() -> None:
    """As quick as if all of their time were their bytes'."""
    commands = [replace(one, seconds=0.01) for one in work(1, 1)]

    assert learnt(commands)["hashing"].bytes_per_second == pytest.approx(310 * MB / 0.05)


@pytest.mark.parametrize("steps", [(sent("b"),), (sent(size=1),), (sent(), sent())])
def test_a_node_that_was_not_sent_exactly_these_files_tells_nothing(steps: tuple[StepDone, ...]) -> None:
    """It had them, had others, or was sent them twice: nobody knows what its commands worked on."""
    assert learnt(work(100 * MB, 25 * MB), *steps) == {}


def test_commands_that_were_lost_tell_nothing() -> None:
    """Nor do others of that kind on that node: which is which is not known any more."""
    lost = [replace(one, status="connection.lost") for one in work(100 * MB, 25 * MB)]

    assert learnt(lost) == {}


def test_a_run_gives_its_rates_back() -> None:
    """Each beside the others, with a link, many nodes and chance between."""
    given = {"hashing": 200 * MB, "unpacking": 25 * MB, "importing": 80 * MB}
    here = Layer("here", {name: Span(0, 0, rate) for name, rate in given.items()}, 80 * MB, 100 * MB, 0.04)
    run = kept(replace(cluster(servers=2, agents=1), distro="kubeadm"), DEFAULTS.under(here))

    found = rates_of(run, measured(run.transcript.commands, "x"))

    assert {name: rate.bytes_per_second for name, rate in found.items()} == pytest.approx(given, rel=0.15)


def test_a_run_with_small_files_tells_no_rate() -> None:
    """What little time their bytes took is as well something else."""
    run = kept(
        cluster(servers=1), DEFAULTS.under(Layer("here", {"hashing": Span(0, 0, 9e6)})), size=2_000_000
    )

    assert rates_of(run, measured(run.transcript.commands, "x")) == {}


def test_files_of_other_sizes_are_predicted_by_the_rates_that_were_learnt() -> None:
    """Three times as large as the earlier run's, on hosts that hash and unpack slowly."""
    slow = {"hashing": Span(0, 0, 40e6), "unpacking": Span(0, 0, 8e6)}
    here = DEFAULTS.under(Layer("here", slow, uplink=500e6, link=500e6))
    shape = cluster(servers=1)
    found = learnt_from(kept(shape, here, size=60_000_000))
    wanted = kept(shape, here, size=180_000_000)

    told = compare(kept(shape, DEFAULTS.under(found), size=180_000_000).timeline, wanted.timeline)
    without = replace(found, durations={k: v for k, v in found.durations.items() if k not in slow})
    worse = compare(kept(shape, DEFAULTS.under(without), size=180_000_000).timeline, wanted.timeline)

    assert abs(told.predicted - told.measured) < abs(worse.predicted - worse.measured) / 3
