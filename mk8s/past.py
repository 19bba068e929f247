"""What stands in a journal, read without its lock: for status, explain, journal, replay, graph."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from machines import History, HistoryError, JournalDamaged, Record, fold, read_journal
from machines.files import JOURNAL
from machines.fold import Misfit
from machines.framing import looks_framed, parse
from machines.lock import Holder, holder_now
from machines.signals import listed
from mk8s.errors import Mk8sError, UsageError
from mk8s.identity import Simulation, refuse_other_cluster, simulation_in
from mk8s.project import Project
from mk8s.state import STATE_JOURNAL, TRANSCRIPT
from mk8s.tables import node_machine, table_to_read, titles_of
from mk8s.transcript import NOTHING_DONE, Transcript, beside_journal, is_of_journal, read_transcript
from mk8s.version import VERSION

__all__ = [
    "Past",
    "as_mk8s_error",
    "find_past",
    "holder_of",
    "journal_file",
    "past_of",
    "read_past",
    "read_recorded",
    "real_part",
    "refuse_no_folder",
    "transcript_beside",
    "transcript_file",
]


@dataclass(frozen=True, slots=True)
class Past:
    """A journal and the history it tells."""

    history: History
    records: Sequence[Record]
    journal: Path  # its file

    @property
    def titles(self) -> dict[str, str]:
        return titles_of(self.history.table.spec)

    @property
    def simulation(self) -> Simulation | None:
        """None: what it says was done to real nodes."""
        return simulation_in(self.records, self.journal)


def read_past(project: Project, state: Path | None) -> Past:
    """Raises Mk8sError when there is no journal, or one that cannot be trusted."""
    past = find_past(project, state)
    return past or _nothing_yet(project, state)


def _nothing_yet(project: Project, state: Path | None) -> NoReturn:
    """A run that looks at its hosts first has written nothing, and nobody is to begin another beside it."""
    folder, name = project.past_state(state).journal, project.cluster.name
    holder = holder_of(folder)
    if holder:
        raise Mk8sError(
            f"the run of {name} has written nothing yet",
            cause=f"it looks at its hosts first ({holder}); one that does not answer keeps it waiting",
            remedy=f"ask again in a moment, or wait for it: mk8s journal {project.words(state)} --follow",
        )
    refuse_no_folder(project, state)
    raise Mk8sError(
        f"{name} has not been run from here yet",
        cause=f"{folder} holds no journal",
        remedy=f"mk8s run {project.words(state)}",
    )


def refuse_no_folder(project: Project, state: Path | None) -> None:
    """Raises UsageError where a folder is named that does not exist: nobody is told to begin a run there."""
    if state is not None and not state.exists():
        own = project.past_state().folder
        ours = f"this cluster's own is {own}" if own.exists() else "it is made by the first run"
        raise UsageError(f"there is no state folder {state}", remedy=f"look at its name; {ours}")


def holder_of(folder: Path) -> Holder | None:
    """Who writes the journal in this folder at this moment; None: nobody, as far as can be seen."""
    try:
        return holder_now(folder)
    except OSError:
        return None


def real_part(project: Project, past: Past | None) -> Past | None:
    """What was done to real nodes of what a journal says; None: nothing. Raises Mk8sError."""
    simulation = past.simulation if past else None
    if past is None or simulation is None:
        return past
    return past_of(project, past.records[: simulation.first - 1], past.journal)


def find_past(project: Project, state: Path | None) -> Past | None:
    """The same; None: nothing has been run yet.

    Raises Mk8sError for one that cannot be read, or trusted, or that is of another cluster.
    """
    folder = project.past_state(state).journal
    try:
        past = past_of(project, read_journal(folder), folder / JOURNAL)
    except JournalDamaged as error:
        raise as_mk8s_error(error) from error
    except OSError as error:
        remedy = "look at what stands there"
        if isinstance(error, PermissionError):
            remedy = "look at the owner of the folder: only who ran it may read it"
        raise Mk8sError(f"the journal in {folder} cannot be read: {error.strerror}", remedy=remedy) from error
    if past is not None:
        refuse_other_cluster(project.cluster, past.history, folder / JOURNAL)
    return past


def read_recorded(project: Project, state: Path | None, file: Path | None) -> Past:
    """A run of this cluster: in the state folder, or in a file that `simulate --journal` wrote.

    Raises Mk8sError when there is no journal, one that cannot be trusted, or one of quite other nodes.
    """
    if file is None:
        return read_past(project, state)
    path = journal_file(file)
    remedy = "name a file that `mk8s simulate --journal FILE` wrote, or a state folder"
    if file.is_dir() and not path.exists():
        raise UsageError(f"the folder {file} holds no journal", remedy=remedy)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy=remedy) from error
    if data and not looks_framed(data):
        raise UsageError(f"{path} is no journal of a run", cause="it does not begin like one", remedy=remedy)
    try:
        past = past_of(project, parse(data, str(path)).records, path)
    except JournalDamaged as error:
        raise as_mk8s_error(error) from error
    if past is None:
        raise UsageError(f"{path} holds no record of a run", remedy=remedy)
    _refuse_strangers(project, past, path)
    return past


def journal_file(file: Path) -> Path:
    """The journal that a command line names: its file, its folder, or the state folder around that."""
    if not file.is_dir():
        return file
    within = file / STATE_JOURNAL / JOURNAL
    return within if within.exists() else file / JOURNAL


def _refuse_strangers(project: Project, past: Past, path: Path) -> None:
    """Whoever sent the file may have written anything into it. A node more or less is a changed manifest."""
    refuse_other_cluster(project.cluster, past.history, path)
    lives = past.history.lives
    odd = next((name for name in lives if not name.isprintable()), None)
    if odd is not None:
        raise UsageError(
            f"{path} names a node {odd!r}, as no manifest can",
            remedy="do not trust that file: no run of mk8s wrote it",
        )
    if not any(node.name in lives for node in project.cluster.nodes):
        raise UsageError(
            f"{path} is of another cluster: {project.manifest} has none of its nodes",
            remedy=f"name the manifest of that run; its nodes are {listed(lives)}",
        )


def transcript_beside(
    project: Project, state: Path | None, records: Sequence[Record], journal: Path | None = None
) -> Transcript:
    """What was done on the nodes in the run that these records tell; nothing where nothing was kept.

    `journal`: the file that they are from, where it is not the state folder's.
    """
    started = [record.header.started for record in records if record.header]
    try:
        with transcript_file(project, state, journal).open(encoding="utf-8", errors="replace") as lines:
            return read_transcript(lines, started)
    except OSError:
        return NOTHING_DONE


def transcript_file(project: Project, state: Path | None, journal: Path | None = None) -> Path:
    """Where the transcript of a run is: the state folder's, or the one beside a journal in a file.

    A file beside that is of another journal is passed over; so is one that is not there.
    """
    if journal is not None:
        with suppress(OSError):
            path = journal_file(journal)
            if path.name == JOURNAL and (path.parent.parent / TRANSCRIPT).exists():
                return path.parent.parent / TRANSCRIPT
            beside = beside_journal(path)
            with beside.open(encoding="utf-8", errors="replace") as lines:
                if is_of_journal(lines.readline(), hashlib.sha256(path.read_bytes()).hexdigest()):
                    return beside
    return project.past_state(state).transcript


def past_of(project: Project, records: Sequence[Record], path: Path) -> Past | None:
    """None: there are none. Raises Mk8sError for those from there that fit no run of this machine."""
    spec = node_machine(project.cluster, pacing=project.distro.pacing(project.cluster))
    try:
        history = fold(records, table_to_read(spec))
    except HistoryError as error:
        raise as_mk8s_error(error, path) from error
    return None if history is None else Past(history, records, path)


def as_mk8s_error(error: Exception, path: Path | None = None) -> Mk8sError:
    """The framework's words, as a problem of the person who runs mk8s. `path`: where the journal lies."""
    where = f"{path}: " if path and isinstance(error, HistoryError) else ""  # others name it themselves
    if not isinstance(error, Misfit):
        return Mk8sError(f"{where}{error}")
    return Mk8sError(
        f"{where}{error}",
        cause=f"no run of this mk8s ({VERSION}) writes that: another version did, or somebody changed it",
        remedy="use the mk8s that wrote it, or put back a copy of the file from before it was changed",
    )
