"""A Node as the modelled API has it, and as kubectl prints it. What is true of it the `world` knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from mk8s.distros.rancher.readiness import IS_VOTER
from transports.base import Outcome
from transports.simulated import SimulatedHost

__all__ = ["Conditions", "NodeObject"]


class Conditions(NamedTuple):
    ready: str  # True, False or Unknown
    message: str
    votes: str  # True or False; empty where it has no etcd


@dataclass(slots=True)
class NodeObject:
    """A Node in the API. `ready_at` is when its network will be up."""

    name: str
    host: SimulatedHost
    unit: str
    roles: tuple[str, ...]
    version: str
    ready_at: float
    _printed: tuple[Conditions, Outcome] | None = None  # the last answer about it

    def as_json(self, now: Conditions) -> dict[str, Any]:
        """As kubectl would print it, as far as anybody here reads it."""
        conditions = [{"type": "Ready", "status": now.ready, "message": now.message}]
        if now.votes:
            conditions.append({"type": IS_VOTER, "status": now.votes, "message": ""})
        return {
            "kind": "Node",
            "metadata": {"name": self.name, "labels": dict.fromkeys(self.roles, "true")},
            "status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": self.version}},
        }

    def printed(self, now: Conditions) -> Outcome:
        """The same as kubectl's answer. Most questions find the node as the last one did: printed once."""
        if self._printed is None or self._printed[0] != now:
            self._printed = now, Outcome(status=0, stdout=json.dumps(self.as_json(now)).encode())
        return self._printed[1]
