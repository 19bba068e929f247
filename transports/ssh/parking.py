"""Tasks that wait for input of one shared session. One of them, the leader, watches for all of them.

There is a leader whenever anybody is parked. A task that is told of its input goes on; when the leader
goes, another is promoted. Neither wakes anybody without a reason: hundreds may be parked.

This module knows no libssh2 and no socket. Begin reading at `Parking.wait`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

__all__ = ["Parking"]


class _Parked:
    """One task that waits for input: as the leader at the socket, or to be woken or promoted."""

    __slots__ = ("event", "holds", "ready", "scope", "woken")

    def __init__(self, ready: Callable[[], bool] | None, holds: bool) -> None:
        self.ready = ready
        self.holds = holds
        self.woken = False
        self.event = anyio.Event()
        self.scope = anyio.CancelScope()

    def wake(self) -> None:
        """Its input came: try again."""
        self.woken = True
        self.event.set()
        self.scope.cancel()

    async def look_up(self) -> None:
        """Wait to be woken or promoted."""
        await self.event.wait()
        if not self.woken:
            self.event = anyio.Event()


class Parking:
    """Where tasks sleep until input came that may be theirs.

    It holds nothing of the session's, so that the session goes when its last holder does.
    """

    def __init__(self) -> None:
        self._leader: _Parked | None = None
        self._parked: list[_Parked] = []

    async def wait(
        self, watch: Callable[[], Awaitable[None]], ready: Callable[[], bool] | None, *, holds: bool = False
    ) -> None:
        """Sleep until input came that may be ours. `watch` waits for any input of the session.

        `ready` says, without I/O, whether ours is there; None: only the leader's watch can tell. `holds`:
        nobody else may attempt anything meanwhile. Raises what `watch` raises.
        """
        parked = _Parked(ready, holds)
        self._parked.append(parked)
        try:
            while self._leader is not None and not parked.woken:
                await parked.look_up()
            if not parked.woken:
                self._leader = parked
                with parked.scope:
                    await watch()
        finally:
            self._parked.remove(parked)
            if self._leader is parked:
                self._leader = None
            if self._leader is None:
                self._promote()

    def _promote(self) -> None:
        """Somebody must watch: who holds the lock first, for nobody else can attempt anything."""
        sleepers = [parked for parked in self._parked if not parked.woken]
        if sleepers:
            max(sleepers, key=lambda parked: parked.holds).event.set()

    def settle(self) -> None:
        """A call may have taken others' input off the wire: wake exactly those that are ready."""
        for parked in self._parked:
            if parked.ready is not None and parked.ready():
                parked.wake()

    def wake_all(self) -> None:
        """There will be no input any more: each finds out for itself."""
        for parked in self._parked:
            parked.wake()
