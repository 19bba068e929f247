"""Whether the records of a run fit each other: for verbs that build on what a journal says. Pure.

A journal that was folded names only what there is. Whoever bends one, and renews its checksums, can still let
a node leave a state where it never was. Begin reading at `faults_in`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from machines import History, Record, Table
from machines.fold import HistoryError, begun

__all__ = ["faults_in"]

WORK = ("probed", "intent", "done", "error", "retry")


def faults_in(records: Sequence[Record], table: Table) -> list[str]:
    """Where the records do not fit each other or the machine: nothing a run writes is ever so.

    Numbers, checksums and what each kind has to say are the reader's. Here: times that go back, moves from
    where a node was not or that the table does not hold, and work on an edge that was not begun.
    """
    ways = {(row.source, row.dest or row.source, row.edge.name) for row in table.rows}
    faults: list[str] = []
    history: History | None = None
    last = 0.0
    for record in records:
        if record.at < last:
            faults.append(f"record {record.seq} is of second {record.at:g}, after one of {last:g}")
        last = max(last, record.at)
        try:
            if history is None:
                history = begun(record, table)
                continue
            faults += _moved_wrongly(record, history, ways)
            faults += _worked_wrongly(record, history)
            history.take(record)
        except HistoryError as error:
            return [*faults, str(error)]
    return faults


def _moved_wrongly(record: Record, history: History, ways: set[tuple[str, str, str]]) -> Iterator[str]:
    life = history.lives.get(record.node)
    if record.kind != "state" or life is None:
        return
    if record.source != life.state:
        yield f"record {record.seq}: {record.node} leaves {record.source}, and was in {life.state}"
    elif (record.source, record.to, record.edge) not in ways:
        yield f"record {record.seq}: {record.node}: no way leads from {record.source} to {record.to}"


def _worked_wrongly(record: Record, history: History) -> Iterator[str]:
    life = history.lives.get(record.node)
    if record.kind not in WORK or life is None:
        return
    if life.edge is None or life.edge.edge != record.edge:
        where = f"is on {life.edge.edge}" if life.edge else f"is in {life.state}"
        yield f"record {record.seq}: {record.node} works on {record.edge}, and {where}"
    elif record.kind == "done" and life.intent is None:
        yield f"record {record.seq}: {record.node}: {record.edge} is done, and no attempt of it was begun"
