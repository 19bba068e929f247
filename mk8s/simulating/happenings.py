"""What happens to modelled hosts and links at a moment, whoever works there: power, cables, disks, rates.

A fault of `machines.simulation.faults` meets an operation; a happening has a time of its own: so many seconds
after the run began, or after an edge of some node began or ended. Those that last are taken back afterwards.

`Play` is both a checker (it sees every record, and knows by it that an edge began) and a task beside the run.
Begin reading at `Play.run`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import anyio

from machines import Record
from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["WHATS", "Happened", "Happening", "Moment", "MomentIs", "Play", "What"]

What: TypeAlias = Literal[
    "power-off",  # the plug is pulled; with `lasts`, it boots afterwards
    "reboot",  # it goes down and comes back after its boot time
    "cable-out",  # the host goes on, and nobody reaches it
    "disk-full",  # no byte is free any more
    "slow-link",  # the host's own link carries `rate`
    "slow-uplink",  # the operator's link carries `rate`
    "uplink-down",  # the operator reaches nobody; hosts reach each other
    "port-taken",  # a program of somebody else's listens on `port`
]
WHATS: tuple[What, ...] = get_args(What)
STRANGER = "nginx"  # the program that has a port that is taken
MomentIs: TypeAlias = Literal["begun", "done", "failed"]
MOMENTS: Mapping[str, MomentIs] = {"intent": "begun", "done": "done", "error": "failed"}


@dataclass(frozen=True, slots=True)
class Moment:
    """An attempt of an edge of a node began, was done, or failed: the first time that it does."""

    node: str
    edge: str
    is_: MomentIs


@dataclass(frozen=True, slots=True)
class Happening:
    """One of them. `node` is empty for what concerns the operator's link."""

    what: What
    node: str = ""
    after: float = 0.0  # seconds after the run began, or after `when`
    when: Moment | None = None
    lasts: float | None = None  # seconds; None: for ever, or, of a reboot, as long as it boots
    rate: float = 0.0  # bytes per second, of what becomes slow
    port: int = 0  # that is taken


@dataclass(frozen=True, slots=True)
class Happened:
    """A happening that came to its moment, and which one."""

    at: float  # seconds after this run began
    happening: Happening


@dataclass(slots=True)
class _Lasting:
    """Happenings of one kind at one place that last now, and what is put back when the last of them ends."""

    going: list[Happening] = field(default_factory=list)
    before: float = 0.0

    def begin(self, one: Happening, before: float) -> None:
        if not self.going:
            self.before = before
        elif one.what == "disk-full":  # each took what was free by then
            self.before += before
        self.going.append(one)


class Play:
    """All happenings of one run. `happened` says which came to pass, in order of time."""

    def __init__(
        self, happenings: Sequence[Happening], network: SimulatedNetwork, hosts: Mapping[str, SimulatedHost]
    ) -> None:
        self.happened: list[Happened] = []
        self._happenings = [one for one in happenings if not one.node or one.node in hosts]
        self._network = network
        self._hosts = hosts
        self._moments: dict[Moment, anyio.Event] = {}
        self._lasting: dict[tuple[What, str, int], _Lasting] = {}
        self._began = 0.0

    def see(self, record: Record) -> None:
        """A record was appended: some may have waited for it."""
        kind = _moment_of(record) if self._moments else None
        if kind is not None:
            event = self._moments.get(Moment(record.node, record.edge, kind))
            if event is not None:
                event.set()

    def end(self) -> None:
        """Nothing is checked."""

    async def run(self) -> None:
        """Let everything happen in its time; ends when all did."""
        self._began = anyio.current_time()
        for one in self._happenings:
            if one.when is not None:
                self._moments.setdefault(one.when, anyio.Event())
        async with anyio.create_task_group() as tasks:
            for one in self._happenings:
                tasks.start_soon(self._play, one)

    async def _play(self, one: Happening) -> None:
        if one.when is not None:
            await self._moments[one.when].wait()
        await anyio.sleep(one.after)
        self._network.timeline.catch_up()
        self.happened.append(Happened(round(anyio.current_time() - self._began, 6), one))
        same = self._lasting.setdefault((one.what, one.node, one.port), _Lasting())
        before = self._begin(one)
        same.begin(one, before)
        if one.lasts is not None:
            await anyio.sleep(one.lasts)
            self._network.timeline.catch_up()
            same.going.remove(one)
            if not same.going:  # of several at a time the last one ends it
                self._take_back(one, same.before)
            elif one.rate:
                self._begin(same.going[-1])

    def _begin(self, one: Happening) -> float:
        """Let it happen. Returns what `_take_back` puts back."""
        network = self._network
        if one.what == "slow-uplink":
            return network.set_uplink(one.rate)
        if one.what == "uplink-down":
            network.uplink_down = True
            return 0.0
        host = self._hosts[one.node]
        if one.what == "slow-link":
            return network.set_link(host, one.rate)
        if one.what == "disk-full":
            return float(_fill(host))
        if one.what == "port-taken":
            host.listening[one.port] = STRANGER
        elif one.what == "cable-out":
            host.cut = True
        elif one.what == "power-off":
            host.power_off()
        else:
            host.reboot()
        return 0.0

    def _take_back(self, one: Happening, before: float) -> None:
        if one.what == "slow-uplink":
            self._network.set_uplink(before)
        elif one.what == "uplink-down":
            self._network.uplink_down = False
        else:
            self._mend(one, self._hosts[one.node], before)

    def _mend(self, one: Happening, host: SimulatedHost, before: float) -> None:
        if one.what == "slow-link":
            self._network.set_link(host, before)
        elif one.what == "disk-full":
            host.disk.room += int(before)
        elif one.what == "cable-out":
            host.cut = False
        elif one.what == "power-off":
            host.power_on()
        elif one.what == "port-taken" and host.listening.get(one.port) == STRANGER:
            del host.listening[one.port]


def _moment_of(record: Record) -> MomentIs | None:
    """What the record says of an edge. One whose answer was lost is done when its probe finds so."""
    if record.kind == "probed":
        return "done" if record.found else None
    return MOMENTS.get(record.kind)


def _fill(host: SimulatedHost) -> int:
    """Take all that is free. Returns how much."""
    taken = host.disk.free
    host.disk.room -= taken
    return taken
