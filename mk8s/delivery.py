"""How a large file gets onto a node: the contract between a list of steps and whoever carries.

Sent by the operator's machine, or handed on by nodes that have it already: `Work` does not care. Both
leave the same thing behind: a *part* beside the target, named by the content's hash, that grows by
verified pieces, and at the end the target, verified whole and moved there in one step.

This module knows no transport that is open, no SSH and no cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Protocol, TypeAlias

from mk8s.steps import Upload

__all__ = ["PIECE", "Delivered", "Delivery", "OnBytes", "part_of"]

KNOWN = 1 << 10  # paths that are kept
PIECE = 8 << 20  # bytes; what a fault costs at the most, and what nodes hand on
OnBytes: TypeAlias = Callable[[int, int], None]
"""Called with the bytes of the file that are on the node, and those that it has in all."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one file cost. The sum is less than its size where a part was there already."""

    sent: int = 0  # bytes from this machine
    handed_on: int = 0  # bytes from other nodes


class Delivery(Protocol):
    """Brings files to nodes. One serves a whole run, many nodes at a time."""

    async def deliver(
        self, node: str, step: Upload, on_bytes: OnBytes, note: Callable[[str], None]
    ) -> Delivered:
        """Make `step.target` hold the file, root's own, in its mode. May begin from a verified part.

        Raises ActionError, as `Executor.run_steps` says.
        """
        ...


def part_of(step: Upload) -> PurePosixPath:
    """Where a file grows before it is whole: the same path for each attempt, beside the target."""
    return _part_beside(step.target, step.source.sha256)


@lru_cache(KNOWN)
def _part_beside(target: PurePosixPath, sha256: str) -> PurePosixPath:
    """Asked several times for each node, and for nearly all of them alike."""
    return target.with_name(f".{sha256}.part")
