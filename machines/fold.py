"""State is a fold over the records: in a run as after it. Pure.

A `Life` is what the records say of one node. The engine never changes a life by itself: it appends a
record and applies it, so what a resumed run knows is what the interrupted one knew.

What a resume does with a node says `resuming`. Begin reading at `Life.apply`, then `fold`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from machines.errors import Failure
from machines.records import Header, Record
from machines.table import OutOfPlace, Table
from machines.vetting import HistoryError, Misfit, refuse_lack, refuse_unknown

__all__ = [
    "Finished",
    "History",
    "HistoryError",
    "Life",
    "Misfit",
    "begun",
    "fold",
]


@dataclass(frozen=True, slots=True)
class Finished:
    """An edge that succeeded, and where it began: an entry of the undo stack."""

    edge: str
    source: str


@dataclass(slots=True)
class Life:
    """What the records say of one node. Times are seconds."""

    name: str
    role: str
    state: str
    table: Table = field(repr=False)
    reached: dict[str, None] = field(default_factory=dict)  # every state it has been in, in order
    finished: list[Finished] = field(default_factory=list)  # edges with undos that succeeded, newest last
    attempt: int = 0  # attempts of the edge so far
    tries: dict[int, int] = field(default_factory=dict)  # failures charged to each retry clause
    furthest: int = 0  # the highest mark that a failed attempt of the edge has reached
    used: float = 0.0  # of the edge's deadline, up to the last record
    intent: Record | None = None  # an attempt that began and has no known end
    waiting: Record | None = None  # the `retry` record of a wait that is not known to be over
    doubt: str = ""  # the edge whose effect may have happened unseen: ask its probe before repeating
    achieved: bool = False  # the effect is there, and the state that follows from it is not written
    failure: Failure | None = None  # the last one, of this edge or of the one it failed at
    undecided: bool = False  # the failure is written and what follows from it is not
    failed_at: Finished | None = None  # the edge that led to a failure outcome
    undone: list[tuple[str, str]] = field(default_factory=list)  # (edge, undo) that a rollback has run
    blocked: str = ""  # why

    def __post_init__(self) -> None:
        self.reached.setdefault(self.state)

    def apply(self, record: Record) -> None:
        """Take one record of this node into account."""
        change = _CHANGES.get(record.kind)
        if change is not None:
            change(self, record)

    @property
    def edge(self) -> Finished | None:
        """The edge that the node is in flight on, and where it began; None between edges."""
        flight = self.table.in_flight(self.state)
        return Finished(edge=flight[1], source=flight[0]) if flight else None

    def tries_with(self, clause: int, reached: int) -> int:
        """The tries of a retry clause with one more, of an attempt that got so far.

        One that got further than all before it renews the count where the clause says so: it is the first.
        """
        renewed = reached > self.furthest and clause in self._renewing()
        return 1 if renewed else self.tries.get(clause, 0) + 1

    def _renewing(self) -> list[int]:
        """The retry clauses, of the edge it is on, whose count progress renews."""
        clauses = self.table.edges[self.edge.edge].retry if self.edge is not None else []
        return [index for index, clause in enumerate(clauses) if clause.renew == "progress"]

    def get_on(self, reached: int) -> None:
        """An attempt failed, of whatever, that had got so far."""
        if reached > self.furthest:
            self.furthest = reached
            for clause in self._renewing():
                self.tries.pop(clause, None)

    def settle(self, at: float) -> None:
        """Count what an interrupted attempt or wait had used of its deadline when the journal ends."""
        if self.intent is not None:
            self.used = self.intent.used + max(0.0, at - self.intent.at)
        elif self.waiting is not None:
            self.used = self.waiting.used + min(self.waiting.delay, max(0.0, at - self.waiting.at))
        self.intent = self.waiting = None


@dataclass(slots=True)
class History:
    """A whole journal, folded."""

    table: Table = field(repr=False)
    header: Header  # the latest: the one of the last run
    subject: str = ""  # of the last header that says one
    marks: dict[str, str] = field(default_factory=dict)  # member -> mark, by the last header that has some
    lives: dict[str, Life] = field(default_factory=dict)
    latched: dict[str, None] = field(default_factory=dict)  # signals, in the order they came
    at: float = 0.0  # seconds of the run at the last record
    seq: int = 0
    finished: bool = False  # the last run came to its end by itself

    def take(self, record: Record) -> None:
        """Take the next record into account. Raises `HistoryError`."""
        self.at, self.seq = record.at, record.seq
        self.finished = record.kind == "finished"
        if record.header is not None:
            self._take_header(record.header)
        elif record.kind == "signal":
            self.latched[record.signal] = None
        elif record.node:
            self._take_step(record)

    def missing(self, names: Iterable[str]) -> list[str]:
        """Nodes that the journal knows and these names, a plan's, do not hold."""
        planned = set(names)
        return [name for name in self.lives if name not in planned]

    def _take_header(self, header: Header) -> None:
        spec = self.table.spec
        if (header.machine, header.version) != (spec.machine, spec.version):
            raise HistoryError(
                f"the journal is of machine {header.machine!r} version {header.version}, and this is "
                f"{spec.machine!r} version {spec.version}: finish the run with the program that began it "
                f"({header.program or 'unknown version'}), or begin anew with an empty state folder"
            )
        self.header = header
        self.subject = header.subject or self.subject
        self.marks.update(zip((name for name, _ in header.members), header.marks, strict=False))
        for name, role in header.members:
            self.lives.setdefault(name, Life(name, role, spec.initial, self.table)).role = role

    def _take_step(self, record: Record) -> None:
        life = self.lives.get(record.node)
        if life is None:
            raise Misfit(f"record {record.seq} is of node {record.node!r}, which no header names")
        refuse_unknown(record, self.table)
        try:
            life.apply(record)
        except OutOfPlace as error:
            raise Misfit(f"record {record.seq} does not fit what {record.node} was doing") from error


def fold(
    records: Iterable[Record], table: Table, look: Callable[[Record, History | None], None] | None = None
) -> History | None:
    """The history that the records tell; None when there are none.

    `look` sees each before it is taken; all but the first say what their kind must say by then.

    Raises `HistoryError` when they are of another machine or version, name what this one lacks, or do not
    say what their kind must say.
    """
    history: History | None = None
    for record in records:
        if history is not None:
            refuse_lack(record)
        if look is not None:
            look(record, history)
        if history is None:
            history = begun(record, table)
        else:
            history.take(record)
    if history is not None:
        for life in history.lives.values():
            life.settle(history.at)
    return history


def begun(record: Record, table: Table) -> History:
    """The history that a journal's first record begins. Raises `HistoryError`."""
    if record.kind != "header" or record.header is None:
        raise Misfit(f"the journal begins with a record {record.kind!r} instead of its header")
    history = History(table, record.header)
    history.take(record)
    return history


# -- what each kind of record changes ---------------------------------------------------------------


def _on_state(life: Life, record: Record) -> None:
    left = life.edge
    life.state = record.to
    life.reached.setdefault(record.to)
    if life.edge is not None:
        _begin_edge(life)
    elif left is None:
        _leave_without_action(life, record)
    elif life.undecided:
        life.failed_at, life.undecided = left, False
    else:
        _finish_edge(life, left)


def _begin_edge(life: Life) -> None:
    """A new edge begins, with new counters. A doubt about this very edge outlives its new beginning."""
    _reset_counters(life)
    life.failed_at = None
    if life.edge is not None and life.doubt != life.edge.edge:
        life.doubt = ""


def _finish_edge(life: Life, left: Finished) -> None:
    if life.table.edges[left.edge].undo:
        life.finished.append(left)
    _reset_counters(life)
    life.doubt = ""


def _leave_without_action(life: Life, record: Record) -> None:
    if life.table.outcome(record.to) == "failure":
        life.failed_at = Finished(record.edge, record.source)
    elif record.edge and life.table.edges[record.edge].undo:
        life.finished.append(Finished(record.edge, record.source))


def _reset_counters(life: Life) -> None:
    life.attempt, life.used, life.furthest = 0, 0.0, 0
    life.tries.clear()
    life.intent, life.waiting, life.failure = None, None, None
    life.undecided = life.achieved = False


def _on_intent(life: Life, record: Record) -> None:
    life.attempt, life.used = record.attempt, record.used
    life.intent, life.waiting = record, None
    life.doubt = record.edge


def _on_done(life: Life, _record: Record) -> None:
    life.intent, life.doubt, life.achieved = None, "", True


def _on_probed(life: Life, record: Record) -> None:
    life.attempt, life.used = record.attempt, record.used
    life.intent, life.waiting, life.doubt = None, None, ""
    life.achieved = record.found


def _on_error(life: Life, record: Record) -> None:
    unanswered = life.intent is None and life.doubt == record.edge  # the probe itself failed
    life.doubt = record.edge if record.ambiguous or unanswered else ""
    life.attempt, life.used = record.attempt, record.used
    life.intent = life.waiting = None
    life.failure, life.undecided = record.failure, True
    life.get_on(record.reached)
    clause = _charged(life, record)
    if clause is not None:
        life.tries[clause] = life.tries.get(clause, 0) + 1


def _charged(life: Life, record: Record) -> int | None:
    """By the class, and not by the number: a journal may be of a version whose clauses stood elsewhere."""
    return life.table.retry_index(record.edge, record.failure) if record.failure else None


def _on_retry(life: Life, record: Record) -> None:
    life.waiting, life.undecided = record, False


def _on_undone(life: Life, record: Record) -> None:
    life.undone.append((record.edge, record.undo))


def _on_blocked(life: Life, record: Record) -> None:
    life.blocked = record.reason


def _on_stopped(life: Life, record: Record) -> None:
    life.settle(record.at)


def _on_resumed(life: Life, record: Record) -> None:
    life.blocked = ""
    if record.to == life.state:
        life.used = record.used
        life.doubt = life.doubt or (record.edge if record.attempt else "")
        return
    _forget_undone(life)
    _reset_counters(life)
    life.state, life.failed_at = record.to, None
    life.doubt = record.edge


def _forget_undone(life: Life) -> None:
    undone = {edge for edge, _ in life.undone}
    life.finished = [entry for entry in life.finished if entry.edge not in undone]
    life.undone.clear()


_CHANGES: Mapping[str, Callable[[Life, Record], None]] = {
    "state": _on_state,
    "intent": _on_intent,
    "done": _on_done,
    "probed": _on_probed,
    "error": _on_error,
    "retry": _on_retry,
    "undone": _on_undone,
    "blocked": _on_blocked,
    "stopped": _on_stopped,
    "resumed": _on_resumed,
}
