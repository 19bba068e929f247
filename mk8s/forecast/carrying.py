"""How many bytes a second nodes hand on to each other, out of an earlier run's fetches.

A fetch says how many pieces it brought, and its step how many bytes came to the node in all; what this
machine sent of them is known. Pieces are of one size but for a file's last one, which comes last. So the size
of each fetch is known, and the rate follows as for any other work on bytes (`rates`).

A step whose bytes do not add up so says nothing, nor does one with a fetch that failed: what that one brought
is not known.

Pure. Begin reading at `carrying_rate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mk8s.delivery import PIECE
from mk8s.fanout.model import CARRYING, LOGIN
from mk8s.forecast.rates import Rate, Work, rate_of
from mk8s.transcript import CommandDone, StepDone, Transcript
from transports.simulated import Span

__all__ = ["carrying_rate", "fetches_in"]

PULL = "fanout.pull"
FETCHED = re.compile(r"fetch (\d{1,6}) pieces of ")  # see `mk8s.fanout.commands.pull`


def carrying_rate(run: Transcript, declared: Mapping[str, Span], latency: float) -> dict[str, Rate]:
    """By its name; empty where the run does not show it. `declared`: the models' durations."""
    works = [
        Work(PULL, size, max(0.0, fetch.seconds - latency), fetch.seconds) for fetch, size in fetches_in(run)
    ]
    if not works or not {CARRYING, LOGIN, PULL} <= declared.keys():
        return {}
    login, pull = declared[LOGIN], declared[PULL]
    beside = {PULL: Span(login.low + pull.low, login.high + pull.high)}  # each fetch has both
    rate = rate_of(works, beside, declared[CARRYING].rate)
    return {} if rate is None else {CARRYING: rate}


def fetches_in(run: Transcript) -> Iterator[tuple[CommandDone, int]]:
    """Each fetch whose bytes are known, with them."""
    fetched: dict[str, list[CommandDone]] = {}
    sent: dict[str, list[CommandDone]] = {}
    for command in run.commands:
        if command.operation == PULL:
            fetched.setdefault(command.node, []).append(command)
        elif command.operation == "file.append":
            sent.setdefault(command.node, []).append(command)
    for step in run.steps:
        if step.kind == "upload" and step.status == 0 and step.node in fetched:
            here = _within(step, fetched[step.node])
            size = step.size - sum(one.size for one in _within(step, sent.get(step.node, [])))
            yield from zip(here, _sizes(here, size), strict=False)


def _within(step: StepDone, commands: Sequence[CommandDone]) -> list[CommandDone]:
    """Those of a step, in the order of time: a node has one step at a time."""
    found = [one for one in commands if step.at <= one.at and one.at < step.ended]
    return sorted(found, key=lambda one: one.at)


def _sizes(fetches: Sequence[CommandDone], size: int) -> list[int]:
    """Of so many bytes together; empty where that cannot be."""
    pieces = [int(said[1]) if (said := FETCHED.match(one.description)) else 0 for one in fetches]
    if not fetches or not all(pieces) or any(one.status != 0 for one in fetches):
        return []
    *first, last = [count * PIECE for count in pieces]
    rest = size - sum(first)
    return [*first, rest] if last - PIECE < rest <= last else []
