"""What many seeds came to: how they ended, how long it took, what made nodes fail, the worst. Pure.

Begin reading at `tally_of`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from mk8s.simulating.trial import ENDINGS, Bad, Ended

__all__ = [
    "QUANTILES",
    "Bin",
    "Cause",
    "Spread",
    "Tally",
    "histogram",
    "spread_of",
    "tally_as_data",
    "tally_of",
]

QUANTILES = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)
BINS = 12
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)  # seconds
WORST = 5


class Bin(NamedTuple):
    """A bar of a histogram: from `low` up to, and without, `high` (seconds)."""

    low: float
    high: float
    runs: int


class Spread(NamedTuple):
    """A time over many seeds: value by quantile, and its histogram."""

    quantiles: Mapping[float, float]
    bins: tuple[Bin, ...]
    runs: int


class Cause(NamedTuple):
    """A way in which nodes failed, and how often."""

    edge: str
    kind: str  # of failure
    outcome: str
    after: str  # the last fault that had struck the node; empty: none had
    nodes: int
    seeds: int
    example: Bad
    seed: int  # of the example


@dataclass(frozen=True, slots=True)
class Tally:
    """The summary of many seeds."""

    seeds: int
    endings: Mapping[str, int]  # in the order of ENDINGS, those that came
    as_expected: int
    nodes: Mapping[str, int]  # outcome -> nodes, over all seeds
    end: Spread | None  # of the runs that ended
    ha: Spread | None  # of the runs whose servers all became healthy
    causes: tuple[Cause, ...]  # the most frequent first
    invariants: Mapping[str, int]  # broken, and how often
    struck: Mapping[str, int]  # faults by kind, over all seeds
    worst: tuple[Ended, ...]  # the worst first; none where all is as expected and equally quick
    cpu: float  # seconds of all processes


def tally_of(results: Sequence[Ended], *, worst: int = WORST) -> Tally:
    """The same for the same results in any order."""
    ordered = sorted(results, key=lambda one: one.seed)
    ended = [one for one in ordered if one.nodes]
    counted = Counter(one.ending for one in ordered)
    struck: Counter[str] = Counter()
    nodes: Counter[str] = Counter()
    for one in ordered:
        struck.update(one.struck)
        nodes.update(bad.outcome for bad in one.bad)
        nodes["healthy"] += one.nodes - len(one.bad)
    return Tally(
        seeds=len(ordered),
        endings={ending: counted[ending] for ending in ENDINGS if counted[ending]},
        as_expected=sum(one.as_expected for one in ordered),
        nodes=dict(nodes.most_common()),
        end=spread_of([one.seconds for one in ended]),
        ha=spread_of([one.ha_at for one in ended if one.ha_at is not None]),
        causes=_causes(ordered),
        invariants=dict(Counter(one.invariant for one in ordered if one.invariant).most_common()),
        struck=dict(struck.most_common()),
        worst=tuple(sorted(ordered, key=lambda one: (one.rank, -one.seed), reverse=True)[:worst]),
        cpu=sum(one.cpu for one in ordered),
    )


def spread_of(seconds: Sequence[float]) -> Spread | None:
    """Quantiles by the nearest rank, and a histogram. None when there is nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    quantiles = {share: ordered[round(share * (len(ordered) - 1))] for share in QUANTILES}
    return Spread(quantiles, histogram(ordered), len(ordered))


def histogram(ordered: Sequence[float], most: int = BINS) -> tuple[Bin, ...]:
    """At most so many bars, all of one width that people can read, over values in order."""
    low, high = ordered[0], ordered[-1]
    step = next((step for step in STEPS if (high - low) / step <= most - 1), (high - low) / (most - 1))
    first = int(low // step)
    counts = Counter(int(value // step) for value in ordered)
    edges = [(first + index) * step for index in range(int(high // step) - first + 2)]
    return tuple(Bin(a, b, counts[first + index]) for index, (a, b) in enumerate(pairwise(edges)))


def _causes(results: Sequence[Ended]) -> tuple[Cause, ...]:
    found: dict[tuple[str, str, str, str], list[tuple[int, Bad]]] = {}
    for one in results:
        for bad in one.bad:
            found.setdefault((bad.edge, bad.kind, bad.outcome, bad.after), []).append((one.seed, bad))
    causes = [
        Cause(*key, len(bads), len({seed for seed, _ in bads}), bads[0][1], bads[0][0])
        for key, bads in found.items()
    ]
    return tuple(sorted(causes, key=lambda cause: (-cause.nodes, cause[:4])))


def tally_as_data(tally: Tally, commands: Mapping[int, str]) -> dict[str, Any]:
    """JSON values. `commands`: what repeats a seed."""
    return {
        "seeds": tally.seeds,
        "as_expected": tally.as_expected,
        "endings": dict(tally.endings),
        "nodes": dict(tally.nodes),
        "seconds": _spread_as_data(tally.end),
        "seconds_to_ha": _spread_as_data(tally.ha),
        "causes": [
            {**cause._asdict(), "example": {"seed": cause.seed, "node": cause.example.node}}
            for cause in tally.causes
        ],
        "invariants": dict(tally.invariants),
        "faults": dict(tally.struck),
        "worst": [ended_as_data(one, commands.get(one.seed, "")) for one in tally.worst],
        "cpu_seconds": round(tally.cpu, 3),
    }


def _spread_as_data(spread: Spread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    quantiles = {f"{share:.0%}": round(value, 3) for share, value in spread.quantiles.items()}
    return {"runs": spread.runs, "quantiles": quantiles, "histogram": [one._asdict() for one in spread.bins]}


def ended_as_data(ended: Ended, command: str = "") -> dict[str, Any]:
    """One seed as JSON values."""
    return {
        "seed": ended.seed,
        "ending": ended.ending,
        "as_expected": ended.as_expected,
        "seconds": ended.seconds,
        "seconds_to_ha": ended.ha_at,
        "nodes": ended.nodes,
        "not_healthy": [
            {
                "node": bad.node,
                "role": bad.role,
                "outcome": bad.outcome,
                "edge": bad.edge,
                "kind": bad.kind,
                "reason": bad.reason,
                "after": bad.after,
            }
            for bad in ended.bad
        ],
        "faults": dict(ended.struck),
        "invariant": ended.invariant,
        "evidence": ended.evidence,
        "unmet": list(ended.unmet),
        "journal_sha256": ended.digest,
        "repeat": command,
    }
