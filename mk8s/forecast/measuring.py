"""What the commands of a run say of durations and links. Pure; beside models, so it says nothing of services.

Laws: what failed, was cancelled or hung counts for nothing; one slow command among many moves nothing; a
link that the manifest itself limited is not taken for slow.

Begin reading at `measured`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median

from mk8s.forecast.profile import Layer
from mk8s.transcript import CommandDone
from transports.simulated import Span

__all__ = ["FILES", "alone", "by_operation", "company", "latency_of", "measured", "span_of"]

FILES = frozenset({"file.put", "file.append", "file.get"})
"""What links carry: their time is the links'."""

SHELL = 0.004  # seconds: what the quickest shell takes to start and end; what is over that is the road
SENDING = frozenset({"file.put", "file.append"})
LARGE = 1 << 20  # bytes; less says nothing of a link
SMALL = 1 << 16  # bytes; no more than what a transfer takes in any case
STRAY = 5.0  # times the median: a command that took longer met something else
SLACK = 0.25  # seconds; short commands may be late by that and still count
LOWEST, HIGHEST = 0.1, 0.9  # of the times of one operation, those between are usual
THROTTLED = 0.7  # of the manifest's own limit: what comes near it was held back by it
HALF = 0.5  # another command on average: less is no company
ENOUGH = 20  # commands that met others, before anything is said of this machine's own work


def measured(commands: Sequence[CommandDone], source: str, bandwidth: int | None = None) -> Layer:
    """Operations and links by what these commands took. `bandwidth`: the manifest's limit then, bytes/s."""
    latency = latency_of(commands)
    times = by_operation(commands)
    operator = _operator(times)
    durations = {
        operation: span_of([max(0.0, command.seconds - latency) for command in found])
        for operation, found in times.items()
        if operation not in FILES
    }
    uplink, link = _rates(commands, bandwidth)
    return Layer(source, durations, uplink, link, latency, operator)


def by_operation(commands: Sequence[CommandDone]) -> dict[str, list[CommandDone]]:
    """Those that were answered, whatever the answer was, without strays."""
    found: dict[str, list[CommandDone]] = {}
    for command in commands:
        if isinstance(command.status, int):
            found.setdefault(command.operation, []).append(command)
    return {operation: _without_strays(done) for operation, done in found.items()}


def _without_strays(done: list[CommandDone]) -> list[CommandDone]:
    usual = median(command.seconds for command in done)
    return [command for command in done if command.seconds <= STRAY * usual + SLACK]


def span_of(times: Sequence[float]) -> Span:
    """Around their mean, as wide as most of them lie. Raises ValueError for none."""
    ordered = sorted(times)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (LOWEST, HIGHEST))
    mean = fmean(ordered)
    half = min((high - low) / 2, mean)
    return Span(mean - half, mean + half)


def latency_of(commands: Sequence[CommandDone]) -> float:
    """One round trip in seconds: what the quickest command took beyond a shell."""
    done = [command.seconds for command in commands if isinstance(command.status, int)]
    return max(0.0, min(done, default=0.0) - SHELL)


def _operator(times: Mapping[str, Sequence[CommandDone]]) -> float | None:
    """Seconds of this machine's own work for a command: how much longer one takes for each beside it.

    The slope of seconds over how many were under way, within each operation. None: it cannot be told.
    """
    everything = [command for found in times.values() for command in found]
    beside = dict(zip(map(id, everything), company(everything), strict=True))
    products, squares, met = 0.0, 0.0, 0
    for name, found in times.items():
        if name in FILES:
            continue
        others = [beside[id(command)] for command in found]
        mean_others, mean_seconds = fmean(others), fmean(command.seconds for command in found)
        met += sum(count > HALF for count in others)
        squares += sum((count - mean_others) ** 2 for count in others)
        products += sum(
            (count - mean_others) * (command.seconds - mean_seconds)
            for count, command in zip(others, found, strict=True)
        )
    return max(0.0, products / squares) if squares and met >= ENOUGH else None


def company(commands: Sequence[CommandDone]) -> list[float]:
    """How many others were under way beside each, on average over its time; in the same order."""
    moments = sorted([(c.at, 1) for c in commands] + [(c.ended, -1) for c in commands])
    times, areas, area, count, last = [], [], 0.0, 0, 0.0
    for at, change in moments:  # the area below the line of how many are under way
        area += count * (at - last)
        times.append(at)
        areas.append(area)
        count, last = count + change, at

    def until(at: float) -> float:
        return areas[bisect_left(times, at)]

    return [
        max(0.0, (until(c.ended) - until(c.at)) / c.seconds - 1) if c.seconds > 0 else 0.0 for c in commands
    ]


def alone(commands: Sequence[CommandDone], operator: float) -> dict[str, float]:
    """The mean seconds of each operation, less what this machine's own work on others took of them."""
    usual = [command for found in by_operation(commands).values() for command in found]
    times: dict[str, list[float]] = {}
    for command, beside in zip(usual, company(usual), strict=True):
        times.setdefault(command.operation, []).append(command.seconds - operator * beside)
    return {operation: fmean(found) for operation, found in times.items()}


def _rates(commands: Sequence[CommandDone], bandwidth: int | None) -> tuple[float | None, float | None]:
    """Of this machine's link, all transfers together, and of one node's, the best one. None: not seen."""
    done = [c for c in commands if c.operation in SENDING and c.seconds > 0 and c.status == 0]
    sent = [command for command in done if command.size >= LARGE]
    if not sent:
        return None, None
    beside = median([c.seconds for c in done if c.size < SMALL] or [0.0])  # what a transfer takes for nothing
    rates = [c.size / max(c.seconds - beside, c.seconds / 2) for c in sent]
    busy = sum(end - begin for begin, end in _united([(c.at, c.ended) for c in sent]))
    uplink = max(median(rates), sum(command.size for command in sent) / busy)
    throttled = bandwidth is not None and uplink > THROTTLED * bandwidth
    return (None, None) if throttled else (uplink, max(uplink, *rates))


def _united(stretches: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Stretches that overlap as one, in order."""
    ordered = sorted(stretches)
    begin, end = ordered[0]
    for other, its_end in ordered[1:]:
        if other > end:
            yield begin, end
            begin, end = other, its_end
        end = max(end, its_end)
    yield begin, end
