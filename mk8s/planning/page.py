"""The plan as one HTML page: what to expect, all nodes over time, the path, each node's steps. Pure.

Begin reading at `plan_as_page`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mk8s.amounts import bytes_in_words, length
from mk8s.forecast.basis import basis_as_text
from mk8s.forecast.predicting import Forecast, Range
from mk8s.planning.groups import Group, Times, groups_of
from mk8s.planning.prediction import nothing_left, spread_in_words
from mk8s.planning.text import about, detail, edge_in_words, lines_of, standing_in_words, title_of
from mk8s.planning.values import EdgePlan, Plan, StepPlan
from mk8s.report.gantt import edge_classes, gantt
from mk8s.report.markup import Html, el, fragment
from mk8s.report.page import Section, page
from mk8s.report.path import path_table
from mk8s.report.tables import Column, bar, facts, folded, note, table
from mk8s.tables import titles_of

__all__ = ["plan_as_page"]

FOOT = "A plan: hosts and time were simulated, and nothing was changed on any node."
OF_PATH = "What the run's length consists of: each leg can begin only when the one before has ended."
FEW = 3  # groups that are not folded
COLUMNS = (Column("Step", wide=True), Column("Stands"), Column("Expected", numeric=True))


def plan_as_page(plan: Plan, *, commands: bool = False) -> str:
    """The whole document. `commands`: with the commands and files behind each step; never a secret's."""
    parts = [*(_of_forecast(plan.forecast) if plan.forecast else ()), _of_nodes(plan, commands)]
    return page(f"{plan.cluster.name}: plan", parts, lead=_lead(plan), foot=FOOT)


def _lead(plan: Plan) -> Html:
    seen = plan.forecast
    told = [note(text, "wait") for text in _notes(plan)]
    if seen is None:
        words = "How long it takes cannot be said." if plan.is_unsaid else _sentence(nothing_left(plan))
        return fragment(note(words, "wait" if plan.needs_a_look else "good"), *told)
    troubles = [note(f"{name}: {why}", "bad") for name, why in seen.troubles.items()]
    return fragment(facts(_facts(plan, seen)), *troubles, *told)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _notes(plan: Plan) -> Iterator[str]:
    yield from plan.notes
    if plan.stock.assumed and plan.bytes_to_send:
        names = ", ".join(f"{name} ({bytes_in_words(size)})" for name, size in plan.stock.assumed.items())
        yield f"These files of the release are not here; nominal sizes stand for them: {names}"


def _facts(plan: Plan, seen: Forecast) -> list[tuple[str, str]]:
    servers = [
        ("Control plane complete", _middle(seen.to_ha)),
        (spread_in_words(seen.seeds), _spread(seen.to_ha)),
    ]
    return [
        ("Distro", f"{plan.cluster.distro} {plan.cluster.version}"),
        ("Nodes", str(len(plan.nodes))),
        ("All nodes healthy", _middle(seen.to_all)),
        (spread_in_words(seen.seeds), _spread(seen.to_all)),
        *(servers if any(node.node.is_server for node in plan.nodes) else ()),
        ("Bytes from here", bytes_in_words(seen.from_here)),
        ("Bytes from node to node", bytes_in_words(seen.from_nodes)),
        ("Seeds", str(seen.seeds)),
    ]


def _middle(found: Range | None) -> str:
    return "not to be expected" if found is None else f"after {length(found.middle)}"


def _spread(found: Range | None) -> str:
    return "–" if found is None else f"{length(found.low)} to {length(found.high)}"


def _of_forecast(seen: Forecast) -> Iterator[Section]:
    titles = titles_of(seen.timeline.spec)
    of_seed = (
        f"As expected of seed {seen.middle_seed}, whose length is the median of {seen.seeds}. "
        f"Durations: {'; '.join([seen.source, *map(' '.join, basis_as_text(seen.basis))])}."
        + (f" This run begins at {length(seen.began)}: what stands before is done." if seen.began else "")
    )
    yield Section("bounds", "What bounds it", _bounds(seen))
    yield Section("timeline", "All nodes over time", gantt(seen.timeline, titles), of_seed)
    yield Section("path", "Critical path", path_table(seen.path, edge_classes(seen.timeline)), OF_PATH)


def _bounds(seen: Forecast) -> Html:
    columns = (Column("Cause", wide=True), Column("Takes", numeric=True), Column("Share", wide=True))
    rows = [(bound.words, length(bound.seconds), bar(bound.share)) for bound in seen.bounds]
    return table(columns, rows, "The critical path by cause, the longest first.")


def _of_nodes(plan: Plan, commands: bool) -> Section:
    groups = groups_of(plan, partial(lines_of, commands=commands))
    parts = [_group(group, commands, is_open=len(groups) <= FEW) for group in groups]
    told = "What a run would do, in order. Nodes whose plan reads the same stand together."
    return Section("nodes", "Each node", fragment(*parts), told)


def _group(group: Group, commands: bool, *, is_open: bool) -> Html:
    lines = list(about(group.first))
    edges = [_edge(edge, group.times[edge.name], commands) for edge in group.first.edges]
    known = el("pre", "\n".join(lines)) if lines else None
    return folded(group.heading, fragment(known, *edges), is_open=is_open)


def _edge(edge: EdgePlan, times: Times, commands: bool) -> Html:
    rows = [_step(step, seconds, commands) for step, seconds in zip(edge.steps, times.steps, strict=True)]
    when = f": {times.when}" if times.when else ""
    return fragment(el("h3", edge_in_words(edge) + when), table(COLUMNS, rows))


def _step(plan: StepPlan, seconds: str, commands: bool) -> tuple[str, ...]:
    below = [plan.look.diff] if plan.look.diff else []
    below += [detail(plan.step)] if commands else []
    title = fragment(title_of(plan.step), *(el("pre", text) for text in below))
    stands = standing_in_words(plan.look) or ("waited for" if plan.look.standing == "wait" else "to do")
    return (title, stands, seconds or "–")
