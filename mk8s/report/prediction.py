"""A run beside what was predicted of it: the whole, each edge of each role, and why they differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mk8s.amounts import length
from mk8s.forecast.basis import basis_as_text
from mk8s.forecast.comparing import CLOSE, Comparison, EdgeRow, NodeRow
from mk8s.report.markup import Html, el, fragment, items
from mk8s.report.tables import Column, bar, facts, folded, note, table

__all__ = ["prediction"]

MOST = 20  # nodes
MOST_REASONS = 12


def prediction(found: Comparison, source: str, titles: Mapping[str, str]) -> Html:
    """`source`: what the predicted durations rest on."""
    cards = [
        ("Predicted", length(found.predicted)),
        ("Measured", length(found.measured)),
        ("Measured / predicted", f"{found.ratio:.2f}"),
    ]
    within = f"{CLOSE:.0%} of what was measured"
    verdict = note(
        f"The prediction is {'' if found.close else 'not '}within {within}.",
        "good" if found.close else "wait",
    )
    reasons = items("ul", _reasons(found)) if found.reasons else None
    basis = basis_as_text(found.basis)
    return fragment(
        facts(cards),
        verdict,
        el("h3", "Where they differ") if reasons else None,
        reasons,
        el("h3", "Each edge"),
        _edges(found, titles),
        _nodes(found),
        el("p", f"Predicted from: {source}.", class_="quiet"),
        items("ul", [f"{word}: {told}" for word, told in basis]) if basis else None,
    )


def _reasons(found: Comparison) -> list[str]:
    rest = len(found.reasons) - MOST_REASONS
    more = [f"and {rest} more"] if rest > 0 else []
    return [reason.words for reason in found.reasons[:MOST_REASONS]] + more


def _edges(found: Comparison, titles: Mapping[str, str]) -> Html:
    most = max((time for row in found.edges for time in (row.predicted, row.measured) if time), default=1.0)
    columns = [
        Column("Role"),
        Column("Edge"),
        Column("Nodes", numeric=True),
        Column("Predicted", numeric=True),
        Column("Measured", numeric=True),
        Column("Difference", numeric=True),
        Column("Predicted above, measured below", wide=True),
    ]
    caption = "Mean of the nodes' work on an edge, its attempts and the pauses between them."
    return table(columns, [_edge(row, most, titles) for row in found.edges], caption)


def _edge(row: EdgeRow, most: float, titles: Mapping[str, str]) -> tuple[str, ...]:
    bars = fragment(bar((row.predicted or 0) / most), bar((row.measured or 0) / most, kind="second"))
    edge = fragment(el("strong", row.edge), f": {titles.get(row.edge, row.edge)}")
    return (
        row.role,
        edge,
        str(row.nodes),
        _time(row.predicted),
        _time(row.measured),
        _difference(row.predicted, row.measured),
        bars,
    )


def _nodes(found: Comparison) -> Html | None:
    """Those whose end was foreseen worst."""
    far = sorted(found.nodes, key=_how_far, reverse=True)[:MOST]
    columns = [
        Column("Node", wide=True, node=True),
        Column("Role"),
        Column("Predicted", numeric=True),
        Column("Measured", numeric=True),
        Column("Difference", numeric=True),
    ]
    rows = [
        (row.node, row.role, _time(its), _time(row.measured), _difference(its, row.measured))
        for row in far
        for its in (row.predicted,)
    ]
    title = f"When each node ended: the {len(far)} that differ most" if far else ""
    return folded(title, table(columns, rows)) if far else None


def _how_far(row: NodeRow) -> float:
    if row.predicted is None or row.measured is None:
        return float("inf") if row.predicted != row.measured else 0.0
    return abs(row.predicted - row.measured)


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else length(seconds)


def _difference(predicted: float | None, measured: float | None) -> str:
    if predicted is None or measured is None:
        return "–"
    apart = measured - predicted
    return f"{'+' if apart >= 0 else '−'}{length(abs(apart))}"
