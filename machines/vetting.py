"""Whether a record from disk is one that a run of this machine can have written. Pure.

A checksum says that a line is as it was written, and nothing of who wrote it. Types and numbers are the
business of `records`, numbering that of `framing`, and where a member can be that of the fold, which asks
here for the rest: that states and edges exist, and that a record says what everyone who reads it relies on.
So nobody need doubt a record that was folded. Begin reading at `lack_of`.
"""

from __future__ import annotations

from collections.abc import Mapping

from machines.records import Kind, Record
from machines.table import Table

__all__ = ["HistoryError", "Misfit", "lack_of", "refuse_lack", "refuse_unknown"]


class HistoryError(ValueError):
    """The journal does not fit the machine or the plan. Nothing was touched."""


class Misfit(HistoryError):  # noqa: N818 - it says what is wrong
    """A record that no run of this machine writes."""


DEEPEST = 20  # levels of evidence: of what is deeper, not every reader comes out again
OF_NO_NODE: tuple[Kind, ...] = ("header", "signal", "lost", "budget", "finished")
OF_AN_EDGE = ("node", "edge")
SAYS: Mapping[Kind, tuple[str, ...]] = {
    "header": ("header",),
    "state": (*OF_AN_EDGE, "source", "to"),
    "probed": OF_AN_EDGE,
    "intent": (*OF_AN_EDGE, "attempt"),
    "done": OF_AN_EDGE,
    "error": (*OF_AN_EDGE, "lineage"),
    "retry": OF_AN_EDGE,
    "undo": (*OF_AN_EDGE, "undo"),
    "undone": (*OF_AN_EDGE, "undo"),
    "signal": ("signal",),
    "lost": ("signal",),
    "blocked": ("node", "reason"),
}
"""Fields that may not keep their default, by kind."""


def lack_of(record: Record) -> str:
    """What is wrong with the record by itself, in words; empty: nothing."""
    missing = [name for name in SAYS.get(record.kind, ()) if not getattr(record, name)]
    if missing:
        return f"a record of kind {record.kind!r} has to say its {' and its '.join(missing)}"
    if record.node and record.kind in OF_NO_NODE:
        return f"a record of kind {record.kind!r} is of the whole run"
    if record.kind == "resumed" and not (record.header or (record.node and record.to)):
        return "a record of kind 'resumed' has a header, or says which node continues, and its to"
    if record.header is not None and record.kind not in ("header", "resumed"):
        return f"a record of kind {record.kind!r} has no header"
    if record.kind in ("signal", "lost") and not _are_names(record.evidence.get("members", [])):
        return "the members that brought a signal are no list of names"
    return "its evidence is nested without end" if _is_deep(record.evidence, DEEPEST) else ""


def _is_deep(value: object, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return left == 0 or any(_is_deep(each, left - 1) for each in inner)


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def refuse_lack(record: Record) -> None:
    """Raises `Misfit` for a record that does not say what its kind must say."""
    lack = lack_of(record)
    if lack:
        who = record.node or "the run"
        raise Misfit(f"record {record.seq} does not fit what {who} was doing: {lack}")


def refuse_unknown(record: Record, table: Table) -> None:
    """Raises `Misfit` for a state or an edge that the machine does not have."""
    for state in (record.source, record.to):
        if state and state not in table.states:
            raise Misfit(
                f"{record.node}: the journal says state {state!r} (record {record.seq}), and machine "
                f"{table.spec.machine!r} version {table.spec.version} has no such state"
            )
    if record.edge and record.edge not in table.edges:
        raise Misfit(
            f"{record.node}: the journal says edge {record.edge!r} (record {record.seq}), and machine "
            f"{table.spec.machine!r} version {table.spec.version} has no such edge"
        )
