"""The courier of a run, put together from what the manifest and the journal say.

In simulation (no `places`) ``auto`` goes by `limits.bandwidth`, or by what it measures where the links are
known (`measures`). With neither, nodes hand on only where the manifest asks for it with ``mode: on``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from mk8s.cluster import Cluster, Node
from mk8s.cutting import Cut
from mk8s.delivery import Delivery
from mk8s.direct import DirectDelivery
from mk8s.distros.base import Distro, Situation
from mk8s.fanout.choice import Choice, Expected
from mk8s.fanout.courier import FanOutDelivery
from mk8s.fanout.doors import Doors
from mk8s.fanout.keys import make_key
from mk8s.fanout.places import MemoryPlaces, Places
from mk8s.steps import Upload
from mk8s.working import Hands
from transports.base import File

__all__ = ["FanOutOffice", "expected_files"]

SENT_TO = 8  # nodes that are sent to from here at the same time, where nobody else serves them


@dataclass(slots=True)
class FanOutOffice:
    """Makes the delivery of a rollout, and closes it. `make` is a `mk8s.executor.MakeDelivery`."""

    cluster: Cluster
    cut: Cut
    release: Collection[File]
    places: Places | None  # None: a simulation
    capacity: Callable[[], int]  # nodes that may receive at the same time
    expected: Callable[[], Expected]  # what is still to be brought to nodes
    measures: bool = False  # in a simulation, too: its links are as somebody knows them to be
    say: Callable[[str], None] = lambda _words: None  # hears what was chosen, for all nodes
    _courier: FanOutDelivery | None = field(default=None, init=False)

    def make(self, hands: Hands) -> Delivery:
        """The courier; the plain delivery where the manifest wants no fan-out."""
        direct = DirectDelivery(hands, cut=self.cut, keep={file.sha256 for file in self.release})
        places = MemoryPlaces() if self.places is None else self.places
        doors = Doors(self.cluster, hands, places, make_key())
        sent_to = self.cluster.limits.get("uploads", SENT_TO)
        self._courier = FanOutDelivery(self.cluster, hands, direct, doors, self._choose, sent_to)
        return self._courier if self._may_hand_on() else direct

    async def close(self) -> list[str]:
        """Remove the keys of this run, and of an earlier one; nodes where one may still be."""
        return await self._courier.close() if self._courier else []

    def _may_hand_on(self) -> bool:
        """Whether there is anything to choose by: a rehearsal without a bandwidth has nothing."""
        known = self.places is not None or self.measures or self.cluster.bandwidth
        mode = self.cluster.fan_out.mode
        return mode == "on" or (mode == "auto" and bool(known))

    def _choose(self, note: Callable[[str], None]) -> Choice:
        """`note`: the same for the node whose file is the first."""
        cluster = self.cluster

        def told(words: str) -> None:
            note(words)
            self.say(words)

        return Choice(cluster.fan_out, self.expected(), self.capacity(), cluster.bandwidth, told)


def expected_files(
    cluster: Cluster,
    nodes: Collection[Node],
    distro: Distro,
    release: Mapping[str, File],
    images: tuple[str, ...],
) -> Expected:
    """Which files these nodes want, and how many of them each."""
    found: dict[str, tuple[File, int]] = {}
    for node in nodes:
        steps = distro.stage(Situation(cluster, node, None, release, "", images=images))
        for step in steps:
            if isinstance(step, Upload):
                _, count = found.get(step.source.sha256, (step.source, 0))
                found[step.source.sha256] = (step.source, count + 1)
    return found
