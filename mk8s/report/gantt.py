"""All nodes over time: a row a node, a bar for each thing it did or waited for. Pure.

The chart is as wide as the page: every place is a percentage, so it prints and zooms without being drawn
anew. A row is an SVG of its own: it can be hidden, read aloud, and is never cut by the end of a page.
Begin reading at `gantt`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from mk8s.amounts import length
from mk8s.last_words import MARK
from mk8s.report.markup import Html, el, fragment, items, percent
from mk8s.report.scale import Scale, spread
from mk8s.screen.words import done_in_words
from mk8s.timeline import Lane, Moment, Stretch, Timeline

__all__ = ["KINDS", "counted", "edge_classes", "first_line", "gantt", "lane_state"]

FEW, MANY = 40, 120  # nodes: more than that, and rows become lower
HEIGHTS = {"few": 22, "some": 15, "many": 11}  # pixels of a row
LETTER = 7 / 411  # width of a bold letter in a label, as a share of the narrowest plot on a screen
LINE = 15  # pixels of a line of labels
NARROWEST = 0.0012  # share of the width: nothing is too short to be seen
FOR_A_LABEL = 0.02
LONGEST_LABEL = 44
COLOURS = 8
GROUPS = {"primary": "Servers", "server": "Servers", "agent": "Agents"}
KINDS = {
    "signal": "waits for a signal",
    "queue": "waits for a place",
    "back-off": "waits to try again",
    "undo": "takes back",
    "error": "attempt failed",
    "stopped": "was stopped",
    "open": "not over yet",
}
OF_MOMENT = {"lost": "lost: ", "budget": "budget spent", "stopped": "stopped", "resumed": "resumed"}


def gantt(timeline: Timeline, titles: Mapping[str, str]) -> Html:
    """The chart with its legend and, where scripts run, a filter and a zoom. `titles`: edge to words."""
    chart = _Chart(timeline, titles)
    return el("div", _tools(timeline), chart.legend(), chart.whole(), class_="gantt")


def edge_classes(timeline: Timeline) -> dict[str, str]:
    """The colour of each edge that does something: classes e0 to e7."""
    working = [edge.name for edge in timeline.spec.edges if edge.do]
    return {name: f"e{number % COLOURS}" for number, name in enumerate(working)}


def lane_state(lane: Lane) -> str:
    """The word that a node's state is filtered by and counted under."""
    return "blocked" if lane.outcome == "blocked" else lane.state.partition("~")[0]


def counted(lanes: Sequence[Lane]) -> Counter[str]:
    """How many nodes are in which state, in the order in which the states come up."""
    return Counter(map(lane_state, lanes))


class _Chart:
    def __init__(self, timeline: Timeline, titles: Mapping[str, str]) -> None:
        self._timeline, self._titles = timeline, titles
        self._scale = Scale(timeline.ended)
        self._classes = edge_classes(timeline)
        count = len(timeline.lanes)
        self._size = "few" if count <= FEW else "some" if count <= MANY else "many"

    def legend(self) -> Html:
        """What stands for what; only what is in the chart."""
        seen = {s.edge for lane in self._timeline.lanes for s in lane.stretches if s.kind == "attempt"}
        edges = [
            (self._classes[edge], self._titles.get(edge, edge)) for edge in self._classes if edge in seen
        ]
        kinds = {_look(stretch) for lane in self._timeline.lanes for stretch in lane.stretches}
        shown = [*edges, *((kind, text) for kind, text in KINDS.items() if kind in kinds)]
        return items("ul", (fragment(_swatch(kind), text) for kind, text in shown), class_="legend")

    def whole(self) -> Html:
        groups: dict[str, list[Lane]] = {}
        for lane in self._timeline.lanes:
            groups.setdefault(GROUPS.get(lane.role, lane.role), []).append(lane)
        rows = [self._group(name, lanes) for name, lanes in groups.items()]
        plane = el("div", self._axis(), *rows, class_="plane")
        return el(
            "div", plane, class_=f"chart {self._size}", tabindex=0, role="region",
            aria_label=f"What each of {len(self._timeline.lanes)} nodes did over time",
        )  # fmt: skip

    def _group(self, name: str, lanes: Sequence[Lane]) -> Html:
        told = ", ".join(f"{count} {state}" for state, count in counted(lanes).items())
        head = el("summary", el("span", f"{name}: {told}", class_="stick"))
        return el("details", head, *map(self._row, lanes), open=True, class_="group")

    def _row(self, lane: Lane) -> Html:
        height = HEIGHTS[self._size]
        bars = fragment(
            Html('<use href="#g-grid"/>'),
            *(self._bar(stretch, height) for stretch in lane.stretches),
            *(self._mark(stretch, height) for stretch in lane.stretches),
            self._end(lane, height),
        )
        plot = el("svg", bars, class_="plot", height=height, role="img", aria_label=self._aloud(lane))
        name = el("span", lane.node, class_="name", title=f"{lane.node} ({lane.role})")
        return el(
            "div", name, plot, class_=f"row lane {lane.outcome}", data_role=lane.role,
            data_state=lane_state(lane),
        )  # fmt: skip

    def _bar(self, stretch: Stretch, height: int) -> Html:
        began = self._scale.share(stretch.began)
        width = max(self._scale.share(stretch.ended) - began, NARROWEST)
        look = _look(stretch)
        if stretch.kind == "attempt" and look in ("attempt", "open"):
            look = f"{self._classes.get(stretch.edge, 'e0')}{' open' if look == 'open' else ''}"
        thin = 3 if stretch.kind in ("signal", "queue", "back-off") else 1
        rect = el(
            "rect",
            el("title", self._hover(stretch)),
            x=percent(min(began, 1 - NARROWEST)),
            y=thin,
            width=percent(width),
            height=height - 2 * thin,
            class_=f"b {look}",
        )
        return fragment(rect, self._label(stretch, began, width, height))

    def _label(self, stretch: Stretch, began: float, width: float, height: int) -> Html | None:
        if self._size != "few" or width < FOR_A_LABEL:
            return None
        text = stretch.edge if stretch.kind in ("attempt", "undo") else stretch.waits_for
        if not text:
            return None
        kind = "on" if stretch.kind == "attempt" and stretch.outcome == "done" else "beside"
        inner = el("text", text, x=4, y=height - 7, class_=kind)
        return el("svg", inner, x=percent(began), width=percent(width), aria_hidden="true")

    def _mark(self, stretch: Stretch, height: int) -> Html | None:
        """A failure is a dot as well, so that it is seen however short the attempt was."""
        if stretch.outcome != "error":
            return None
        return el("circle", cx=percent(self._scale.share(stretch.ended)), cy=height / 2, r=3, class_="dot")

    def _end(self, lane: Lane, height: int) -> Html | None:
        if lane.outcome not in ("failure", "blocked") or lane.ended is None:
            return None
        words = f"{lane_state(lane)} after {length(lane.ended)}: {first_line(lane.reason)}"
        at = percent(self._scale.share(lane.ended))
        cross = el("path", el("title", words), d=f"M-4 {height / 2 - 4}l8 8m0 -8l-8 8", class_="cross")
        return el("svg", cross, x=at, overflow="visible")

    def _hover(self, stretch: Stretch) -> str:
        when = f"{length(stretch.began)} to {length(stretch.ended)}, {length(stretch.seconds)}"
        title = self._titles.get(stretch.edge, stretch.edge)
        if stretch.kind in ("signal", "queue"):
            what = "a place in " if stretch.kind == "queue" else "signal "
            return f"{stretch.node} waits for {what}{stretch.waits_for} to {title}: {when}"
        if stretch.kind == "back-off":
            return f"{stretch.node} waits to try again to {title}: {when}"
        again = f", attempt {stretch.attempt}" if stretch.attempt > 1 else ""
        verb = "takes back: " if stretch.kind == "undo" else ""
        return f"{stretch.node}: {verb}{title}{again}: {when}{_came_to(stretch)}"

    def _aloud(self, lane: Lane) -> str:
        """The row for who does not see it."""
        worked: dict[str, float] = {}
        for stretch in lane.stretches:
            what = stretch.edge if stretch.kind in ("attempt", "undo") else f"waiting to {stretch.edge}"
            worked[what] = worked.get(what, 0.0) + stretch.seconds
        told = ", ".join(f"{what} {length(seconds)}" for what, seconds in worked.items())
        end = f"{lane_state(lane)} after {length(lane.ended)}" if lane.ended is not None else lane_state(lane)
        return f"{lane.node}, {lane.role}, {end}: {told}"

    def _axis(self) -> Html:
        """The scale and the labels of signals; and, once, the lines that all rows show."""
        moments = _told_once(self._timeline.moments)
        labels = [(moment, _moment_words(moment)) for moment in moments]
        places = [self._place(moment.at, text) for moment, text in labels]
        order = sorted(range(len(places)), key=lambda i: places[i])
        lines = dict(zip(order, spread([places[i] for i in order]), strict=True))
        depth = max(lines.values(), default=-1) + 1
        drawn = [self._moment(labels[i][0], labels[i][1], lines[i]) for i in range(len(labels))]
        ticks = [self._tick(tick.share, tick.label, depth * LINE) for tick in self._scale.ticks]
        lines_down = [_line(tick.share, "tick") for tick in self._scale.ticks]
        lines_down += [_line(self._scale.share(m.at), f"at-{m.kind}") for m in moments]
        grid = el("g", *lines_down, id="g-grid")
        told = "; ".join(f"{text} at {length(moment.at)}" for moment, text in labels)
        plot = el("svg", grid, *drawn, *ticks, class_="plot", height=depth * LINE + 20, role="img",
                  aria_label=f"Time from 0 to {length(self._timeline.ended)}. {told}")  # fmt: skip
        return el("div", el("span", "time of the run", class_="name"), plot, class_="row axis")

    def _place(self, at: float, text: str) -> tuple[float, float]:
        share, width = self._scale.share(at), (len(text) + 2) * LETTER
        return (share - width if _is_right(share) else share, width)

    def _moment(self, moment: Moment, text: str, line: int) -> Html:
        share = self._scale.share(moment.at)
        anchor, shift = ("end", -4) if _is_right(share) else ("start", 4)
        hover = el("title", f"{text} at {length(moment.at)}{': ' if moment.words else ''}{moment.words}")
        label = el("text", hover, text, x=percent(share), dx=shift, y=LINE * line + 11, text_anchor=anchor,
                   class_=f"of-{moment.kind}")  # fmt: skip
        return fragment(label)

    def _tick(self, share: float, label: str, top: int) -> Html:
        anchor = "start" if share < 0.01 else "end" if share > 0.985 else "middle"
        return el("text", label, x=percent(share), y=top + 15, text_anchor=anchor, class_="scale")


def _look(stretch: Stretch) -> str:
    """The class of a bar: its kind, or what became of it where that is not simply done."""
    if stretch.kind == "attempt":
        return stretch.outcome if stretch.outcome != "done" else "attempt"
    return stretch.kind


def _swatch(kind: str) -> Html:
    rect = el("rect", x=1, y=1, width=20, height=10, class_=f"b {kind}")
    return el("svg", rect, width=22, height=12, class_="swatch", aria_hidden="true")


def _line(share: float, kind: str) -> Html:
    return el("line", x1=percent(share), x2=percent(share), y1=0, y2="100%", class_=kind)


def _is_right(share: float) -> bool:
    return share > 0.7


def _told_once(moments: Sequence[Moment]) -> list[Moment]:
    """Without those that say again what was said at the same second, such as each node's budget."""
    return list({(m.kind, m.name, round(m.at, 1)): m for m in reversed(moments)}.values())[::-1]


def _moment_words(moment: Moment) -> str:
    words = OF_MOMENT.get(moment.kind, "") + moment.name
    return words if len(words) <= LONGEST_LABEL else f"{words[: LONGEST_LABEL - 1]}…"


def _came_to(stretch: Stretch) -> str:
    if stretch.outcome == "done" and stretch.words:
        return f": {stretch.words}"
    if stretch.outcome == "done":
        return f": {done_in_words(stretch.evidence)}" if "changed" in stretch.evidence else ""
    if stretch.outcome == "error":
        return f": failed: {first_line(stretch.words) or stretch.lineage[0]}"
    return {"stopped": ": stopped", "open": ": not over yet"}[stretch.outcome]


def first_line(text: str) -> str:
    """Of a failure's message: what it says itself, without a unit's last words."""
    return text.partition(MARK)[0].partition("\n")[0]


def _tools(timeline: Timeline) -> Html:
    """Shown by the script, which makes them work."""
    roles = list(dict.fromkeys(lane.role for lane in timeline.lanes))
    states = list(dict.fromkeys(lane_state(lane) for lane in timeline.lanes))
    zooms = [el("button", f"{factor}×", type="button", data_zoom=factor, aria_pressed=_pressed(factor))
             for factor in (1, 2, 5, 10)]  # fmt: skip
    return el(
        "form",
        _choice("role", "all roles", roles),
        _choice("state", "all states", states),
        el("label", "Text ", el("input", type="search", name="text", placeholder="name, error, …")),
        el("label", el("input", type="checkbox", name="trouble"), " with errors only"),
        el("span", "Zoom ", *zooms, class_="zoom"),
        el("output", f"{len(timeline.lanes)} nodes"),
        class_="tools", hidden=True,
    )  # fmt: skip


def _pressed(factor: int) -> str:
    return "true" if factor == 1 else "false"


def _choice(name: str, otherwise: str, values: Sequence[str]) -> Html:
    options: Iterator[Html] = (el("option", value, value=value) for value in values)
    label = f"{name.capitalize()} "
    return el("label", label, el("select", el("option", otherwise, value=""), *options, name=name))
