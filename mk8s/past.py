"""What stands in a cluster's journal, read without taking its lock: for status, explain and journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from machines import History, HistoryError, Journal, JournalDamaged, Record, Table, fold, read_journal
from mk8s.cluster import Cluster
from mk8s.errors import Mk8sError
from mk8s.project import Project
from mk8s.tables import node_machine

__all__ = ["Past", "as_mk8s_error", "read_past", "states_by_journal"]


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
    past = _read(project, state)
    if past is None:
        raise Mk8sError(
            f"{project.cluster.name} has not been run from here yet",
            cause=f"{project.past_state(state).journal} holds no journal",
            remedy=f"mk8s run {project.words(state)}",
        )
    return past


def states_by_journal(project: Project, state: Path | None) -> dict[str, str]:
    """Where each node is; those that no run has begun with are not in it. Raises Mk8sError."""
    past = _read(project, state)
    return {name: life.state for name, life in past.history.lives.items()} if past else {}


def _read(project: Project, state: Path | None) -> Past | None:
    """None: nothing has been run yet. Raises Mk8sError for a journal that cannot be trusted."""
    try:
        records = read_journal(project.past_state(state).journal)
        spec = node_machine(project.cluster)
        guards = {name.lstrip("!"): _never for edge in spec.edges for name in edge.guard}
        history = fold(records, Table(spec, guards))
    except (JournalDamaged, HistoryError) as error:
        raise as_mk8s_error(error) from error
    return None if history is None else Past(history, records)


def states_in(journal: Journal, cluster: Cluster) -> dict[str, str]:
    """Where each node of the manifest is, as a journal says. Raises HistoryError when it does not fit."""
    table = _table(cluster)
    history = fold(journal.records(), table)
    lives = history.lives if history else {}
    return {
        node.name: lives[node.name].state if node.name in lives else table.spec.initial
        for node in cluster.nodes
    }


def _table(cluster: Cluster) -> Table:
    spec = node_machine(cluster)
    return Table(spec, {name.lstrip("!"): _never for edge in spec.edges for name in edge.guard})


def as_mk8s_error(error: Exception) -> Mk8sError:
    """The framework's words, as a problem of the person who runs mk8s."""
    return Mk8sError(str(error))


def _never(_node: object) -> bool:
    """Guards are not asked when a journal is only read."""
    return False
