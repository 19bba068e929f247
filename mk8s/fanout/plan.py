"""Whether handing on is quicker than sending to each node from here. Pure.

The forecast knows two rates: what this machine sends in all, and what a node sends. Both are rough, so
handing on has to win clearly (`MARGIN`) before it is chosen: sending is simpler, and puts no key on nodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mk8s.amounts import counted, duration
from mk8s.cluster import FanOut
from mk8s.delivery import PIECE

__all__ = ["LEAST_NODES", "NODE_RATE", "Demand", "Forecast", "Rates", "forecast"]

LEAST_NODES = 3  # with two, the second would wait for the first and gain little
NODE_RATE = 60e6  # bytes per second that a node hands on, until it was measured: half of a gigabit
MARGIN = 0.8  # of the time that sending to each would take
SETTING_UP = 3.0  # seconds: the key goes onto the nodes
HANDING_OVER = 0.3  # seconds from a verified piece on one node to the first byte of it on the next
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Demand:
    """One file, and how many nodes want it. `size` in bytes."""

    size: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Bytes per second: what this machine sends to all nodes together, and what one node sends."""

    operator: float
    node: float = NODE_RATE


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds for either way."""

    direct: float
    fan_out: float
    seeds: int

    @property
    def is_quicker(self) -> bool:
        """Whether handing on is worth it."""
        return self.fan_out < MARGIN * self.direct

    @property
    def words(self) -> str:
        """For people: ``fan-out: 2 seeds, about 4m instead of 21m``."""
        seeds = counted(self.seeds, "seed")
        return f"fan-out: {seeds}, about {_in_words(self.fan_out)} instead of {_in_words(self.direct)}"


def forecast(demands: Sequence[Demand], rates: Rates, limits: FanOut, places: int = 8) -> Forecast:
    """How long it takes to bring every file to every node that wants it.

    `places`: how many nodes receive at the same time. Files that fewer than `LEAST_NODES` want, or that
    are one piece, are sent from here either way. Raises ValueError for a rate that is not above zero.
    """
    if rates.operator <= 0 or rates.node <= 0:
        raise ValueError(f"rates must be above 0, not {rates.operator} and {rates.node}")
    direct = sum(_direct(demand, rates, places) for demand in demands)
    shared = [demand for demand in demands if is_shareable(demand)]
    sent = sum(_direct(demand, rates, places) for demand in demands if not is_shareable(demand))
    handed = sum(_handed_on(demand, rates, limits, places) for demand in shared)
    return Forecast(direct, sent + handed + (SETTING_UP if shared else 0.0), limits.seeds)


def is_shareable(demand: Demand) -> bool:
    """Whether nodes can help each other with it at all."""
    return demand.nodes >= LEAST_NODES and demand.size > PIECE


def _direct(demand: Demand, rates: Rates, places: int) -> float:
    """All copies through this machine's link; no node takes more than it could send."""
    return demand.size * demand.nodes / min(rates.operator, places * rates.node)


def _handed_on(demand: Demand, rates: Rates, limits: FanOut, places: int) -> float:
    """The first wave follows the sender piece by piece; later ones find whole copies.

    Every node but the first is served by another, so on average a node sends as much as it receives;
    half of its rate is reckoned with, for the work is never spread evenly.
    """
    useful = rates.node / 2
    wave = min(places, demand.nodes)
    depth = math.ceil(math.log(wave, limits.per_node + 1)) if wave > 1 else 0
    lag = depth * (PIECE / useful + HANDING_OVER)
    later = math.ceil((demand.nodes - wave) / wave) * demand.size / useful
    return demand.size / min(rates.operator, useful) + lag + later


def _in_words(seconds: float) -> str:
    """An estimate: of more than a minute, whole ones."""
    exact = 1 if seconds < MINUTE else MINUTE
    return duration(max(1, round(seconds / exact) * exact))
