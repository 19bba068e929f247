"""What preflight came to, and its words. Pure.

Law: whatever a node said, a line of ours is one line, and holds nothing that a terminal obeys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from machines.words import one_line
from mk8s.amounts import counted
from mk8s.errors import ExitCode, Mk8sError
from mk8s.preflight.base import RELEASE, Finding

__all__ = ["PreflightError", "Report"]

HEADINGS = ("NODE", "CHECK", "RESULT")


class PreflightError(Mk8sError):
    """Checks failed before the run began; nothing was changed on any node."""

    def __init__(self, report: Report, again: str) -> None:
        super().__init__(
            f"preflight: {report.counted()}; nothing was changed on any node\n\n{report.table()}",
            remedy=f"mend these and run again; `mk8s preflight {again}` looks once more and changes nothing. "
            "A check can be waived by its name in the manifest: `checks: {waive: [NAME]}`",
        )
        self.exit_code = report.refusal


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one look, in the order of the checks."""

    findings: tuple[Finding, ...]
    nodes: tuple[str, ...]  # the cluster's, in the manifest's order

    @property
    def errors(self) -> list[Finding]:
        """Those that refuse a run."""
        return [finding for finding in self.findings if finding.refuses]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "warn" and not finding.waived]

    @property
    def waived(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.waived]

    @property
    def passed(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "ok"]

    @property
    def unasked(self) -> list[str]:
        """Nodes that gave no answer."""
        return [f.node for f in self.findings if f.check == "reachable" and f.level != "ok" and not f.waived]

    @property
    def refusal(self) -> ExitCode:
        """The exit code of a run that these findings refuse; DONE where they do not."""
        if not self.errors:
            return ExitCode.DONE
        ours = all(finding.node == RELEASE for finding in self.errors)
        return ExitCode.MANIFEST_NEEDS_YOU if ours else ExitCode.NODES_NEED_YOU

    def counted(self) -> str:
        """``2 errors, 1 warning, 40 passed``."""
        parts = [
            _many(len(self.errors), "error"),
            _many(len(self.warnings), "warning"),
            f"{len(self.waived)} waived" if self.waived else "",
            f"{len(self.passed)} passed",
        ]
        return ", ".join(part for part in parts if part)

    def table(self, *, everything: bool = False) -> str:
        """Node by node what failed, with remedies; with `everything` what passed too. Empty: all is well."""
        shown = [f for f in self.findings if everything or f.level != "ok"]
        if not shown:
            return ""
        order = {name: place for place, name in enumerate((RELEASE, *self.nodes))}
        shown.sort(key=lambda finding: (order.get(finding.node, len(order)), _weight(finding)))
        rows = [(finding.node or "release", finding.check, _result(finding)) for finding in shown]
        widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
        lines = [_row((*HEADINGS, "WHAT"), widths)]
        for row, finding in zip(rows, shown, strict=True):
            lines += _lines(row, finding, widths)
        return "\n".join(lines)

    def as_data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "ok": not self.errors,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "waived": len(self.waived),
            "passed": len(self.passed),
            "not_asked": self.unasked,
            "findings": [_as_data(finding) for finding in self.findings],
        }


def _as_data(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "node": finding.node or None,  # none: about the release
        "level": finding.level,
        "waived": finding.waived,
        "message": finding.message,
        "remedy": finding.remedy,
        "evidence": finding.evidence,
    }


def _lines(row: Sequence[str], finding: Finding, widths: Sequence[int]) -> Iterable[str]:
    yield _row((*row, one_line(finding.message)), widths)
    margin = " " * (sum(widths) + 2 * len(widths))
    if finding.evidence:
        yield f"{margin}seen: {one_line(finding.evidence)}"
    if finding.remedy and finding.level != "ok":
        yield f"{margin}hint: {one_line(finding.remedy)}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, cells[-1]]).rstrip()


def _result(finding: Finding) -> str:
    return f"{finding.level}, waived" if finding.waived else finding.level


def _weight(finding: Finding) -> int:
    """Errors first, what passed last."""
    return {"error": 0, "warn": 1, "ok": 2}[finding.level] + (1 if finding.waived else 0)


def _many(count: int, word: str) -> str:
    return counted(count, word) if count else ""
