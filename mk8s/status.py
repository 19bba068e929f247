"""The status table: one row a node. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from machines import History, Record
from machines.words import one_line
from mk8s.amounts import duration
from mk8s.cluster import Cluster
from mk8s.steps import Verdict

__all__ = ["Row", "status_rows", "status_text"]

GONE = "not in the manifest any more: a run refuses that, put it back"


@dataclass(frozen=True, slots=True)
class Row:
    """A node's place. `reason`: why it is not healthy, as far as the journal knows."""

    node: str
    role: str
    address: str
    state: str
    since: float  # seconds of the run
    reason: str
    healthy: bool
    simulated: bool = False  # the journal is of a simulation: its state was never the node's

    def answered(self, verdict: Verdict | None) -> Row:
        """The same row after the node was asked; None: it was not."""
        if verdict is None:
            return self
        return replace(
            self, healthy=verdict.met, reason=verdict.reason if not verdict.met else "asked just now"
        )

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def status_rows(
    cluster: Cluster, history: History, records: Sequence[Record], *, simulated: bool = False
) -> list[Row]:
    """In the manifest's order of work: primary, servers, agents; then those that it has no more.

    Nodes new to the journal are pending. `simulated`: a simulation wrote it.
    """
    since = {record.node: record.at for record in records if record.kind == "state"}
    rows = []
    for node in cluster.nodes:
        life = history.lives.get(node.name)
        state = life.state if life else "pending"
        reason = (
            (life.blocked or (life.failure.message if life.failure else "")) if life else "not in a run yet"
        )
        rows.append(
            Row(
                node.name,
                node.role,
                node.address,
                state,
                since.get(node.name, 0.0),
                reason,
                state == "healthy",
                simulated,
            )
        )
    return rows + [
        Row(life.name, life.role, "-", life.state, since.get(life.name, 0.0), GONE, False, simulated)
        for life in history.lives.values()
        if life.name not in {node.name for node in cluster.nodes}
    ]


def status_text(rows: Sequence[Row]) -> str:
    table = [("NODE", "ROLE", "ADDRESS", "STATE", "AFTER", "")]
    table += [
        (row.node, row.role, row.address, row.state, duration(row.since), one_line(row.reason.split("\n")[0]))
        for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[5]]).rstrip()
        for line in table
    )
