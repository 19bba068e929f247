"""How long to wait before an attempt is repeated. Pure.

Jitter is keyed, not drawn from a stream: the same node, edge and attempt of the same seed wait the
same time, in whatever order the nodes come to ask.
"""

from __future__ import annotations

import random

from machines.spec import Retry

__all__ = ["jitter_key", "wait_before_retry"]

LARGEST_EXPONENT = 64  # 2**64 s is beyond any deadline; more would only overflow a float


def jitter_key(seed: int, node: str, edge: str, attempt: int) -> str:
    """What the jitter of one wait depends on, and nothing else."""
    return f"{seed}/{node}/{edge}/{attempt}"


def wait_before_retry(clause: Retry, tries: int, key: str) -> float:
    """Seconds to wait after the `tries`-th failure (from 1) that this clause was charged with.

    ``delay * backoff ** (tries - 1)``, at most `max_delay`. Jitter ``full`` draws from 0 to that,
    ``equal`` from half of it up to all of it.
    """
    growth = clause.backoff ** min(max(tries, 1) - 1, LARGEST_EXPONENT)
    ceiling = min(clause.delay * growth, clause.max_delay)
    if clause.jitter == "none":
        return round(ceiling, 6)
    share = random.Random(key).random()  # noqa: S311 - spreads load, keeps no secret
    if clause.jitter == "equal":
        share = 0.5 + share / 2
    return round(ceiling * share, 6)
