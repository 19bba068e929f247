"""The critical path: what the run's length consists of, leg by leg, with the steps of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from mk8s.amounts import bytes_in_words, length
from mk8s.forecast.bounds import PathLeg
from mk8s.report.gantt import first_line
from mk8s.report.markup import Html, el, fragment, items, percent
from mk8s.report.scale import Scale
from mk8s.report.tables import Column, bar, folded, table
from mk8s.timeline import Stretch, Timeline
from mk8s.transcript import StepDone

__all__ = ["legs_of", "path_table"]

HIGH = 26  # pixels
FOR_A_NUMBER = 0.03  # share of the width
WORTH_A_LINE = 0.005  # of a step: share of its leg
NAMED = 3  # failed attempts of a leg
CHAIN = 6  # nodes one after the other at the same edge: more, and they are one row
MANY = 12  # rows: the steps of further ones are folded


def legs_of(timeline: Timeline, titles: Mapping[str, str]) -> list[PathLeg]:
    """The legs of a run with their steps."""
    return [
        PathLeg(
            leg.node,
            leg.edge,
            titles.get(leg.edge, leg.edge),
            leg.began,
            leg.ended,
            leg.after,
            tuple(timeline.steps_in(leg)),
        )
        for leg in timeline.critical_path()
    ]


def path_table(legs: Sequence[PathLeg], classes: Mapping[str, str], timeline: Timeline | None = None) -> Html:
    """A strip of the legs, then a row each. `classes`: the colour of each edge, see `edge_classes`.

    With the `timeline`, attempts that failed on the way are told of.
    """
    if not legs:
        return el("p", "No node has become healthy, so there is no path to show.")
    whole = max(legs[-1].ended, 1e-9)
    rows: list[tuple[str, ...]] = []
    for _, group in groupby(enumerate(legs, 1), key=lambda numbered: numbered[1].edge):
        own = list(group)
        if len(own) > CHAIN:
            rows.append(_chain(own, whole))
        else:
            details = len(rows) < MANY
            rows += [_row(number, leg, whole, _failures(leg, timeline), details) for number, leg in own]
    columns = [
        Column("#", numeric=True),
        Column("Node", node=True),
        Column("What it did"),
        Column("From", numeric=True),
        Column("Took", numeric=True),
        Column("Share", numeric=True),
        Column("Steps", wide=True),
    ]
    told = f"{len(legs)} legs, {length(whole)} in all. {_most(legs)}"
    return fragment(_strip(legs, classes, whole), el("p", told), table(columns, rows))


def _strip(legs: Sequence[PathLeg], classes: Mapping[str, str], whole: float) -> Html:
    scale = Scale(whole)
    parts: list[Html | None] = []
    for number, leg in enumerate(legs, 1):
        began, width = scale.share(leg.began), scale.share(leg.ended) - scale.share(leg.began)
        hover = el("title", f"{number}. {leg.node}: {leg.edge}, {length(leg.seconds)}")
        kind = f"fill {classes.get(leg.edge, 'e0')}"
        parts.append(el("rect", hover, x=percent(began), width=percent(width), height=HIGH, class_=kind))
        if width >= FOR_A_NUMBER:
            at = percent(began + width / 2)
            parts.append(el("text", str(number), x=at, y=HIGH - 9, text_anchor="middle", class_="on"))
    aloud = "; ".join(f"{leg.node} {leg.edge} {length(leg.seconds)}" for leg in legs)
    return el("svg", *parts, class_="figure plot", height=HIGH, role="img", aria_label=aloud)


def _chain(numbered: Sequence[tuple[int, PathLeg]], whole: float) -> tuple[str, ...]:
    """Many nodes at the same edge, one after the other, in one row."""
    (number, first), (last, end) = numbered[0], numbered[-1]
    legs = [leg for _, leg in numbered]
    seconds = end.ended - first.began
    causes = list(dict.fromkeys(leg.after.removeprefix(before.node) for before, leg in pairwise(legs)))
    each = f"each when the one before {causes[0].strip()}" if len(causes) == 1 and causes[0] else ""
    listed = items("ul", (f"{leg.node}: {length(leg.seconds)}" for leg in legs))
    return (
        f"{number}–{last}",
        f"{len(legs)} nodes",
        fragment(
            el("strong", first.edge),
            f": {first.title}, one after the other",
            el("div", each, class_="quiet") if each else None,
        ),
        length(first.began),
        length(seconds),
        _percent(seconds / whole),
        fragment(bar(seconds / whole), folded("Which, and how long", listed)),
    )


def _percent(share: float) -> str:
    """Whole ones; a leg that took its time is never one of nothing."""
    return "<1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def _failures(leg: PathLeg, timeline: Timeline | None) -> list[Stretch]:
    if timeline is None:
        return []
    lane = next(lane for lane in timeline.lanes if lane.node == leg.node)
    own = [s for s in lane.stretches if s.edge == leg.edge and leg.began <= s.began < leg.ended]
    return [stretch for stretch in own if stretch.outcome == "error"]


def _row(
    number: int, leg: PathLeg, whole: float, failures: Sequence[Stretch], details: bool
) -> tuple[str, ...]:
    after = el("div", f"after {leg.after}", class_="quiet") if leg.after else None
    failed = [
        el(
            "div",
            f"attempt {s.attempt} failed after {length(s.seconds)}: {first_line(s.words)}",
            class_="bad",
        )
        for s in failures[:NAMED]
    ]
    rest = len(failures) - NAMED
    more = el("div", f"and {rest} more attempts", class_="bad") if rest > 0 else None
    share = leg.seconds / whole
    return (
        str(number),
        leg.node,
        fragment(el("strong", leg.edge), f": {leg.title}", after, *failed, more),
        length(leg.began),
        length(leg.seconds),
        _percent(share),
        fragment(bar(share), _steps(leg, is_open=details)),
    )


def _steps(leg: PathLeg, *, is_open: bool) -> Html | None:
    """Those that took a time that counts; the rest in one line."""
    steps = leg.steps
    if not steps:
        return None
    telling = [step for step in steps if step.seconds >= WORTH_A_LINE * leg.seconds]
    lines = [el("li", _step_words(step), " ", el("strong", length(step.seconds))) for step in telling]
    rest = len(steps) - len(telling)
    if rest:
        seconds = sum(step.seconds for step in steps) - sum(step.seconds for step in telling)
        lines.append(el("li", f"{rest} more, {length(seconds)} together", class_="quiet"))
    listed = el("ul", *lines)
    return listed if is_open else folded(f"{len(steps)} steps", listed)


def _step_words(step: StepDone) -> str:
    size = f" ({bytes_in_words(step.size)})" if step.size and step.kind == "upload" else ""
    return f"{'wait until ' if step.kind == 'wait-for' else ''}{step.title}{size}"


def _most(legs: Sequence[PathLeg]) -> str:
    """Which edge it hung on most."""
    by_edge: dict[str, list[PathLeg]] = {}
    for leg in legs:
        by_edge.setdefault(leg.edge, []).append(leg)
    edge, own = max(by_edge.items(), key=lambda found: sum(leg.seconds for leg in found[1]))
    nodes = {leg.node for leg in own}
    who = own[0].node if len(nodes) == 1 else f"{len(nodes)} nodes"
    return f"Most of it is {edge} on {who}: {length(sum(leg.seconds for leg in own))}."
