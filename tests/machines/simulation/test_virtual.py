"""machines.simulation.virtual: time that passes only when everyone waits."""

from __future__ import annotations

import trio

from machines.simulation import VirtualClock, run_simulated


def test_sleepers_wake_in_the_order_of_their_moments_whichever_way_they_sleep() -> None:
    """The clock's own sleep and trio's share one time."""
    clock = VirtualClock()
    woken: list[tuple[str, float]] = []

    async def main() -> None:
        async def one(name: str, seconds: float) -> None:
            await (clock.sleep(seconds) if name.startswith("own") else trio.sleep(seconds))
            woken.append((name, trio.current_time()))

        async with trio.open_nursery() as nursery:
            for number, seconds in enumerate((3.0, 1.0, 2.0)):
                nursery.start_soon(one, f"own-{number}", seconds)
                nursery.start_soon(one, f"trio-{number}", seconds + 0.5)

    run_simulated(main, seed=0, clock=clock)
    assert woken == [
        ("own-1", 1.0), ("trio-1", 1.5), ("own-2", 2.0), ("trio-2", 2.5), ("own-0", 3.0), ("trio-0", 3.5),
    ]  # fmt: skip


def test_a_sleep_of_no_time_lets_others_run_first() -> None:
    """As `trio.sleep(0)` does; a negative one is one of no time."""
    clock = VirtualClock()
    seen: list[str] = []

    async def main() -> None:
        async def other() -> None:
            seen.append("other")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await clock.sleep(-1.0)
            seen.append("main")

    run_simulated(main, seed=0, clock=clock)
    assert (seen, clock.current_time()) == (["other", "main"], 0.0)


def test_a_cancelled_sleep_ends_at_the_moment_of_its_cancellation() -> None:
    """And its own moment wakes nobody when it comes."""
    clock = VirtualClock()
    ended: list[float] = []

    async def main() -> None:
        with trio.move_on_after(1.0):
            await clock.sleep(5.0)
        ended.append(clock.current_time())
        await clock.sleep(10.0)
        ended.append(clock.current_time())

    run_simulated(main, seed=0, clock=clock)
    assert ended == [1.0, 11.0]


def test_those_who_wake_at_one_moment_are_ordered_by_the_seed() -> None:
    """As all tasks are that can run at the same time: a simulation explores their orders."""

    def order(seed: int) -> list[int]:
        clock = VirtualClock()
        woken: list[int] = []

        async def main() -> None:
            async def one(number: int) -> None:
                await clock.sleep(1.0)
                woken.append(number)

            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(one, number)

        run_simulated(main, seed=seed, clock=clock)
        return woken

    assert order(1) == order(1)
    assert order(1) != order(2)
