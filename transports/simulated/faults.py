"""What may go wrong between mk8s and a modelled node.

A plan of faults comes from outside (a seed, a scenario, a test); here stands only what the transport
needs to know of one: its kind, and how far into the operation it strikes.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["FAULT_KINDS", "FaultLike", "FaultSource"]

FAULT_KINDS = {
    "drop": "the connection is lost before the effect",
    "apply-then-drop": "the effect happens, then its answer is lost",
    "hang": "no answer ever comes; the command's timeout ends it",
    "slow": "everything takes twenty times as long",
    "exit": "the command exits 1 and changes nothing",
    "reboot": "the host reboots: before the effect if the fraction is below one half, else after it",
    "disk-full": "no space is left on the node",
    "truncated": "what is carried arrives cut",
}


class FaultLike(Protocol):
    """One fault."""

    @property
    def kind(self) -> str:
        """A key of FAULT_KINDS."""
        ...

    @property
    def fraction(self) -> float:
        """Where in the operation it strikes: 0 is its beginning, 1 its end."""
        ...


class FaultSource(Protocol):
    """Decides what goes wrong. The same question must always get the same answer."""

    def decide(self, node: str, operation: str, attempt: int) -> FaultLike | None:
        """The fault that meets this operation on this node; `attempt` counts from 1 for each pair."""
        ...
