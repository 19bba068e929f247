"""Records by hand, for one law: what it takes, and what it refuses."""

from __future__ import annotations

from typing import Any

from machines.records import Header, Kind, Record
from machines.simulation.invariants import Invariant, Rules
from machines.spec import MachineSpec
from tests.machines.groups import GUARDS, SPEC, people

__all__ = ["HEADER", "Script", "rules"]

HEADER = Header(
    schema=1,
    machine="group",
    version=1,
    machine_digest="",
    members=(("lead", "lead"), ("f0", "follower"), ("f1", "follower")),
)


class Script:
    """Feeds a checker records, numbered by itself."""

    def __init__(self, law: Invariant) -> None:
        self._law = law
        self._seq = 0
        self("header", header=HEADER)

    def __call__(self, kind: Kind, node: str = "", **fields: Any) -> None:
        self._seq += 1
        self._law.see(Record(**{"seq": self._seq, "at": 0.0, "kind": kind, "node": node, **fields}))


def rules(spec: MachineSpec = SPEC, **options: Any) -> Rules:
    """What a run of the group was told."""
    return Rules(spec=spec, members=people(2), guards=GUARDS, **options)
