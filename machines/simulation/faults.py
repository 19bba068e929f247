"""What goes wrong in a simulation, decided in advance. Pure.

Faults are keyed, not streamed: whether one strikes depends on the seed, the node, the operation and
the attempt, never on the order in which nodes come to ask. So one node's bad day can be replayed
alone, and a change elsewhere does not move it.

What a fault does is for the simulated world to say (`world` for machines, a simulated transport for
commands); here is only which, where and when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal, TypeAlias, get_args

__all__ = ["FAULT_KINDS", "FaultKind", "FaultPlan", "PlannedFault", "ScriptedFault"]

FaultKind: TypeAlias = Literal[
    "drop",  # the connection is lost before the effect
    "apply-then-drop",  # the effect happens, and the answer is lost
    "hang",  # no answer, ever
    "slow",  # twenty times as slow
    "exit",  # a plain refusal: a non-zero exit status
    "reboot",  # the connection is lost, and the node is away for a while
    "disk-full",  # no space left
    "truncated",  # the answer breaks off half-way
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
ANY = "*"
SHARES = float(1 << 64)
ROUNDING = 1e-9  # far more than sums of a few chances can be wrong by


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault that strikes. `fraction` (0 to 1) says how far into the operation."""

    kind: FaultKind
    fraction: float


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """A fault that is asked for by name. ``*`` stands for any node or operation, None for any attempt."""

    node: str
    operation: str
    kind: FaultKind
    attempt: int | None = 1
    fraction: float = 0.5

    def strikes(self, node: str, operation: str, attempt: int) -> bool:
        """Whether this is the moment."""
        return (
            self.node in (ANY, node)
            and self.operation in (ANY, operation)
            and self.attempt in (None, attempt)
        )


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Every fault of a simulation. Raises ValueError for rates that make no sense.

    `rates` gives the chance of each kind per attempt. `until_attempt` and `until` (virtual seconds)
    end all faults, so that what follows shows whether everyone recovers.
    """

    seed: int = 0
    rates: Mapping[FaultKind, float] = field(default_factory=dict)
    scripted: tuple[ScriptedFault, ...] = ()
    until_attempt: int | None = None
    until: float = inf
    _most: float = field(init=False, repr=False, compare=False)  # above it, no share means a fault

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.rates if kind not in FAULT_KINDS]
        if unknown:
            raise ValueError(f"unknown kinds of fault {unknown}; there are {', '.join(FAULT_KINDS)}")
        if min(self.rates.values(), default=0) < 0 or sum(self.rates.values()) > 1:
            raise ValueError("fault rates are chances: none below 0, and together at most 1")
        object.__setattr__(self, "_most", sum(self.rates.values()) + ROUNDING)

    def decide(self, node: str, operation: str, attempt: int, at: float = 0.0) -> PlannedFault | None:
        """The fault that strikes this attempt (from 1) at this second; None when all goes well."""
        if at >= self.until or (self.until_attempt is not None and attempt > self.until_attempt):
            return None
        for fault in self.scripted:
            if fault.strikes(node, operation, attempt):
                return PlannedFault(fault.kind, fault.fraction)
        if not self.rates:
            return None
        return self._drawn(f"{self.seed}/{node}/{operation}/{attempt}")

    def _drawn(self, key: str) -> PlannedFault | None:
        """Two shares out of one hash of the key: a generator of its own would cost twenty times as much."""
        digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
        chance = int.from_bytes(digest[:8]) / SHARES
        if chance > self._most:  # nearly always
            return None
        for kind in FAULT_KINDS:
            chance -= self.rates.get(kind, 0.0)
            if chance < 0:
                return PlannedFault(kind, int.from_bytes(digest[8:]) / SHARES)
        return None
