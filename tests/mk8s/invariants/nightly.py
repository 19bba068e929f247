"""The nightly sweep: `python -m tests.mk8s.invariants.nightly --seeds 20000`, on all cores.

Every distro, shapes up to fifty nodes, rates of faults and the shipped scenarios, drawn from the seed. It
prints a line a minute and a summary; exit code 1 when anything was wrong, with every seed that was.
`--seed N` repeats one and says all about it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mk8s.simulating.pool import cores, over_seeds
from tests.mk8s.invariants.sweep import End, drawn, ended

MOST_AGENTS = 45
BEAT = 60.0  # seconds between two lines


def work(seed: int) -> End:
    """What the seed came to."""
    return ended(drawn(seed, most_agents=MOST_AGENTS, scenarios=True))


def lost(seed: int, said: str) -> End:
    """A seed whose process died."""
    return End(drawn(seed, most_agents=MOST_AGENTS, scenarios=True), wrong=f"its process died: {said}")


def prepare() -> Callable[[int], End]:
    """What each process does for a seed."""
    return work


@dataclass
class Summary:
    """What all seeds came to."""

    seeds: int = 0
    nodes: int = 0
    records: int = 0
    blocked: int = 0
    states: Counter[str] = field(default_factory=Counter)
    distros: Counter[str] = field(default_factory=Counter)
    wrong: list[End] = field(default_factory=list)

    def add(self, end: End) -> None:
        self.seeds += 1
        self.nodes += sum(end.states.values())
        self.records += end.records
        self.blocked += end.blocked
        self.states.update(end.states)
        self.distros[end.case.distro] += 1
        if end.wrong:
            self.wrong.append(end)

    def lines(self, seconds: float) -> Iterator[str]:
        yield f"{self.seeds} seeds, {self.nodes} nodes, {self.records} records in {seconds:.0f} s"
        yield "distros: " + ", ".join(f"{name} {count}" for name, count in sorted(self.distros.items()))
        yield f"nodes ended: {', '.join(f'{name} {n}' for name, n in self.states.most_common())}"
        yield f"blocked: {self.blocked}"
        for end in sorted(self.wrong, key=lambda each: each.case.seed):
            yield f"WRONG seed {end.case.seed}: {end.wrong}"
        if self.wrong:
            yield "repeat one with: python -m tests.mk8s.invariants.nightly --seed N"
        yield "nothing was wrong" if not self.wrong else f"{len(self.wrong)} seeds were wrong"


def sweep(seeds: Sequence[int], jobs: int) -> Summary:
    """Run all seeds, and say each minute how far it is."""
    summary, began = Summary(), time.monotonic()
    told = began
    for end in over_seeds(prepare, seeds, jobs=jobs, lost=lost):
        summary.add(end)
        if end.wrong:
            print(f"WRONG {end.case}: {end.wrong}", flush=True)
        if time.monotonic() - told > BEAT:
            told = time.monotonic()
            print(f"{summary.seeds} of {len(seeds)} after {told - began:.0f} s", flush=True)
    print(*summary.lines(time.monotonic() - began), sep="\n", flush=True)
    return summary


def main(words: Sequence[str]) -> int:
    """The exit code: 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20_000, metavar="N")
    parser.add_argument("--from", type=int, default=0, metavar="SEED", dest="first")
    parser.add_argument("--seed", type=int, metavar="N", help="this one alone")
    parser.add_argument("--jobs", type=int, default=cores(), metavar="N")
    args = parser.parse_args(words)
    if args.seeds < 1:
        parser.error("a night without seeds proves nothing")
    if args.seed is not None:
        end = work(args.seed)
        print(
            end.case, dict(end.states), f"{end.records} records", end.wrong or "nothing was wrong", sep="\n"
        )
        return bool(end.wrong)
    return bool(sweep(range(args.first, args.first + args.seeds), args.jobs).wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
