"""How many bytes a second hosts work on (hash, unpack, import), out of an earlier run's commands.

A transcript says what a command took, not how much of it was the size of what it worked on. So the run's own
manifest is rehearsed twice, without and with time for bytes: the difference says how many bytes each command
works on. The seconds of the same commands in the run then say the rate:

- where the sizes of one operation differ, by how many seconds larger ones took longer;
- where all are of one size, and most of the command's time is theirs by the model: the rate and the rest are
  taken to differ from the model alike.

A rate is never less than what an operation's commands show by themselves. Sizes are known of files that the
run sent: a node that had them already says nothing, nor do commands that were tried again.

Begin reading at `learnt_rates`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt
from statistics import fmean

from mk8s.forecast.measuring import FILES
from mk8s.paces import RATES
from mk8s.transcript import CommandDone, Transcript
from transports.simulated import Span

__all__ = ["Rate", "Work", "learnt_rates", "rate_of"]

TEST_RATE = 100e6  # bytes per second: any that makes a difference
LEAST = 1e6  # bytes: models take no time for less
LARGE = 8 << 20  # bytes of one size; less takes too little to be told from the rest
MOSTLY = 0.5  # of a command's time by the model that its bytes take
CLEAR = 3.0  # times its own error that a slope must be
FEWEST = 4  # commands of an operation with several sizes

Key = tuple[str, str, str, int]  # node, operation, description, and the how manieth of them there
Rehearsed = Callable[[Mapping[str, Span]], Transcript]


@dataclass(frozen=True, slots=True)
class Rate:
    """What a run says of one rate."""

    bytes_per_second: float
    samples: int  # commands


@dataclass(frozen=True, slots=True)
class Work:
    """A command of the run, and the bytes that it works on."""

    operation: str
    size: float
    seconds: float  # less what its bytes took at other rates
    whole: float  # seconds


def learnt_rates(
    run: Transcript, rehearsed: Rehearsed, declared: Mapping[str, Span], latency: float
) -> dict[str, Rate]:
    """By name; what the run does not show is not there.

    `rehearsed`: the transcript of the run's manifest under such durations. `declared`: those of its models.
    """
    names = [name for name in RATES if name in declared]
    steady = {name: Span(span.low, span.low, inf) for name, span in declared.items()}  # chance plays no part
    without = rehearsed(steady)
    nodes = _whole_nodes(run, without)
    real, bare = _by_key(run, nodes), _by_key(without, nodes)
    sizes = {
        name: _sizes(bare, _by_key(rehearsed({**steady, name: Span(0.0, 0.0, TEST_RATE)}), nodes))
        for name in (names if nodes else ())
    }
    known = {name: declared[name].rate for name in sizes}
    found: dict[str, Rate] = {}
    for name in sorted(sizes, key=lambda name: -len(_alone(name, sizes))):
        others = [other for other in sizes if other != name]
        done = [
            Work(
                key[1],
                sizes[name].get(key, 0.0),
                max(0.0, command.seconds - latency - sum(sizes[o].get(key, 0.0) / known[o] for o in others)),
                command.seconds,
            )
            for key, command in real.items()
            if key in bare and not any(key in sizes[other] and other not in found for other in others)
        ]
        rate = rate_of(done, declared, declared[name].rate)
        if rate is not None:
            found[name] = rate
            known[name] = rate.bytes_per_second
    return found


def _alone(name: str, sizes: Mapping[str, Mapping[Key, float]]) -> list[Key]:
    """Commands that work on bytes at this rate only: they tell it best, so it is learnt first."""
    return [key for key in sizes[name] if not any(key in of for other, of in sizes.items() if other != name)]


def _whole_nodes(run: Transcript, rehearsed: Transcript) -> frozenset[str]:
    """Nodes that the run sent all files to, in one go each, and in the sizes that are rehearsed."""
    sent, wanted = _sent(run), _sent(rehearsed)
    return frozenset(node for node in wanted if wanted[node] and sent.get(node) == wanted[node])


def _sent(transcript: Transcript) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for step in transcript.steps:
        if step.kind == "upload":
            found.setdefault(step.node, []).append((step.title, step.size))
    return {node: sorted(uploads) for node, uploads in found.items()}


def _by_key(transcript: Transcript, nodes: frozenset[str]) -> dict[Key, CommandDone]:
    """Commands that were answered; of a kind that any failed of on a node, none."""
    count: Counter[tuple[str, str, str]] = Counter()
    found: dict[Key, CommandDone] = {}
    failed: set[tuple[str, str, str]] = set()
    for command in transcript.commands:
        if command.node in nodes and command.operation not in FILES:
            kind = command.node, command.operation, command.description
            count[kind] += 1
            found[*kind, count[kind]] = command
            if not isinstance(command.status, int):
                failed.add(kind)
    return {key: command for key, command in found.items() if key[:3] not in failed}


def _sizes(without: Mapping[Key, CommandDone], with_bytes: Mapping[Key, CommandDone]) -> dict[Key, float]:
    """Bytes that each command works on."""
    sizes = {
        key: (with_bytes[key].seconds - command.seconds) * TEST_RATE
        for key, command in without.items()
        if key in with_bytes
    }
    return {key: size for key, size in sizes.items() if size > LEAST}


def rate_of(done: Sequence[Work], declared: Mapping[str, Span], model: float) -> Rate | None:
    """By the slope within operations, or by operations of one size; at least what any command shows.

    `declared`: what operations take beside their bytes by the models; `model`: the rate by them. None: the
    run does not show it.
    """
    busy = {work.operation for work in done if work.size}
    groups = [[work for work in done if work.operation == operation] for operation in sorted(busy)]
    found = _by_slope(groups) or _by_size(groups, declared, model)
    least = max(map(_least, groups), key=lambda rate: rate.bytes_per_second, default=None)
    if least is None:
        return None
    if found is None:
        return least if least.bytes_per_second > model else None
    return replace(found, bytes_per_second=max(found.bytes_per_second, least.bytes_per_second))


def _least(group: Sequence[Work]) -> Rate:
    """As if an operation took no time but for its bytes."""
    works = [work for work in group if work.size]
    seconds = sum(work.whole for work in works)
    return Rate(sum(work.size for work in works) / seconds if seconds else 0.0, len(works))


def _by_slope(groups: Sequence[Sequence[Work]]) -> Rate | None:
    """Least squares, each operation with seconds of its own beside its bytes."""
    apart: list[tuple[float, float]] = []
    means = 0
    for group in groups:
        if len(group) >= FEWEST and len({round(work.size) for work in group}) > 1:
            size, seconds = fmean(w.size for w in group), fmean(w.seconds for w in group)
            apart += [(w.size - size, w.seconds - seconds) for w in group]
            means += 1
    free = len(apart) - means - 1
    squares = sum(x * x for x, _ in apart)
    if free < 1 or not squares:
        return None
    slope = sum(x * y for x, y in apart) / squares
    error = sqrt(sum((y - slope * x) ** 2 for x, y in apart) / free / squares)
    return Rate(1 / slope, len(apart)) if slope > 0 and slope >= CLEAR * error else None


def _by_size(groups: Sequence[Sequence[Work]], declared: Mapping[str, Span], model: float) -> Rate | None:
    took, should, samples = 0.0, 0.0, 0
    for group in groups:
        if len({round(work.size) for work in group if work.size}) > 1:
            continue  # its slope would tell, and does not
        span = declared.get(group[0].operation)
        for work in group:
            beside = (span.low + span.high) / 2 if span else 0.0
            by_model = work.size / model
            if work.size >= LARGE and by_model >= MOSTLY * (by_model + beside):
                took, should, samples = took + work.seconds, should + by_model + beside, samples + 1
    return Rate(model * should / took, samples) if took > 0 else None
