"""How a smoke ends on paper: the table for people, the data for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from machines.words import one_line
from mk8s.smoke import Probed

__all__ = ["probes_as_data", "probes_as_text"]


def probes_as_data(probed: Sequence[Probed]) -> dict[str, object]:
    return {
        "passed": all(known.result != "failed" for known in probed),
        "probes": [
            {
                "probe": known.probe,
                "result": known.result,
                "evidence": known.evidence,
                "seconds": round(known.seconds, 1),
            }
            for known in probed
        ],
    }


def probes_as_text(probed: Sequence[Probed]) -> str:
    rows = [("PROBE", "RESULT", "SECONDS", "EVIDENCE")]
    rows += [
        (known.title, known.result, f"{known.seconds:.1f}", one_line(known.evidence)) for known in probed
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )
