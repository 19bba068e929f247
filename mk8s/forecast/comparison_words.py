"""A comparison of predicted and measured as text for people and as data for programs. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mk8s.amounts import length
from mk8s.forecast.basis import basis_as_data, basis_as_text
from mk8s.forecast.comparing import CLOSE, Comparison

__all__ = ["comparison_as_data", "comparison_as_text"]


def comparison_as_data(found: Comparison) -> dict[str, Any]:
    """Plain values, for JSON."""
    return {**asdict(found), "basis": basis_as_data(found.basis), "ratio": found.ratio, "close": found.close}


def comparison_as_text(found: Comparison) -> str:
    """A line for the whole, a table of edges, the reasons, and what the prediction rests on."""
    lines = [_whole(found), "", f"{'role':9}{'edge':15}{'nodes':>6}{'predicted':>11}{'measured':>10}"]
    for row in found.edges:
        lines.append(
            f"{row.role:9}{row.edge:15}{row.nodes:6}{_seconds(row.predicted):>11}{_seconds(row.measured):>10}"
        )
    if found.reasons:
        lines += ["", *(f"- {reason.words}" for reason in found.reasons)]
    if told := basis_as_text(found.basis):
        lines += ["", *(f"{word:<11}{words}" for word, words in told)]
    return "\n".join(lines)


def _whole(found: Comparison) -> str:
    apart = abs(found.predicted - found.measured) / found.measured if found.measured else 0.0
    verdict = "within" if found.close else "not within"
    return (
        f"predicted {length(found.predicted)}, measured {length(found.measured)}: "
        f"{apart:.0%} off, {verdict} {CLOSE:.0%}"
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else length(value)
