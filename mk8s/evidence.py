"""What an edge left as evidence of its work, read back from a journal: in one place, and never trusted. Pure.

`StepsReport.evidence` writes it. A journal keeps what it is given; what is of another type was not said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Work", "work_of"]

MOST = 10**15  # bytes, steps: what is more, no run did


@dataclass(frozen=True, slots=True)
class Work:
    """What the steps of an edge came to."""

    is_said: bool  # of probes and edges without steps nothing is
    changed: int
    uploaded: int  # bytes sent from the operator's machine
    handed_on: int  # bytes that came from other nodes
    seen: tuple[str, ...]  # what waits saw when they were met


def work_of(evidence: Mapping[str, Any]) -> Work:
    """What the evidence says, as far as it says it."""
    seen = evidence.get("seen")
    words = [word for word in seen if isinstance(word, str)] if isinstance(seen, list | tuple) else []
    return Work(
        "changed" in evidence,
        _number(evidence.get("changed")),
        _number(evidence.get("uploaded")),
        _number(evidence.get("handed_on")),
        tuple(words),
    )


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
        return value
    return 0
