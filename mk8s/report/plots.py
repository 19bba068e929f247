"""Plots: how many nodes are in which state, how values spread, how a rate goes over time. Pure.

Like the chart of nodes they are as wide as the page. Words beside each say what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from mk8s.amounts import bytes_in_words, length
from mk8s.report.markup import Html, el, fragment, items, percent
from mk8s.report.scale import Scale
from mk8s.timeline import Timeline

__all__ = ["curves", "histogram", "states_over_time"]

HIGH = 160  # pixels
BINS = 30
OVER = 38  # pixels above the highest column, for labels
WIDE = 1000  # units of the plots that are stretched to the page's width
STATE_COLOURS = {
    "healthy": "k-good",
    "failed": "k-bad",
    "quarantined": "error",
    "rolled-back": "undo",
    "blocked": "k-wait",
    "waiting": "signal",  # as its bars are hatched
}
OTHERS = ("e5", "e0", "e1", "e2", "e6", "e7")

Curve = Sequence[tuple[float, float]]


def states_over_time(timeline: Timeline) -> Html:
    """How many nodes are in each state, one above the other, from second 0 to the end."""
    states = [*timeline.spec.states, "blocked"]
    changes = sorted(_changes(timeline))
    counts = dict.fromkeys(states, 0)
    levels: list[tuple[float, dict[str, int]]] = []
    for at, was, now in changes:
        if was:
            counts[was] -= 1
        counts[now] += 1
        if levels and levels[-1][0] == at:
            levels[-1] = (at, dict(counts))
        else:
            levels.append((at, dict(counts)))
    levels.append((timeline.ended, dict(counts)))
    seen = [state for state in reversed(states) if any(level[state] for _, level in levels)]
    colours = _state_colours(states)
    scale = Scale(timeline.ended)
    total = max(len(timeline.lanes), 1)
    areas = [_area(state, seen[:number], levels, scale, total, colours[state])
             for number, state in enumerate(seen)]  # fmt: skip
    aloud = ", ".join(f"{counts[state]} {state}" for state in seen if counts[state])
    legend = items("ul", (fragment(_key(colours[state]), state) for state in reversed(seen)), class_="legend")
    plot = el("svg", *areas, viewBox=f"0 0 {WIDE} {HIGH}", preserveAspectRatio="none", class_="figure",
              height=HIGH, role="img", aria_label=f"Nodes by state over time; at last: {aloud}")  # fmt: skip
    return fragment(legend, plot, _time_axis(scale))


def _changes(timeline: Timeline) -> Iterator[tuple[float, str, str]]:
    """Second, state before, state after: of each node, in flight counted as where it began."""
    now: dict[str, str] = {}
    for lane in timeline.lanes:
        now[lane.node] = timeline.spec.initial
        yield 0.0, "", timeline.spec.initial
    for record in timeline.records:
        to = record.to.partition("~")[0]
        if record.kind == "blocked":
            to = "blocked"
        elif record.kind not in ("state", "resumed"):
            continue
        if record.node and to and to != now[record.node]:
            yield record.at, now[record.node], to
            now[record.node] = to


def _state_colours(states: Sequence[str]) -> dict[str, str]:
    others = [state for state in states if state not in STATE_COLOURS]
    return STATE_COLOURS | {state: OTHERS[i % len(OTHERS)] for i, state in enumerate(others)}


def _area(
    state: str,
    below: Sequence[str],
    levels: Sequence[tuple[float, dict[str, int]]],
    scale: Scale,
    total: int,
    colour: str,
) -> Html:
    tops: list[str] = []
    bottoms: list[str] = []
    for (at, level), (until, _) in pairwise(levels):
        low = sum(level[other] for other in below)
        x1, x2 = scale.share(at) * WIDE, scale.share(until) * WIDE
        y1, y2 = (HIGH * (1 - count / total) for count in (low + level[state], low))
        tops += [f"{x1:.1f} {y1:.1f}", f"{x2:.1f} {y1:.1f}"]
        bottoms += [f"{x1:.1f} {y2:.1f}", f"{x2:.1f} {y2:.1f}"]
    shape = "M" + "L".join([*tops, *reversed(bottoms)]) + "Z" if tops else "M0 0"
    return el("path", el("title", state), d=shape, class_=f"fill {colour}")


def histogram(values: Sequence[float], marks: Mapping[str, float] | None = None) -> Html:
    """How often a run took how long, in seconds; `marks` are lines with a label."""
    if not values:
        return el("p", "There is nothing to count.")
    low, high = min([*values, *(marks or {}).values()]), max([*values, *(marks or {}).values()])
    width = max(high - low, 1e-9)
    bins = [0] * min(BINS, len(set(values)), math.ceil(1.5 * math.sqrt(len(values))))
    for value in values:
        bins[min(int((value - low) / width * len(bins)), len(bins) - 1)] += 1
    most = max(bins)
    bars = [_column(i, count, most, len(bins), low, width) for i, count in enumerate(bins)]
    rules = [(share, _rule(share)) for share in ((at - low) / width for at in (marks or {}).values())]
    lines = [line for _, line in rules]
    highest = percent((bins.index(most) + 0.5) / len(bins))
    lines.append(el("text", str(most), x=highest, y=OVER + 14, text_anchor="middle", class_="halo"))
    lines += [
        _rule_label(share, f"{name} {length(at)}", number)
        for number, ((share, _), (name, at)) in enumerate(zip(rules, (marks or {}).items(), strict=True))
    ]
    ends = [el("text", length(at), x=percent(share), y=HIGH + 34, text_anchor=anchor, class_="scale")
            for at, share, anchor in ((low, 0.0, "start"), ((low + high) / 2, 0.5, "middle"),
                                      (high, 1.0, "end"))]  # fmt: skip
    told = f"{len(values)} values from {length(low)} to {length(high)}"
    return el("svg", *bars, *lines, *ends, class_="figure", height=HIGH + 40, role="img", aria_label=told)


def _column(number: int, count: int, most: int, bins: int, low: float, width: float) -> Html | None:
    if not count:
        return None
    began, ended = (low + width * (number + i) / bins for i in (0, 1))
    high = round((HIGH - OVER) * count / most, 1)
    words = f"{count} from {length(began)} to {length(ended)}"
    return el("rect", el("title", words), x=percent(number / bins), width=percent(1 / bins),
              y=HIGH + 18 - high, height=high, class_="fill e0")  # fmt: skip


def _rule(share: float) -> Html:
    return el("line", x1=percent(share), x2=percent(share), y1=0, y2=HIGH + 18, class_="rule")


def _rule_label(share: float, label: str, number: int) -> Html:
    anchor, shift = ("end", -5) if share > 0.6 else ("start", 5)
    return el("text", label, x=percent(share), dx=shift, y=11 + 13 * (number % 3), text_anchor=anchor,
              class_="halo")  # fmt: skip


def curves(named: Mapping[str, Curve], end: float) -> Html:
    """Bytes per second over the run. Each curve is a list of (second, rate), a rate holds until the next."""
    scale = Scale(end)
    top = max((rate for curve in named.values() for _, rate in curve), default=0.0)
    lines = [
        el("path", el("title", name), d=_steps(curve, scale, top), class_=f"curve c{number % 3}")
        for number, (name, curve) in enumerate(named.items())
    ]
    drawn = el("svg", *lines, viewBox=f"0 0 {WIDE} {HIGH}", preserveAspectRatio="none", y=6,
               width="100%", height=HIGH)  # fmt: skip
    edges = [el("line", x1=0, x2="100%", y1=y, y2=y, class_="tick") for y in (6, HIGH / 2 + 6, HIGH + 6)]
    marks = [
        el("text", f"{bytes_in_words(top * share)}/s", x="100%", y=HIGH * (1 - share) + 18,
           text_anchor="end", class_="scale")
        for share in ((1, 0.5) if top else ())
    ]  # fmt: skip
    plot = el("svg", *edges, drawn, *marks, class_="figure", height=HIGH + 10, role="img",
              aria_label=f"At most {bytes_in_words(top)} a second")  # fmt: skip
    legend = items(
        "ul", (fragment(_stroke(number), name) for number, name in enumerate(named)), class_="legend"
    )
    return fragment(legend, plot, _time_axis(scale))


def _steps(curve: Curve, scale: Scale, top: float) -> str:
    points = [f"0 {HIGH}"]
    last = 0.0
    for at, rate in curve:
        x = f"{scale.share(at) * WIDE:.1f}"
        points.append(f"{x} {_height(last, top)}")
        points.append(f"{x} {_height(rate, top)}")
        last = rate
    return "M" + "L".join([*points, f"{WIDE} {_height(last, top)}"])


def _height(rate: float, top: float) -> str:
    return f"{HIGH * (1 - (rate / top if top else 0)):.1f}"


def _time_axis(scale: Scale) -> Html:
    marks = [
        el("text", tick.label, x=percent(tick.share), y=12, class_="scale",
           text_anchor="start" if tick.share == 0 else "end" if tick.share > 0.98 else "middle")
        for tick in scale.ticks
    ]  # fmt: skip
    return el("svg", *marks, class_="figure", height=16, aria_hidden="true")


def _key(kind: str) -> Html:
    rect = el("rect", width=14, height=10, class_=kind)
    return el("svg", rect, width=14, height=10, class_="swatch", aria_hidden="true")


def _stroke(number: int) -> Html:
    line = el("line", x1=0, x2=22, y1=5, y2=5, class_=f"curve c{number % 3}")
    return el("svg", line, width=22, height=10, class_="swatch", aria_hidden="true")
