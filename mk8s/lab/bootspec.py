"""What a child needs to know to become a host, as one word of its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["GO", "BootSpec", "CgroupMount"]

GO = b"g"  # what the parent writes to the child's stdin when the network is there


@dataclass(frozen=True, slots=True)
class CgroupMount:
    """One hierarchy: the group to join outside, and where the host mounts it under /sys/fs/cgroup."""

    group: str
    inside: str
    version: int
    options: str


@dataclass(frozen=True, slots=True)
class BootSpec:
    """All that a boot needs. `modules` is the machine's module folder, if it has one."""

    name: str
    disk: str
    tree: str
    cgroups: tuple[CgroupMount, ...]
    modules: str | None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> BootSpec:
        fields = json.loads(text)
        fields["cgroups"] = tuple(CgroupMount(**group) for group in fields["cgroups"])
        return cls(**fields)
