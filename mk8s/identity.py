"""Whose a journal is: whether the cluster of a manifest is the one that a run was begun with. Pure.

A name alone says little: many manifests lie in a `cluster.yaml`, and many clusters have a `srv-1`. What a
cluster is are its machines. So the header of a run keeps the cluster's name and each node's address, and a
manifest is of the same cluster

- when one node at least has the same name at the same address: manifests grow, and are renamed; or
- when nothing is on any node yet, and the name is the same: then an address was mistaken, and is mended.

What is refused here, a run could not follow anyway (`mk8s.changes`). Journals that say nothing of whose
they are (of older versions) are taken as they come.

A simulated run says whose it is, too, and that it is simulated: who only looks may look at it, and is told
so; no run goes on from what was done to nobody (`simulation_in`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from machines import Header, History, Record
from mk8s.changes import UNTOUCHED
from mk8s.cluster import Cluster
from mk8s.errors import UsageError

__all__ = [
    "Simulation",
    "is_of",
    "is_simulated",
    "marks_of",
    "refuse_other_cluster",
    "refuse_simulated",
    "simulation_in",
]


def marks_of(cluster: Cluster) -> tuple[str, ...]:
    """What each node is known by beside its name, in their order."""
    return tuple(node.address for node in cluster.nodes)


def is_of(cluster: Cluster, history: History) -> bool:
    """Whether the run is one of this cluster, as far as its journal says whose it is."""
    if not history.marks:
        return True
    if any(history.marks.get(node.name) == node.address for node in cluster.nodes):
        return True
    states = (life.state.partition("~")[0] for life in history.lives.values())
    return history.subject == cluster.name and all(state in UNTOUCHED for state in states)


def refuse_other_cluster(cluster: Cluster, history: History, journal: Path) -> None:
    """Raises UsageError where the journal, which lies there, is of another cluster."""
    if is_of(cluster, history):
        return
    ours = {node.name: node.address for node in cluster.nodes}
    shared = [name for name in history.marks if name in ours]
    same = [name for name, address in history.marks.items() if not shared and address in ours.values()]
    remedy = "name the manifest of that run, or with --state the folder of this cluster's own runs"
    if same:
        back = f"{history.marks[same[0]]} is to be {same[0]} again, for no node can be renamed yet"
        remedy = f"{back}; or {remedy}"
    raise UsageError(
        f"{journal} is of another cluster than {cluster.source}",
        cause=f"{_told(history.subject, history.marks, shared)} there, "
        f"and {_told(cluster.name, ours, shared)} in the manifest",
        remedy=remedy,
    )


@dataclass(frozen=True, slots=True)
class Simulation:
    """A journal that lies there and is a simulation's: all of it, or from a record on."""

    journal: Path
    first: int  # number of that record, from 1

    @property
    def words(self) -> str:
        """What it is, for whoever is told what it says."""
        since = "it says" if self.first == 1 else f"it says from record {self.first} on"
        return f"{self.journal} is of a simulation: nothing of what {since} was done to any node"

    @property
    def remedy(self) -> str:
        """What to do with it, after its name: no run goes on from it."""
        return "away, and put this cluster's own journal back if it has one"


def is_simulated(header: Header) -> bool:
    """Whether what follows this header was done to nobody.

    Older versions said it by the wall clock alone, which every real run has told since the first.
    """
    return header.simulated or not header.started


def simulation_in(records: Sequence[Record], journal: Path) -> Simulation | None:
    """The simulation that wrote the journal, which lies there, or went on with it; None: runs wrote it."""
    first = next((record.seq for record in records if record.header and is_simulated(record.header)), 0)
    return Simulation(journal, first) if first else None


def refuse_simulated(records: Sequence[Record], journal: Path) -> None:
    """Raises UsageError where the journal, which lies there, is a simulation's from some record on."""
    found = simulation_in(records, journal)
    if found is None:
        return
    raise UsageError(
        f"{journal} is of a simulation: no run can go on from it",
        cause=f"nothing of what it says was done to any node (from record {found.first} on)",
        remedy=f"move it {found.remedy}; mk8s simulate --from-state goes on from one",
    )


def _told(cluster: str, addresses: Mapping[str, str], shared: Sequence[str]) -> str:
    """A cluster by one of its nodes: one that the other has too, where there is one."""
    name = next(iter(shared or addresses))
    return f"{name} of {cluster!r} is {addresses[name]}"
