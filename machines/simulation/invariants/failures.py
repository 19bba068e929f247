"""Laws of failure: how long a node waits before it tries again, and what is left of it when it gives up.

Whether an attempt is repeated at all is `tries`' to say. Begin reading at `BackOffKept.see`, then
`CatchKept.see`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from machines.errors import ANY
from machines.records import Record
from machines.simulation.invariants.law import MOMENT, Invariant, Rules, charged
from machines.spec import Catch, EdgeSpec, Retry

__all__ = ["BackOffKept", "CatchKept"]

LEAST_SHARE = {"none": 1.0, "equal": 0.5, "full": 0.0}  # of a wait that jitter may leave


class BackOffKept(Invariant):
    """From the retry that announces a wait to the first thing that its node does then."""

    name: ClassVar[str] = "back-off-kept"
    claim: ClassVar[str] = "a retry waits as long as its clause says, and no attempt begins before that"
    reason: ClassVar[str] = "a host that is hammered does not come up, and a whole group at once is a flood"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._errors: dict[str, dict[int, int]] = {}  # node -> clause -> failures on this edge
        self._until: dict[str, float] = {}  # node -> when its wait is over

    def see(self, record: Record) -> None:
        kind, node = record.kind, record.node
        if kind == "retry":
            self._on_retry(record)
        elif kind in ("intent", "probed", "error"):
            self._begin(node, record.at, record)
            if kind == "error":
                errors = self._errors.setdefault(node, {})
                clause = charged(self._edges[record.edge], record.lineage)
                errors[clause] = errors.get(clause, 0) + 1
        elif kind == "state":
            self._errors.pop(node, None)
            self._until.pop(node, None)
        elif record.header is not None:  # a run that goes on does so at once
            self._until.clear()

    def probe(self, node: str, edge: str, at: float) -> None:  # noqa: ARG002 - it is on one edge
        self._begin(node, at)

    def _begin(self, node: str, at: float, record: Record | None = None) -> None:
        until = self._until.pop(node, 0.0)
        if at < until - MOMENT:
            raise self.broken(f"{node} went on at second {at:g}, and was to wait until {until:g}", record)

    def _on_retry(self, record: Record) -> None:
        if self.is_past(record):
            return
        self._until[record.node] = record.at + record.delay
        clause = self._edges[record.edge].retry[record.clause]
        tries = self._errors.get(record.node, {}).get(record.clause, 1)
        fewest = 1 if clause.renew == "progress" else tries  # when it began anew, `tries-kept` knows
        least = min(_wait(clause, fewest), _wait(clause, tries)) * LEAST_SHARE[clause.jitter]
        most = max(_wait(clause, fewest), _wait(clause, tries))
        if not least - MOMENT <= record.delay <= most + MOMENT:
            raise self.broken(f"it was to wait {least:g} to {most:g} s after failure {tries}", record)


def _wait(clause: Retry, tries: int) -> float:
    """Seconds, before jitter. Multiplied one by one: no number of tries is too great for that."""
    seconds = clause.delay
    for _ in range(tries - 1):
        if seconds >= clause.max_delay or clause.backoff == 1:
            break
        seconds *= clause.backoff
    return min(seconds, clause.max_delay)


@dataclass(slots=True)
class _Past:
    """What a node has done, and is taking back."""

    finished: list[str] = field(default_factory=list)  # edges with undos, oldest first
    undone: set[tuple[str, str]] = field(default_factory=set)  # (edge, undo)
    error: Record | None = None  # the last one, as long as nothing has followed from it


class CatchKept(Invariant):
    """The books of what is to be taken back go on over a resume."""

    name: ClassVar[str] = "catch-kept"
    claim: ClassVar[str] = (
        "who gives up goes where the first catch clause that matches says; "
        "a rollback takes back all that was done, newest first"
    )
    reason: ClassVar[str] = "a node that is half taken back fits neither the next attempt nor a person"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._pasts: dict[str, _Past] = {}

    def see(self, record: Record) -> None:
        kind = record.kind
        if kind == "state":
            self._on_state(record)
        elif kind == "error":
            self._past(record).error = record
        elif kind in ("retry", "intent", "probed"):
            self._past(record).error = None
        elif kind == "undo":
            self._on_undo(record)
        elif kind == "undone":
            self._past(record).undone.add((record.edge, record.undo))
        elif kind == "resumed" and record.node and record.to in self._outcomes:
            past = self._past(record)
            taken = {edge for edge, _ in past.undone}
            past.finished = [edge for edge in past.finished if edge not in taken]
            past.undone.clear()
            past.error = None

    def _past(self, record: Record) -> _Past:
        return self._pasts.setdefault(record.node, _Past())

    def _on_state(self, record: Record) -> None:
        if record.to not in self._outcomes:  # it begins
            return
        past, edge = self._past(record), self._edges[record.edge]
        if past.error is None:
            if edge.undo and self.outcome(record.to) != "failure":
                past.finished.append(edge.name)
            return
        catch = _catch(edge, past.error)
        if not self.is_past(record):
            self._see_catch(past, catch, record)
        past.error = None

    def _see_catch(self, past: _Past, catch: Catch | None, record: Record) -> None:
        if catch is None or catch.to != record.to:
            wanted = catch.to if catch is not None else "nowhere"
            raise self.broken(f"after {record.edge} failed it was to go to {wanted}", record)
        left = self._next(past, record.edge) if catch.rollback else None
        if left is not None:
            raise self.broken(f"{left[1]} of {left[0]} has not been run", record)

    def _on_undo(self, record: Record) -> None:
        past = self._past(record)
        if self.is_past(record):
            return
        catch = _catch(self._edges[past.error.edge], past.error) if past.error is not None else None
        if past.error is None or catch is None or not catch.rollback:
            raise self.broken("nothing was to be taken back", record)
        wanted = self._next(past, past.error.edge)
        if (record.edge, record.undo) != wanted:
            told = f"{wanted[1]} of {wanted[0]}" if wanted is not None else "nothing more"
            raise self.broken(f"{told} was to be taken back", record)

    def _next(self, past: _Past, failed: str) -> tuple[str, str] | None:
        for edge in (failed, *reversed(past.finished)):
            for undo in self._edges[edge].undo:
                if (edge, undo) not in past.undone:
                    return edge, undo
        return None


def _catch(edge: EdgeSpec, error: Record) -> Catch | None:
    """The first catch clause that names one of its classes."""
    for catch in edge.catch:
        if ANY in catch.match or not set(error.lineage).isdisjoint(catch.match):
            return catch
    return None
