"""Whether nodes hand files on in this run: as the manifest says, or as what was measured says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mk8s.cluster import FanOut
from mk8s.fanout.plan import LEAST_NODES, NODE_RATE, Demand, Rates, forecast
from transports.base import File

__all__ = ["Choice", "Expected"]

LOOKS = 2  # pieces sent before a rate is believed: the first also opens the connection
SECOND = 2  # nodes; with one there is nobody to hand on to

Expected = Mapping[str, tuple[File, int]]
"""sha256 -> the file, and how many nodes want it in this run."""


@dataclass(slots=True)
class Choice:
    """Begins as if nodes were to hand on; `measured` may end it where sending is as quick."""

    limits: FanOut
    expected: Expected
    places: int  # nodes that receive at the same time
    bandwidth: int | None  # bytes per second, as the manifest limits it
    say: Callable[[str], None] = lambda _words: None  # hears the forecast once
    rate: float | None = None  # bytes per second from here, once it is known
    direct: bool = False  # chosen: send to each node from here
    _looks: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.limits.mode == "off" or not self.expected:
            self.direct = True
        elif self.bandwidth:
            self._decide(float(self.bandwidth))

    def wants(self, sha256: str) -> bool:
        """Whether this file is one that nodes hand on."""
        nodes = self.expected[sha256][1] if sha256 in self.expected else 0
        return not self.direct and nodes >= (SECOND if self.limits.mode == "on" else LEAST_NODES)

    def measured(self, size: int, seconds: float) -> None:
        """So many bytes were sent from here in that time, beside nothing else."""
        if self.rate is None and seconds > 0:
            self._looks.append(size / seconds)
            if len(self._looks) >= LOOKS:
                self._decide(max(self._looks))

    def _decide(self, rate: float) -> None:
        self.rate = rate
        demands = [Demand(file.size, nodes) for file, nodes in self.expected.values()]
        seen = forecast(demands, Rates(rate, NODE_RATE), self.limits, self.places)
        if self.limits.mode == "auto" and not seen.is_quicker:
            self.direct = True
        elif seen.fan_out < seen.direct:
            self.say(seen.words)
