"""Whether the records of a run fit each other: for what builds on what a journal says. Pure.

A journal that was folded names only what there is. Whoever bends one, renews its checksums, or puts two into
one file, can still let a node leave a state where it never was.

Law: what a run of any version wrote is never told as a fault, wherever it was cut off and however often it
went on. So nothing is asked here that a manifest or a version can change: no limit, no budget, no number of
tries, and no clause.
Begin reading at `faults_in`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from machines import History, Record, Table, fold
from machines.fold import HistoryError
from mk8s.errors import Mk8sError

__all__ = ["faults_in", "fold_and_look", "refuse_faults"]

WORK = ("probed", "intent", "done", "error", "retry")
ENDS = ("finished", "stopped")
OF_ONES_OWN = ("state", "blocked", *WORK)

Way: TypeAlias = tuple[str, str, str]
"""From, to, by which edge."""
Look: TypeAlias = Callable[[Record, History], Iterator[str]]


def faults_in(records: Sequence[Record], table: Table) -> list[str]:
    """Where the records do not fit each other or the machine: nothing a run writes is ever so.

    Numbers, checksums and what each kind has to say are the reader's. Here: times that go back, a run that
    begins twice or goes on after its end, moves from where a node was not or that the table does not hold,
    work on an edge that was not begun, and signals of members that never were there.
    """
    faults: list[str] = []
    try:
        fold_and_look(records, table, faults)
    except HistoryError as error:
        faults.append(str(error))
    return faults


def fold_and_look(records: Sequence[Record], table: Table, faults: list[str]) -> History | None:
    """What `machines.fold` gives, or raises; what `faults_in` tells is added to `faults` on the way."""
    looks: tuple[Look, ...] = (
        _begins_twice, _moves(frozenset(_ways(table))), _works, _goes_on, _is_put_back, _signals,
    )  # fmt: skip
    before = records[0] if records else None

    def look(record: Record, history: History | None) -> None:
        nonlocal before
        faults.extend(_follows(record, before or record))
        before = record
        if history is not None:
            faults.extend(f"record {record.seq}{words}" for each in looks for words in each(record, history))

    return fold(records, table, look)


def refuse_faults(faults: Sequence[str], journal: Path, what: str, remedy: str) -> None:
    """Raises Mk8sError where there are faults. `what`: who cannot go on from there; `journal`: the file."""
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise Mk8sError(
            f"{journal} contradicts itself: no {what} can go on from it",
            cause=f"{faults[0]}{more}",
            remedy=remedy,
        )


def _follows(record: Record, before: Record) -> Iterator[str]:
    if record.at < before.at:
        yield f"record {record.seq} is of second {record.at:g}, after one of {before.at:g}"
    is_end = before.kind in ENDS and not before.node
    if is_end and before.seq < record.seq and record.header is None:
        yield f"record {record.seq} follows the end of a run, and none was begun since"


def _begins_twice(record: Record, _history: History) -> Iterator[str]:
    if record.kind == "header":
        yield " begins a journal, in the middle of one: two were put into one file"


def _ways(table: Table) -> Iterator[Way]:
    """Every move that a node can make. To which failure an edge leads, clauses say: each of them counts."""
    failures = [state for state in table.states if table.outcome(state) == "failure"]
    for row in table.rows:
        yield row.source, row.dest or row.source, row.edge.name
        if row.kind == "err":
            yield from ((row.source, state, row.edge.name) for state in failures)


def _moves(ways: frozenset[Way]) -> Look:
    def look(record: Record, history: History) -> Iterator[str]:
        life = history.lives.get(record.node)
        if record.kind != "state" or life is None:
            return
        if record.source != life.state:
            yield f": {record.node} leaves {record.source}, and was in {life.state}"
        elif (record.source, record.to, record.edge) not in ways:
            yield f": {record.node}: no way leads from {record.source} to {record.to}"

    return look


def _works(record: Record, history: History) -> Iterator[str]:
    life = history.lives.get(record.node)
    if record.kind not in WORK or life is None:
        return
    if life.edge is None or life.edge.edge != record.edge:
        where = f"is on {life.edge.edge}" if life.edge else f"is in {life.state}"
        yield f": {record.node} works on {record.edge}, and {where}"
    elif record.kind == "done" and life.intent is None:
        yield f": {record.node}: {record.edge} is done, and no attempt of it was begun"


def _goes_on(record: Record, history: History) -> Iterator[str]:
    life = history.lives.get(record.node)
    if life is not None and life.blocked and record.kind in OF_ONES_OWN:
        yield f": {record.node} goes on, and was blocked"


def _is_put_back(record: Record, history: History) -> Iterator[str]:
    """By a run that goes on: to where it has been, from where it is."""
    life = history.lives.get(record.node)
    if record.kind != "resumed" or life is None:
        return
    if record.source != life.state:
        yield f": {record.node} goes on from {record.source}, and was in {life.state}"
    elif record.to not in life.reached:
        yield f": {record.node} is put back to {record.to}, where it never was"


def _signals(record: Record, history: History) -> Iterator[str]:
    spec = history.table.spec.signals.get(record.signal)
    if record.kind != "signal" or spec is None:
        return
    for name in record.evidence.get("members", ()):
        life = history.lives.get(name)
        if life is None or spec.state not in life.reached:
            yield f": {record.signal} came by {name}, which was never {spec.state}"
