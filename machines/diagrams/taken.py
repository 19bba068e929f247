"""What a recorded run did, counted in the table's own terms. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from machines.diagrams.picture import Taken, Way
from machines.errors import matches
from machines.fold import History, Life, begun
from machines.records import Record
from machines.table import Table

__all__ = ["taken_by"]


def taken_by(records: Iterable[Record], table: Table) -> Taken:
    """How many members are where after these records, and how often each row was taken.

    Raises `HistoryError` for records that do not fit the table. Ways that a resume put back still count.
    """
    history: History | None = None
    ways: Counter[Way] = Counter()
    for record in records:
        if history is None:
            history = begun(record, table)
            continue
        way = _way(record, history, table)
        if way is not None:
            ways[way] += 1
        history.take(record)
    lives = history.lives.values() if history else ()
    return Taken(Counter(life.state for life in lives), ways)


def _way(record: Record, history: History, table: Table) -> Way | None:
    """The row that a record tells of; None where it tells of none. Asked before the record is applied."""
    life = history.lives.get(record.node)
    if life is None or record.kind not in ("state", "retry"):
        return None
    edge = table.edges.get(record.edge)
    if edge is None:
        return None
    if record.kind == "retry":
        return Way(life.state, edge.name, "retry", _charged(life, record, table))
    if life.edge is None:
        return Way(record.source, edge.name, "begin")
    if not life.undecided or life.failure is None:
        return Way(record.source, edge.name, "ok")
    failure = life.failure
    clause = next((i for i, each in enumerate(edge.catch) if matches(each.match, failure)), 0)
    return Way(record.source, edge.name, "catch", clause)


def _charged(life: Life, record: Record, table: Table) -> int:
    """By the class of the failure: the record's number may be of a version whose clauses stood elsewhere."""
    clause = table.retry_index(record.edge, life.failure) if life.failure is not None else None
    return max(record.clause, 0) if clause is None else clause
