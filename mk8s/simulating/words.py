"""What simulated runs came to, in words for people: one seed's faults, and the summary of many. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from machines.words import printable
from mk8s.amounts import counted, duration
from mk8s.rehearsal import Rehearsal
from mk8s.simulating.casting import Cast
from mk8s.simulating.happenings import Happening
from mk8s.simulating.tally import Cause, Spread, Tally
from mk8s.simulating.trial import Ended

__all__ = ["ending_in_words", "faults_in_words", "missed_in_words", "tally_as_text"]

BAR = 40  # characters of the longest bar
CAUSES = 10
LONGEST_LIST = 30  # faults that are told one by one
ENDINGS_IN_WORDS: Mapping[str, str] = {
    "healthy": "all healthy",
    "blocked": "nodes blocked",
    "rolled-back": "nodes rolled back",
    "failed": "nodes failed",
    "quarantined": "nodes quarantined",
    "broken": "an invariant broken",
    "crashed": "the simulation crashed",
}
QUANTILES_IN_WORDS: Mapping[float, str] = {
    0.0: "quickest",
    0.1: "10 %",
    0.5: "half",
    0.9: "90 %",
    0.99: "99 %",
    1.0: "slowest",
}


def faults_in_words(run: Rehearsal) -> str:
    """Every fault that struck and all that happened, in order of time; empty when there was nothing."""
    told = [
        (one.at, f"{one.node}: {one.kind} at {one.operation}, the {_nth(one.attempt)} time")
        for one in run.struck
    ]
    told += [(one.at, happening_in_words(one.happening)) for one in run.happened]
    lines = [f"  {duration(at):>8}  {words}" for at, words in sorted(told)]
    more = [f"  ... and {len(lines) - LONGEST_LIST} more"] if len(lines) > LONGEST_LIST else []
    return "\n".join(["faults that struck, by their moment:", *lines[:LONGEST_LIST], *more]) if lines else ""


def missed_in_words(made: Cast, run: Rehearsal) -> list[str]:
    """What a scenario asks for and met nobody: an operation never asked for, a moment that never came."""
    met = [(struck.kind, struck.operation) for struck in run.struck]
    asked = dict.fromkeys((strike.kind, strike.operation, strike.attempt) for strike in made.strikes)
    missed = [
        f"{kind} at {operation}" + (f", attempt {attempt}" if attempt else "")
        for kind, operation, attempt in asked
        if not any(kind == was and fnmatchcase(name, operation) for was, name in met)
    ]
    came = {one.happening.what for one in run.happened}
    return missed + list(dict.fromkeys(one.what for one in made.happenings if one.what not in came))


def happening_in_words(one: Happening) -> str:
    whom = f"{one.node}: " if one.node else "operator: "
    for_ = f" for {duration(one.lasts)}" if one.lasts is not None else ""
    rate = f" to {one.rate / 1e6:g} MB/s" if one.rate else ""
    port = f" {one.port}" if one.port else ""
    return f"{whom}{one.what}{port}{rate}{for_}"


def _nth(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, "th")
    return f"{number}{ending}"


def tally_as_text(tally: Tally, commands: Mapping[int, str]) -> str:
    """The summary of many seeds. `commands`: what repeats a seed."""
    parts = [
        _endings(tally),
        _times("until the end", tally.end),
        _times("until all servers are healthy", tally.ha),
    ]
    parts += [_causes(tally), _invariants(tally), _worst(tally.worst, commands)]
    return printable("\n\n".join("\n".join(lines) for lines in map(list, parts) if lines))


def _endings(tally: Tally) -> Iterator[str]:
    yield f"{tally.seeds} runs, {tally.as_expected} as expected"
    for ending, count in tally.endings.items():
        yield f"  {count:>6}  {count / tally.seeds:>6.1%}  {ENDINGS_IN_WORDS[ending]}"
    if len(tally.nodes) > 1:
        yield "nodes of all runs: " + ", ".join(f"{count} {name}" for name, count in tally.nodes.items())
    if tally.struck:
        yield "faults that struck: " + ", ".join(f"{count} {kind}" for kind, count in tally.struck.items())


def _times(title: str, spread: Spread | None) -> Iterator[str]:
    if spread is None:
        return
    words = [f"{QUANTILES_IN_WORDS[share]} {duration(value)}" for share, value in spread.quantiles.items()]
    yield f"{title}: {', '.join(words)}"
    longest = max(one.runs for one in spread.bins)
    width = max(len(duration(one.high)) for one in spread.bins)
    for one in spread.bins:
        bar = "#" * (max(1, round(BAR * one.runs / longest)) if one.runs else 0)
        yield f"  {duration(one.low):>{width}} - {duration(one.high):<{width}}  {one.runs:>6}  {bar}".rstrip()


def _causes(tally: Tally) -> Iterator[str]:
    failed = [cause for cause in tally.causes if cause.edge]
    if not failed:
        return
    yield "what made nodes fail (edge, failure; the last fault before it):"
    for cause in failed[:CAUSES]:
        nodes = counted(cause.nodes, "node")
        runs = counted(cause.seeds, "run")
        yield f"  {nodes} in {runs}: {_cause(cause)}"
    if len(failed) > CAUSES:
        yield f"  ... and {len(failed) - CAUSES} more ways"


def _cause(cause: Cause) -> str:
    after = f"after {cause.after}" if cause.after else "no fault had struck it"
    example = f"e.g. {cause.example.node}, seed {cause.seed}"
    return f"{cause.edge}, {cause.kind} -> {cause.outcome}; {after}; {example}"


def _invariants(tally: Tally) -> Iterator[str]:
    for invariant, count in tally.invariants.items():
        yield f"{invariant}: in {count} runs; the seeds below show the evidence"


def _worst(worst: Sequence[Ended], commands: Mapping[int, str]) -> Iterator[str]:
    if not worst:
        return
    yield "the worst seeds:"
    for ended in worst:
        yield f"  seed {ended.seed}: {ending_in_words(ended)}"
        yield f"    {commands[ended.seed]}"


def ending_in_words(ended: Ended) -> str:
    """One seed's end on one line."""
    if ended.ending in ("broken", "crashed") and not ended.nodes:
        last = ended.evidence.strip().splitlines()[-1] if ended.evidence else ""
        return f"{ENDINGS_IN_WORDS[ended.ending]}: {last}"
    words = f"{ended.nodes - len(ended.bad)} of {ended.nodes} nodes healthy in {duration(ended.seconds)}"
    if ended.bad:
        first = ended.bad[0]
        where = f" at {first.edge} ({first.kind})" if first.edge else ""
        words += f"; {first.node} {first.outcome}{where}"
    if ended.unmet:
        words += f"; {ended.unmet[0]}"
    return words
