"""Whether a simulated node that is called healthy has earned it, by what its modelled cluster knows of it.

A driver that verifies too little says so of everyone, and no journal shows it: only the models know better.
It knows records and modelled hosts, no distro.
"""

from __future__ import annotations

from collections.abc import Mapping

from machines import Record
from mk8s.tables import HEALTHY
from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["Earned"]


class Earned:
    """Looks at every record; what it finds is a breach of `well-first`, for the watch that looks next."""

    def __init__(
        self, network: SimulatedNetwork, hosts: Mapping[str, SimulatedHost], before: int = 0
    ) -> None:
        """`hosts`: by their nodes' names. `before`: records of an earlier run, which nobody judges."""
        self._network, self._hosts, self._before = network, hosts, before

    def see(self, record: Record) -> None:
        """Raises nothing."""
        if record.to != HEALTHY or record.kind != "state" or record.seq <= self._before:
            return
        well_at = self._hosts[record.node].well_at
        if well_at is not None and well_at > self._network.timeline.now:
            self._network.breach("well-first", f"{record.node} is called {HEALTHY}, and is not well yet")

    def end(self) -> None:
        """Nothing is left to look at."""
