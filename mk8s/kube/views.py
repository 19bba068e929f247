"""How a cluster's answers are read: text in, values out. A wrong text raises ValueError, and nothing else.

Begin reading at `read_nodes`, `read_members`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from transports.base import Outcome

__all__ = [
    "Member",
    "NodeView",
    "Workload",
    "orderly",
    "read_members",
    "read_nodes",
    "read_unhealthy",
    "read_workload",
]

T = TypeVar("T")
SILENT = "Kubelet stopped posting node status."


@dataclass(frozen=True, slots=True)
class NodeView:
    """What is read of a Node object."""

    name: str
    version: str = ""
    unschedulable: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[tuple[str, str], ...] = ()  # key, effect
    conditions: Mapping[str, str] = field(default_factory=dict)  # type -> status
    messages: Mapping[str, str] = field(default_factory=dict)  # type -> message

    @property
    def is_ready(self) -> bool:
        return self.conditions.get("Ready") == "True"

    def lacks(self, *, ready: bool = True, version: str = "") -> Iterator[str]:
        """Everything that is still missing, in words."""
        if ready and not self.is_ready:
            yield f"is not Ready: {self.messages.get('Ready') or 'no condition yet'}"
        if version and self.version != version:
            yield f"runs {self.version or 'an unknown version'}, not {version}"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of etcd. `id` as etcdctl wants it: hexadecimal."""

    id: str
    name: str  # may be empty until it has started for the first time
    peers: tuple[str, ...]
    clients: tuple[str, ...]  # empty until it has started for the first time
    learner: bool

    @property
    def is_started(self) -> bool:
        """A static bootstrap names all members at once, so the name alone says nothing."""
        return bool(self.name and self.clients)

    @property
    def words(self) -> str:
        """For people: its name, or where it is awaited."""
        return self.name or f"the member at {', '.join(self.peers) or self.id}"


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment or a DaemonSet, in numbers of pods."""

    wanted: int
    ready: int


def orderly(read: Callable[[Outcome], T]) -> Callable[[Outcome], T]:
    """Decorator: whatever is wrong with the text is a ValueError."""

    @wraps(read)
    def reading(outcome: Outcome) -> T:
        try:
            return read(outcome)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"this cannot be read: {outcome.text[:80]!r}") from error

    return reading


@orderly
def read_nodes(outcome: Outcome) -> list[NodeView]:
    """The answers of `commands.get_node` and `get_nodes`: an object a line."""
    return [_node(json.loads(line)) for line in outcome.text.splitlines() if line]


def _node(data: Mapping[str, Any]) -> NodeView:
    conditions = [known for known in data["conditions"] if known]
    return NodeView(
        name=data["name"],
        version=data["version"],
        unschedulable=bool(data["unschedulable"]),
        labels={key: value for key, value in data["labels"].items() if key},
        taints=tuple((taint["key"], taint["effect"]) for taint in data["taints"] if taint),
        conditions={known["type"]: known["status"] for known in conditions},
        messages={known["type"]: known["message"] for known in conditions},
    )


@orderly
def read_members(outcome: Outcome) -> list[Member]:
    """The answer of `commands.etcd_members`, from etcd 3.4 on. What is empty or false is left out."""
    return [
        Member(
            id=f"{int(member['ID']):x}",
            name=str(member.get("name", "")),
            peers=tuple(map(str, member.get("peerURLs", ()))),
            clients=tuple(map(str, member.get("clientURLs", ()))),
            learner=bool(member.get("isLearner", False)),
        )
        for member in json.loads(outcome.stdout)["members"]
    ]


@orderly
def read_unhealthy(outcome: Outcome) -> dict[str, str]:
    """The answer of `commands.etcd_health`: endpoint -> what is wrong with it. Empty: all are well."""
    known = {found["endpoint"]: found for found in json.loads(outcome.stdout)}
    if not known:
        raise ValueError("no endpoint")
    return {
        endpoint: str(found.get("error") or "it is unhealthy")
        for endpoint, found in known.items()
        if not found["health"]
    }


@orderly
def read_workload(outcome: Outcome) -> Workload:
    """The answer of `commands.get_workload`."""
    wanted, ready = outcome.text.split()
    return Workload(int(wanted), int(ready))
