"""What stands in a cluster's journal, read without taking its lock: for status, explain and journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from machines import History, HistoryError, JournalDamaged, Record, Table, fold, read_journal
from mk8s.errors import Mk8sError
from mk8s.project import Project
from mk8s.tables import node_machine

__all__ = ["Past", "as_mk8s_error", "read_past"]


@dataclass(frozen=True, slots=True)
class Past:
    """A journal and the history it tells."""

    history: History
    records: Sequence[Record]

    @property
    def titles(self) -> dict[str, str]:
        return {edge.name: edge.title or edge.name for edge in self.history.table.spec.edges}


def read_past(project: Project, state: Path | None) -> Past:
    """Raises Mk8sError when there is no journal, or one that cannot be trusted."""
    folder = project.past_state(state)
    try:
        records = read_journal(folder.journal)
        spec = node_machine(project.cluster)
        guards = {name.lstrip("!"): _never for edge in spec.edges for name in edge.guard}
        history = fold(records, Table(spec, guards))
    except (JournalDamaged, HistoryError) as error:
        raise as_mk8s_error(error) from error
    if history is None:
        raise Mk8sError(
            f"{project.cluster.name} has not been run from here yet",
            cause=f"{folder.journal} holds no journal",
            remedy=f"mk8s run {project.words(state)}",
        )
    return Past(history, records)


def as_mk8s_error(error: Exception) -> Mk8sError:
    """The framework's words, as a problem of the person who runs mk8s."""
    return Mk8sError(str(error))


def _never(_node: object) -> bool:
    """Guards are not asked when a journal is only read."""
    return False
