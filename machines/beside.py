"""A task at the side of another one, without exception groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

__all__ = ["run_beside"]

_T = TypeVar("_T")


async def run_beside(helper: Callable[[], Awaitable[None]], main: Callable[[], Awaitable[_T]]) -> _T:
    """Run `main`; the helper runs beside it and is cancelled when it ends.

    An exception of `main` comes out as it is. The helper must not raise.
    """
    error: Exception | None = None
    results: list[_T] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(helper)
        try:
            results.append(await main())
        except Exception as raised:  # carried past the nursery, which would wrap it in a group
            error = raised
        nursery.cancel_scope.cancel()
    if error is not None:
        raise error
    return results[0]
