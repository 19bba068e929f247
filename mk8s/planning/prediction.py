"""The forecast in words: how long, until when, what it consists of, and what it rests on. Pure.

Begin reading at `forecast_as_text`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mk8s.amounts import bytes_in_words, length
from mk8s.forecast.basis import basis_as_text
from mk8s.forecast.bounds import GAVE_BACK
from mk8s.forecast.predicting import Forecast, Moved, PathLeg, Range
from mk8s.planning.values import NodePlan, Plan
from mk8s.transcript import StepDone

__all__ = [
    "forecast_as_text",
    "leg_in_words",
    "nothing_left",
    "range_in_words",
    "spread_in_words",
    "steps_worth_naming",
]

WORTH = 0.02  # of its leg that a step takes to be named
LEAST = 0.5  # seconds that it takes at the least
BOUNDS = 3  # causes that are told
TELLING = 0.01  # of the run's length that one is at the least
MANY_SEEDS = 10  # of fewer, the low and the high are the very lowest and highest
MANY = 4  # legs of the same kind that are all told
NAMED = 4  # nodes that are told by name
SAME = 1.2  # nodes that receive about the same are told together


def forecast_as_text(plan: Plan) -> str:
    """What is to be expected of the run; one sentence where there is nothing left."""
    seen = plan.forecast
    lines = list(_told(seen, plan)) if seen else [_nothing(plan)]
    lines += [f"  assumed     {_assumed(plan)}"] if plan.stock.assumed and plan.bytes_to_send else []
    lines += [f"  note        {note}" for note in plan.notes]
    return "\n".join(lines)


def _nothing(plan: Plan) -> str:
    if plan.is_unsaid:
        return "forecast: none"
    return f"forecast: {nothing_left(plan)}"


def nothing_left(plan: Plan) -> str:
    """Why nothing is expected: the journal has all nodes healthy, which nodes that were asked may not be."""
    words = "nothing is left to be run; all nodes are healthy by the journal"
    ill = [f"{_some(plan.ill)} {'is' if len(plan.ill) == 1 else 'are'} not"] if plan.ill else []
    mute = [f"{_some(plan.mute)} did not answer"] if plan.mute else []
    return f"{words}, but now {' and '.join([*ill, *mute])}" if ill or mute else words


def _some(names: Sequence[str]) -> str:
    rest = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    *others, last = [*names[:NAMED], *rest]
    return f"{', '.join(others)} and {last}" if others else last


def _told(seen: Forecast, plan: Plan) -> Iterator[str]:
    yield _heading(seen.seeds)
    if any(node.node.is_server for node in plan.nodes):
        yield f"  all servers {range_in_words(seen.to_ha, seen.seeds)}"
    yield f"  all nodes   {range_in_words(seen.to_all, seen.seeds)}"
    if seen.to_all is None:
        yield f"  it ends     {range_in_words(seen.ends, seen.seeds, 'after')}"
    for node, why in seen.troubles.items():
        yield f"  trouble     {node}: {why}"
    yield from _bound(seen)
    yield f"  bytes       {_bytes(seen)}"
    if skipped := _skipped(plan.nodes):
        yield f"  skipped     {skipped}"
    yield f"  rests on    {seen.source}"
    yield from (f"  {word:<11} {told}" for word, told in basis_as_text(seen.basis))
    yield from _path(seen)


def _heading(seeds: int) -> str:
    if seeds == 1:
        return "forecast of one seed"
    return f"forecast: the median of {seeds} seeds, and {spread_in_words(seeds)}"


def spread_in_words(seeds: int) -> str:
    """What lies between the low and the high."""
    return "where 8 of 10 lie" if seeds >= MANY_SEEDS else "the lowest and the highest"


def range_in_words(found: Range | None, seeds: int, word: str = "healthy after") -> str:
    """The middle, then from where to where."""
    if found is None:
        return "not to be expected"
    low, middle, high = (length(value) for value in (found.low, found.middle, found.high))
    if seeds == 1 or low == high:
        return f"{word} {middle}"
    return f"{word} {middle}   ({low} to {high})"


def _bound(seen: Forecast) -> Iterator[str]:
    for place, bound in enumerate(bound for bound in seen.bounds[:BOUNDS] if bound.share >= TELLING):
        word = "bound by" if place == 0 else "then"
        yield f"  {word:<11} {bound.words}: {length(bound.seconds)}, {bound.share:.0%}"


def _bytes(seen: Forecast) -> str:
    words = [f"{bytes_in_words(seen.from_here)} from here"]
    if seen.from_nodes:
        words.append(f"{bytes_in_words(seen.from_nodes)} from node to node")
    return f"{', '.join(words)}; {_each(list(seen.moved.values()))}"


def _each(moved: Sequence[Moved]) -> str:
    sizes = sorted(one.from_here + one.from_nodes for one in moved)
    if sizes[-1] <= sizes[0] * SAME:
        return f"{bytes_in_words(sizes[-1])} to each of {len(sizes)} nodes"
    return f"{bytes_in_words(sizes[0])} to {bytes_in_words(sizes[-1])} to each of {len(sizes)} nodes"


def _skipped(nodes: Sequence[NodePlan]) -> str:
    edges = sum(len(node.done) for node in nodes)
    steps = sum(not step.is_ahead for node in nodes for edge in node.edges for step in edge.steps)
    words = [f"{edges} edges that the journal says are done"] if edges else []
    words += [f"{steps} steps that are true already"] if steps else []
    return ", ".join(words)


def _assumed(plan: Plan) -> str:
    files = plan.stock.assumed
    told = ", ".join(f"{name} {bytes_in_words(size)}" for name, size in files.items())
    return f"{len(files)} files of the release are not here; nominal sizes stand for them: {told}"


def _path(seen: Forecast) -> Iterator[str]:
    if not seen.path:
        return
    yield f"  critical path, of seed {seen.middle_seed}"
    number = 1
    for legs in _alike(seen.path):
        shown = legs if len(legs) <= MANY else (legs[0], legs[-1])
        for leg in shown:
            if leg is legs[-1] and shown is not legs:
                yield f"        ... {len(legs) - 2} more of the same, {_each_takes(legs[1:-1])} ..."
                number += len(legs) - 2
            yield f"  {number:>4}. {leg_in_words(leg)}"
            if named := steps_worth_naming(leg):
                yield "        " + "; ".join(f"{step.title} {length(step.seconds)}" for step in named)
            number += 1


def _alike(path: Sequence[PathLeg]) -> Iterator[tuple[PathLeg, ...]]:
    """Legs that follow each other on one edge, each begun when the one before gave its place back."""
    legs: list[PathLeg] = []
    for leg in path:
        if legs and not (leg.edge == legs[-1].edge and leg.after.endswith(GAVE_BACK)):
            yield tuple(legs)
            legs = []
        legs.append(leg)
    yield tuple(legs)


def _each_takes(legs: Sequence[PathLeg]) -> str:
    low, high = (length(choose(leg.seconds for leg in legs)) for choose in (min, max))
    return low if low == high else f"{low} to {high} each"


def leg_in_words(leg: PathLeg) -> str:
    """Node, what it does, for how long from when, and what it waited for."""
    after = f", after {leg.after}" if leg.after else ""
    return f"{leg.node}: {leg.title} [{leg.edge}], {length(leg.seconds)} from {length(leg.began)} on{after}"


def steps_worth_naming(leg: PathLeg) -> list[StepDone]:
    """Those that take a part of the leg that one would see."""
    least = max(LEAST, WORTH * leg.seconds)
    return [step for step in leg.steps if step.seconds >= least]
