"""Which operation meets which fault, by a scenario's rows or by rates; and a book of those that struck.

Keyed like `machines.simulation.faults`: by seed, node, operation and attempt, never by the order of
questions. Faults by rates are drawn as `FaultPlan` draws them: a rate on the command line and the same rate
in a scenario strike alike.

Begin reading at `Strikes.decide`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import trio

from machines.simulation import FaultKind, FaultPlan, PlannedFault
from transports.simulated import FaultLike, FaultSource

__all__ = ["Rates", "Recorded", "Strike", "Strikes", "Struck"]


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that is asked for. `operation` may be a glob; an `attempt` of None is every one."""

    node: str
    operation: str
    kind: FaultKind
    attempt: int | None = 1
    fraction: float = 0.5


@dataclass(frozen=True, slots=True)
class Rates:
    """Faults by chance on some nodes (None: all) and operations."""

    rates: Mapping[FaultKind, float]
    nodes: frozenset[str] | None = None
    operation: str = "*"

    @property
    def is_everywhere(self) -> bool:
        return self.nodes is None and self.operation == "*"

    def meets(self, node: str, operation: str) -> bool:
        return (self.nodes is None or node in self.nodes) and fnmatchcase(operation, self.operation)


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that struck, and when."""

    node: str
    operation: str
    attempt: int
    kind: FaultKind
    fraction: float
    at: float  # seconds after this run began

    def again(self) -> Strike:
        """The same, asked for by name."""
        return Strike(self.node, self.operation, self.kind, self.attempt, self.fraction)


class Strikes:
    """A fault source of rows and rates. The first row that meets the moment wins, then the first rates."""

    def __init__(self, seed: int, rows: Sequence[Strike] = (), rates: Sequence[Rates] = ()) -> None:
        self._exact = {(row.node, row.operation, row.attempt): row for row in reversed(rows)}
        self._loose = [row for row in rows if row.attempt is None or _is_glob(row.operation)]
        self._rates = [(one, FaultPlan(seed, one.rates)) for one in rates]

    def decide(self, node: str, operation: str, attempt: int) -> FaultLike | None:
        """See `transports.simulated.FaultSource`."""
        row = self._exact.get((node, operation, attempt)) or self._by_glob(node, operation, attempt)
        if row is not None:
            return PlannedFault(row.kind, row.fraction)
        for one, plan in self._rates:
            if one.meets(node, operation):
                return plan.decide(node, operation, attempt)
        return None

    def _by_glob(self, node: str, operation: str, attempt: int) -> Strike | None:
        for row in self._loose:
            is_it = row.node == node and row.attempt in (None, attempt)
            if is_it and fnmatchcase(operation, row.operation):
                return row
        return None


@dataclass(slots=True)
class Recorded:
    """Another source, and what it decided."""

    source: FaultSource
    struck: list[Struck] = field(default_factory=list)
    _began: float = 0.0

    def begin(self) -> None:
        """The run's clock begins now."""
        self._began = trio.current_time()

    def decide(self, node: str, operation: str, attempt: int) -> FaultLike | None:
        """See `transports.simulated.FaultSource`."""
        fault = self.source.decide(node, operation, attempt)
        if fault is not None:
            kind: FaultKind = fault.kind  # type: ignore[assignment]  # the transport refuses any other
            at = round(trio.current_time() - self._began, 6)
            self.struck.append(Struck(node, operation, attempt, kind, fault.fraction, at))
        return fault


def _is_glob(operation: str) -> bool:
    return any(sign in operation for sign in "*?[")
