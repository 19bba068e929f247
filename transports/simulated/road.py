"""The connection to a modelled host: how it comes up, how work on it is cut off, and the faults that strike.

Laws:

1. Whoever works on a host loses the work at the moment when the host goes down, and the answer when the
   cable is out at the moment of the answer.
2. Only what takes no longer than `BRIEF` may be done without a guard: it notices a power loss when its
   time is over, and has no effect then.

Begin reading at `Road.connect` and `Road.guarded`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import TypeVar

import anyio

from transports.base import TransportError
from transports.simulated.complaints import Complaints
from transports.simulated.faults import FAULT_KINDS, FaultLike, FaultSource
from transports.simulated.host import SimulatedHost
from transports.simulated.network import SimulatedNetwork

__all__ = ["BRIEF", "STALL", "Road"]

T = TypeVar("T")

BRIEF = 0.25  # seconds that work may take without a guard of its own
CONNECT_TIMEOUT = 10.0  # seconds until a host that does not answer is given up
SILENCE = 15.0  # seconds until a connection whose other end is silent is given up
HANDSHAKES = 8  # round trips from the first packet to the first command
STALL = 60.0  # seconds without progress until a transfer is given up
SLOWNESS = 20


class Road:
    """One connection to one host, made and made again."""

    def __init__(
        self,
        name: str,
        host: SimulatedHost,
        network: SimulatedNetwork,
        faults: FaultSource | None,
        latency: float,
    ) -> None:
        self.name = name
        self.host = host
        self.network = network
        self.latency = latency  # seconds of one round trip
        self.complaints = Complaints(name)
        self.sleep = network.time.sleep
        self._faults = faults
        self._attempts: dict[str, int] = {}
        self._connected: int | None = None  # the host's lifetime that the connection belongs to
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._connected = None

    def fault(self, operation: str) -> FaultLike | None:
        """What strikes this attempt at an operation: each is counted."""
        if self._faults is None:
            return None
        attempt = self._attempts[operation] = self._attempts.get(operation, 0) + 1
        fault = self._faults.decide(self.name, operation, attempt)
        if fault is not None and fault.kind not in FAULT_KINDS:
            raise ValueError(f"unknown kind of fault {fault.kind!r}; known: {', '.join(FAULT_KINDS)}")
        return fault

    @property
    def is_cut(self) -> bool:
        """Whether no packet gets through between the operator and this host, whatever its power."""
        return self.host.cut or self.network.uplink_down

    def holds(self, lifetime: int | None) -> bool:
        """Whether an answer gets through from the life of the host that was asked."""
        host = self.host
        return host.lives(lifetime) and not host.cut and not self.network.uplink_down

    @property
    def is_connected(self) -> bool:
        """Whether a command can be sent at once."""
        return self.holds(self._connected)

    async def connect(self) -> None:
        """Make sure that the host answers. Raises connection.{closed,timeout,refused}."""
        host = self.host
        if self._closed:
            raise self.complaints.closed()
        if not host.powered or self.is_cut:
            self._connected = None
            await self.sleep(CONNECT_TIMEOUT)
            raise self.complaints.silent(host.address, CONNECT_TIMEOUT)
        if not host.up:
            self._connected = None
            await self.sleep(self.latency)
            raise self.complaints.not_up(host.address)
        if self._connected != host.lifetime:
            await self.sleep(HANDSHAKES * self.latency)
            self._connected = host.lifetime

    async def guarded(self, doing: str, timeout: float | None, work: Awaitable[T]) -> T:
        """Do the work on the host; turn its end, the cable's or the timeout's into an error."""
        host = self.host
        lifetime = host.lifetime
        deadline = inf if timeout is None else self.network.time.now() + timeout
        with self.network.time.scope(deadline) as scope:
            host.running[scope] = None
            try:
                result = await work
            finally:
                del host.running[scope]
        if self.holds(lifetime) and not scope.cancelled_caught:
            return result
        raise await self.broken(doing, timeout, lost=host.lifetime != lifetime or self.is_cut)

    async def broken(self, doing: str, timeout: float | None, *, lost: bool) -> TransportError:
        """Why no answer came; after the silence that it takes to notice."""
        if not lost:
            return self.complaints.late(doing, timeout)
        if self.is_cut or not self.host.powered:
            await self.sleep(SILENCE)
        return self.complaints.lost(doing)

    async def carry(
        self, doing: str, size: int, told: Callable[[int, int], None] | None, latency: float
    ) -> None:
        """Let bytes travel. Raises connection.lost where the cable is pulled on the way."""
        if not await self.network.carry(self.host, size, told, latency=latency):
            await self.sleep(SILENCE)
            raise self.complaints.lost(doing)

    # Faults

    async def struck(
        self, fault: FaultLike | None, doing: str, before: float, work: Callable[[], Awaitable[T]]
    ) -> T:
        """Do the work with those faults around it that mean the same for every operation.

        `before`: the seconds that the operation took until now; being slow concerns them as well.
        """
        if fault is None:
            return await work()
        if fault.kind == "hang":
            await anyio.sleep_forever()
        early = fault.kind == "drop" or (fault.kind == "reboot" and fault.fraction < 0.5)
        if early:
            self.strike(fault.kind, doing)
        began = self.network.time.now()
        result = await work()
        if fault.kind == "slow":
            await self.sleep((SLOWNESS - 1) * (before + self.network.time.now() - began))
        if fault.kind in ("apply-then-drop", "reboot"):
            self.strike(fault.kind, doing)
        return result

    def strike(self, kind: str, doing: str) -> None:
        """Lose the connection now, with or without a reboot of the host."""
        if kind == "reboot":
            self.host.reboot()
        self._connected = None
        raise self.complaints.lost(doing)
