"""Upstream's commands for simulated hosts: a model of each.

Begin reading at `teach`.
"""

from __future__ import annotations

from collections.abc import Mapping

from mk8s.cluster import Cluster
from transports.simulated import Handler, SimulatedHost, SimulatedNetwork

__all__ = ["HANDLED", "teach"]

HANDLED: Mapping[str, Handler] = {}
"""Every operation of `commands` and `host_commands`, by name."""


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the commands here, and run containerd."""
    del network, cluster
    host.use(HANDLED)
