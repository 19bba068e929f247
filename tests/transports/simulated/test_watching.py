"""transports.simulated.watching: looks that nobody is woken for are those that somebody would have made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import repeat

import anyio
import pytest
import trio

from machines.simulation import VirtualClock, run_simulated
from transports.base import Command, Idling, Outcome, TransportError, argv
from transports.simulated import (
    Links,
    Pace,
    SimulatedHost,
    SimulatedNetwork,
    SimulatedTransport,
    Span,
    Time,
    UnknownCommand,
)

ASK = argv("ask", "ask how it is", "ask", timeout=30.0)
CHANGES = 61.3  # seconds after which the answer is another
NOTHING = Outcome(status=1)


class Faults:
    """Nothing, but for one attempt."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt

    def decide(self, _node: str, _operation: str, attempt: int) -> Fault | None:
        return Fault() if attempt == self.attempt else None


class Fault:
    kind = "drop"
    fraction = 0.5


class Scene:
    """A host whose answer changes once, on a clock that plays looks, or on the same one that does not."""

    def __init__(self, *, plays: bool = True, faults: int = 0, operator: float = 0.0) -> None:
        self.clock = VirtualClock()
        time = Time(self.clock.current_time, self.clock.sleep, self.clock.call_at if plays else None)
        self.network = SimulatedNetwork(Pace({"ask": Span(0.02, 0.09)}, Links(operator=operator)), time)
        self.host = self.network.add(SimulatedHost("a", "10.0.0.1"))
        self.road = SimulatedTransport("a", self.host, self.network, faults=Faults(faults))
        self.looks: list[float] = []
        self.told: list[tuple[float, Outcome]] = []

        @self.host.handles("ask")
        def answer(_host: SimulatedHost, _command: Command) -> Outcome:
            self.looks.append(self.clock.current_time())
            return Outcome(status=0 if self.clock.current_time() >= CHANGES else 1)

    async def wait(self, pauses: Iterator[float] | None = None) -> float:
        """Ask until there is news, as an executor does; the second at which it came."""
        pauses = repeat(2.0) if pauses is None else pauses
        outcome: Outcome | None = await self.road.run(ASK)
        while outcome is None or outcome == NOTHING:
            outcome = await self.road.idle(ASK, pauses, NOTHING, lambda *look: self.told.append(look))
            if outcome is None:
                outcome = await self.road.run(ASK)
        return self.clock.current_time()

    def run(self) -> float:
        return run_simulated(self.wait, seed=1, clock=self.clock)


def test_it_is_a_transport_that_can_idle() -> None:
    """Others need not."""
    assert isinstance(Scene().road, Idling)


def test_looks_are_made_at_the_same_moments_as_one_by_one() -> None:
    """The same times that they take, the same answers, the same end."""
    played, made = Scene(), Scene(plays=False)
    assert played.run() == made.run() > CHANGES
    assert played.looks == pytest.approx(made.looks, abs=1e-9)
    assert len(played.looks) > 25


def test_each_look_is_told() -> None:
    """But for the first, which was asked for: the transcript has them all, with their seconds."""
    scene = Scene()
    scene.run()
    assert len(scene.told) == len(scene.looks) - 1
    assert all(0.02 < seconds < 0.1 for seconds, _ in scene.told)
    assert [outcome.status for _, outcome in scene.told][-2:] == [1, 0]


async def failed(scene: Scene) -> tuple[str, float]:
    """How a wait fails, and when."""
    with pytest.raises(TransportError) as caught:
        await scene.wait()
    return caught.value.lineage[0], scene.clock.current_time()


def test_a_fault_strikes_the_same_look_and_is_decided_once() -> None:
    """The task makes that look itself, and hears of it."""

    played, made = Scene(faults=5), Scene(faults=5, plays=False)
    ends = [run_simulated(partial(failed, one), seed=1, clock=one.clock) for one in (played, made)]
    assert ends[0] == ends[1]
    assert ends[0][0] == "connection.lost"
    assert played.looks == pytest.approx(made.looks, abs=1e-9)


def test_a_host_that_goes_down_is_asked_by_the_task() -> None:
    """Which then hears what anyone hears who asks a host that is off."""

    async def main(scene: Scene) -> str:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(power_off_at, scene, 20.0)
            return (await failed(scene))[0]

    async def power_off_at(scene: Scene, second: float) -> None:
        await trio.sleep(second)
        scene.host.power_off()

    scene = Scene()
    assert run_simulated(lambda: main(scene), seed=1, clock=scene.clock) == "connection.timeout"
    assert scene.looks[-1] < 20.0


def test_a_wait_that_is_given_up_looks_no_more() -> None:
    """An edge's timeout: what was planned is not played to the end of time."""

    async def main(scene: Scene) -> float:
        with anyio.move_on_after(10.0):
            await scene.wait()
        await trio.sleep(100.0)
        return scene.looks[-1]

    scene = Scene()
    assert run_simulated(lambda: main(scene), seed=1, clock=scene.clock) < 10.0


def test_an_author_s_mistake_is_raised_in_the_task_that_waits() -> None:
    """Not in the clock, where it would end everything without a word of where it came from."""

    async def main(scene: Scene) -> None:
        scene.host.handles("ask")(refuse)
        await scene.road.idle(ASK, repeat(2.0), NOTHING)

    def refuse(_host: SimulatedHost, _command: Command) -> Outcome:
        raise UnknownCommand("nobody modelled it")

    async def connected(scene: Scene) -> None:
        await scene.road.run(ASK)
        with pytest.raises(UnknownCommand):
            await main(scene)

    scene = Scene()
    run_simulated(lambda: connected(scene), seed=1, clock=scene.clock)


def test_where_this_machine_s_own_work_counts_each_look_is_made_by_its_task() -> None:
    """For its place in the queue is known only when its turn comes."""
    scene = Scene(operator=0.01)
    assert scene.run() > CHANGES
    assert scene.told == []
