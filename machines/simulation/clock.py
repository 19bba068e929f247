"""Virtual time, and the same order of events for the same seed.

This is the only module that touches two private names of trio: `_r`, the random generator that orders
each batch of tasks, and `_ALLOW_DETERMINISTIC_SCHEDULING`, which sorts the batch before that. Both are
needed, both are put back afterwards. `self_test` proves that they still do what they did; the upper
bound on trio in pyproject.toml stands for the rest.

In virtual time there are no threads, no sockets and no disk: a thread's second is no virtual second.
How time passes stands in `virtual`.

While a run goes on, Python looks for garbage in cycles far more seldom: a run makes little of it, and a look
goes over every modelled host. That too is put back.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio
from trio._core import _run as trio_internals

from machines.simulation.virtual import VirtualClock

__all__ = ["DAY", "SimulationStuck", "run_simulated", "self_test"]

DAY = 86400.0  # seconds
COLLECTIONS = (50_000, 20, 20)  # thresholds of `gc`, as `gc.set_threshold` takes them

_T = TypeVar("_T")


class SimulationStuck(Exception):  # noqa: N818 - it says what is the case
    """Virtual time ran out: something waits for what will not come, or repeats without an end."""


def run_simulated(
    main: Callable[[], Awaitable[_T]],
    *,
    seed: int,
    limit: float = 30 * DAY,
    clock: VirtualClock | None = None,
) -> _T:
    """Run `main` in virtual time and return what it returns. `clock`: a new one, whose `sleep` `main` uses.

    Raises `SimulationStuck` after `limit` virtual seconds: without it a deadlock would spin for ever.
    """

    async def bounded() -> _T:
        with trio.move_on_after(limit):
            return await main()
        raise SimulationStuck(
            f"no end after {limit:g} virtual seconds (seed {seed}): "
            "something waits for what will not come, or an action has no timeout"
        )

    with _deterministic(seed), _seldom_collecting():
        return trio.run(bounded, clock=clock or VirtualClock())


def self_test() -> None:
    """Raises RuntimeError when this trio no longer repeats a run of the same seed."""
    first, again, other = _order(1), _order(1), _order(2)
    if first != again:
        raise RuntimeError(f"trio {trio.__version__} does not repeat the order of tasks for one seed")
    if first == other:
        raise RuntimeError(f"trio {trio.__version__} does not take its order of tasks from the seed")


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Scheduling by the seed, until the block ends."""
    generator: random.Random = trio_internals._r
    state = generator.getstate()
    allowed = trio_internals._ALLOW_DETERMINISTIC_SCHEDULING
    generator.seed(seed)
    trio_internals._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # trio's tests set it too
    try:
        yield
    finally:
        trio_internals._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # type: ignore[misc]
        generator.setstate(state)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Fewer looks for garbage, until the block ends. Where there are none at all, it stays so."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _order(seed: int) -> list[int]:
    """In which order fifty tasks that are ready at the same time are run."""
    seen: list[int] = []

    async def task(number: int) -> None:
        await trio.sleep(1)
        seen.append(number)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(task, number)

    run_simulated(main, seed=seed, limit=60)
    return seen
