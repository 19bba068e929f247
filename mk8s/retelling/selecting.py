"""Which records are wanted: by node, kind, edge, time, and whether they tell of trouble. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from machines import MachineSpec, Record
from machines.records import Kind
from machines.words import did_you_mean
from mk8s.errors import UsageError
from mk8s.project import Project
from mk8s.retelling.lines import Entry
from mk8s.transcript import StepDone

__all__ = ["Selection", "nodes_named", "selection_of"]

ROLES = ("primary", "server", "agent")
TROUBLE = {"error", "lost", "budget", "blocked"}


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted; nothing said is everything wanted. Seconds are those of the run."""

    nodes: Collection[str] | None = None
    kinds: Collection[str] = ()
    edges: Collection[str] = ()
    errors: bool = False
    since: float | None = None
    until: float | None = None

    def takes(self, entry: Entry) -> bool:
        """Whether a record, or a step, is wanted."""
        return self._takes_record(entry) if isinstance(entry, Record) else self._takes_step(entry)

    def _takes_record(self, record: Record) -> bool:
        return (
            self._takes_time(record.at)
            and (self.nodes is None or record.node in self.nodes)
            and (not self.kinds or record.kind in self.kinds)
            and (not self.edges or record.edge in self.edges)
            and (not self.errors or _is_trouble(record))
        )

    def _takes_time(self, at: float) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)

    def _takes_step(self, step: StepDone) -> bool:
        """Of kinds and edges a transcript knows nothing: then none is."""
        return (
            not (self.kinds or self.edges)
            and self._takes_time(step.ended)
            and (self.nodes is None or step.node in self.nodes)
            and (not self.errors or step.status != 0)
        )


def _is_trouble(record: Record) -> bool:
    return record.kind in TROUBLE or (record.kind == "undone" and bool(record.lineage))


def selection_of(
    project: Project,
    spec: MachineSpec,
    nodes: Sequence[str],
    kinds: Sequence[str],
    edges: Sequence[str],
    *,
    members: Iterable[str] = (),
) -> Selection:
    """From the words of a command line. `members`: names that the journal knows and the manifest may not.

    Raises UsageError for a node, a kind or an edge that does not exist.
    """
    _refuse_unknown("kind of record", kinds, get_args(Kind))
    _refuse_unknown("edge", edges, [edge.name for edge in spec.edges])
    known = set(members)
    named = [name for word in nodes for name in nodes_named(project, word, known)]
    return Selection(set(named) if nodes else None, set(kinds), set(edges))


def nodes_named(project: Project, word: str, members: Collection[str] = ()) -> list[str]:
    """The nodes that a word names: a node's name or address, or a role. Raises UsageError."""
    names = {node.name for node in project.cluster.nodes}
    if word in ROLES and word not in names:
        return [node.name for node in project.cluster.nodes if node.role == word]
    return [word] if word in members else [project.node(word).name]


def _refuse_unknown(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise UsageError(f"there is no {what} {word!r}", remedy=did_you_mean(word, known))
