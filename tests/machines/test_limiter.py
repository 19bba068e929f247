"""machines.limiter: places are given in the order of the plan, and none is ever lost."""

from __future__ import annotations

import pytest
import trio

from machines.limiter import Limiter
from machines.simulation import run_simulated


def order_of_service(positions: list[int], capacity: int, seed: int) -> list[int]:
    served: list[int] = []

    async def main() -> None:
        limiter = Limiter("seats", capacity)

        async def guest(position: int) -> None:
            async with limiter.place(position):
                served.append(position)
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            for position in positions:
                nursery.start_soon(guest, position)

    run_simulated(main, seed=seed)
    return served


@pytest.mark.parametrize("seed", range(5))
def test_whoever_stands_first_in_the_plan_is_served_first(seed: int) -> None:
    """However the scheduler shuffles the tasks, the control plane is not last in the queue."""
    assert order_of_service([5, 3, 9, 1, 7], capacity=1, seed=seed) == [1, 3, 5, 7, 9]


def test_never_more_than_its_capacity_hold_a_place() -> None:
    """That is what a limiter is for."""
    most = 0

    async def main() -> None:
        limiter = Limiter("seats", 3)
        inside = 0

        async def guest(position: int) -> None:
            nonlocal inside, most
            async with limiter.place(position):
                inside += 1
                most = max(most, inside)
                await trio.sleep(1)
                inside -= 1

        async with trio.open_nursery() as nursery:
            for position in range(20):
                nursery.start_soon(guest, position)

    run_simulated(main, seed=1)
    assert most == 3


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 1.5])
def test_a_guest_who_gives_up_at_any_moment_takes_no_place_with_him(moment: float) -> None:
    """Cancelled in the queue, at his turn or inside: afterwards everyone else is still served."""
    served: list[int] = []

    async def main() -> None:
        limiter = Limiter("seats", 1)

        async def guest(position: int) -> None:
            async with limiter.place(position):
                served.append(position)
                await trio.sleep(1)

        async def impatient() -> None:
            with trio.move_on_after(moment):
                await guest(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guest, 0)
            nursery.start_soon(impatient)
            nursery.start_soon(guest, 2)

    run_simulated(main, seed=1, limit=60)
    assert {0, 2} <= set(served)


def test_a_limit_below_one_is_refused() -> None:
    """Nobody would ever be served."""
    with pytest.raises(ValueError, match="'seats' must be at least 1"):
        Limiter("seats", 0)
