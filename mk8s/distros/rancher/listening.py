"""The ports of an engine's services on simulated hosts, and what becomes of one that something else has.

K3s listens itself, and ends where it cannot. RKE2's API server and etcd are static pods: one that cannot
begins anew for ever, and the unit waits for it as long. Used by `world` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.values import is_true
from mk8s.ports_model import is_taken, listen
from transports.simulated import SimulatedHost

__all__ = ["keeps_pods_out", "take", "take_for_agent"]

API, KUBELET, ETCD = 6443, 10250, (2379, 2380)


def take(engine: Engine, host: SimulatedHost, config: Mapping[str, Any], *, etcd: bool) -> None:
    """What a server's own process listens on. Raises ServiceFailed for a port that is taken."""
    pods = () if engine.runtime_in_images else _of_pods(config, etcd=etcd)
    listen(host, engine.name, engine.supervisor_port, KUBELET, *pods)


def take_for_agent(engine: Engine, host: SimulatedHost) -> None:
    """The same of an agent."""
    listen(host, engine.name, KUBELET)


def keeps_pods_out(engine: Engine, host: SimulatedHost, config: Mapping[str, Any], *, etcd: bool) -> bool:
    """Whether something else has a port of the API server or of etcd."""
    return any(is_taken(host, engine.name, port) for port in _of_pods(config, etcd=etcd))


def _of_pods(config: Mapping[str, Any], *, etcd: bool) -> tuple[int, ...]:
    api = () if is_true(config.get("disable-apiserver", "")) else (API,)
    return (*api, *ETCD) if etcd else api
