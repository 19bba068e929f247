"""How many commands share one connection: fewer where the server gives fewer sessions.

sshd refuses a session beyond its MaxSessions, and it counts one that we have ended until it has looked at the
connection again: where it reads that end and the next request in one go, it refuses the request. So a refusal
beside others means "fewer at once", and a refusal of a lone command means "a little later" before it means
"none".

This module knows no sessions and no protocol.
"""

from __future__ import annotations

from types import TracebackType

import anyio

__all__ = ["PAUSES", "Room", "Turn"]

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # seconds between the tries of a command that is refused alone


class Room:
    """The commands at once on one connection. Each takes a `Turn`."""

    def __init__(self, most: int) -> None:
        self._limiter = anyio.CapacityLimiter(most)

    @property
    def most(self) -> int:
        """How many may run at once, as far as is known."""
        return int(self._limiter.total_tokens)

    def turn(self) -> Turn:
        """For one command with all its tries."""
        return Turn(self._limiter)


class Turn:
    """One command's place in a room; entered for each try."""

    def __init__(self, limiter: anyio.CapacityLimiter) -> None:
        self._limiter = limiter
        self._pauses = iter(PAUSES)

    async def __aenter__(self) -> None:
        await self._limiter.acquire_on_behalf_of(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.release_on_behalf_of(self)

    async def refused(self) -> bool:
        """The server gave this try no session. False where it gives not even one: no further try helps.

        Beside others there are never as many again; alone it pauses, and keeps its place.
        """
        in_use = int(self._limiter.borrowed_tokens)
        if in_use > 1:
            self._limiter.total_tokens = in_use - 1
            return True
        pause = next(self._pauses, None)
        await anyio.sleep(pause or 0)
        return pause is not None
