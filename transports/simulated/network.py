"""The network between the operator and the modelled hosts, and among the hosts.

Modelled: one uplink at the operator and one link at each host, in bytes per second. What is sent
travels in slices; each slice holds both links for its time, first come first served, so that transfers
at the same time share a link about evenly. The operator's own work for a command is modelled likewise: one
command at a time, in the order of coming. Not modelled: round trips inside a transfer, loss, and the traffic
of the hosts among themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transports.simulated.host import SimulatedHost
from transports.simulated.pace import Pace
from transports.simulated.timeline import Time, Timeline

__all__ = ["Breach", "SimulatedNetwork"]

SLICES = 4  # at most; few, because each one is a wake-up
SMALLEST_SLICE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Breach:
    """Something that must never happen, and did: a model saw it. `invariant` is its short name."""

    invariant: str
    evidence: str
    at: float  # seconds


class _Link:
    """A road for one slice at a time."""

    __slots__ = ("free_at", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate  # bytes per second
        self.free_at = 0.0


class SimulatedNetwork:
    """All hosts by address, one time for them all, and the links that uploads travel on."""

    def __init__(self, pace: Pace | None = None, time: Time | None = None) -> None:
        """`pace`: how long everything takes here; by default as models declare. `time`: whose it is."""
        self.pace = Pace() if pace is None else pace
        self.time = Time() if time is None else time
        self.hosts: dict[str, SimulatedHost] = {}
        self.timeline = Timeline(self.time.now)
        self.breaches: list[Breach] = []
        self.uplink_down = False  # the operator reaches nobody; hosts reach each other
        self._operator_free_at = 0.0
        self._uplink = _Link(self.pace.links.uplink)
        self._rate = self.pace.links.link
        self._links: dict[str, _Link] = {}

    def add(self, host: SimulatedHost) -> SimulatedHost:
        """Connect a host. Its time is the network's from now on. Raises ValueError for a taken address."""
        if host.address in self.hosts:
            raise ValueError(f"{host.name}: {host.address} is already {self.hosts[host.address].name}'s")
        if len(host.timeline):
            raise ValueError(
                f"{host.name} is alive already; connect it to the network before anything starts"
            )
        host.time, host.timeline = self.time, self.timeline
        self.pace.declare(host.pace.declared)  # what it was taught before
        host.pace = self.pace
        self.hosts[host.address] = host
        self._links[host.address] = _Link(self._rate)
        return host

    def breach(self, invariant: str, evidence: str) -> None:
        """Write down what must never happen. Checkers look at `breaches` after every record."""
        self.breaches.append(Breach(invariant, evidence, self.timeline.now))

    def set_uplink(self, rate: float) -> float:
        """Let the operator's link carry `rate` bytes per second from now on. Returns the rate of before."""
        before, self._uplink.rate = self._uplink.rate, rate
        return before

    def set_link(self, host: SimulatedHost, rate: float) -> float:
        """The same of a host's own link."""
        link = self._links[host.address]
        before, link.rate = link.rate, rate
        return before

    def attend(self) -> float:
        """Seconds until this machine has done its own work on one more command, those before it included."""
        work = self.pace.links.operator
        if work <= 0:
            return 0.0
        now = self.time.now()
        self._operator_free_at = max(now, self._operator_free_at) + work
        return self._operator_free_at - now

    def reach(self, source: SimulatedHost, address: str) -> SimulatedHost | None:
        """The host that answers at `address` when `source` calls; None when nobody does."""
        target = self.hosts.get(address)
        if target is None or not source.up or not target.up:
            return None
        if target is not source and (source.cut or target.cut):
            return None
        return target

    async def carry(
        self,
        host: SimulatedHost,
        size: int,
        on_progress: Callable[[int, int], None] | None = None,
        *,
        latency: float = 0.0,
    ) -> bool:
        """Let the time pass that `size` bytes take between the operator and `host`, either way.

        `latency`: seconds before the first byte. False when the cable was pulled on the way.
        """
        slice_size = max(SMALLEST_SLICE, -(-size // SLICES))
        done, before = 0, latency
        while True:
            part = min(slice_size, size - done)
            await self.time.sleep(before + self._reserve(host, part))
            if host.cut or self.uplink_down:
                return False
            done, before = done + part, 0.0
            if on_progress is not None:
                on_progress(done, size)
            if done >= size:
                return True

    def _reserve(self, host: SimulatedHost, size: int) -> float:
        """Take both links for the next slice; how many seconds from now it has arrived."""
        now = self.time.now()
        link = self._links[host.address]
        arrived = now
        for road in (self._uplink, link):
            road.free_at = max(now, road.free_at) + size / road.rate
            arrived = max(arrived, road.free_at)
        return arrived - now
