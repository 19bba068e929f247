"""What is read for a page: a journal that lies somewhere as a file, and the transcript beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from machines import History, HistoryError, JournalDamaged, Record, Table, fold
from machines.framing import parse
from mk8s.disks import refusals_explained
from mk8s.errors import UsageError
from mk8s.past import as_mk8s_error
from mk8s.project import Project
from mk8s.tables import node_machine
from mk8s.transcript import NOTHING_DONE, Transcript, read_transcript

__all__ = ["records_in", "transcript_beside"]


def records_in(file: Path, project: Project) -> Sequence[Record]:
    """A journal's records. Raises UsageError where there is none, Mk8sError for one that does not fit."""
    with refusals_explained(file, "read", {}, UsageError, "name a file of `mk8s simulate --journal`"):
        data = file.read_bytes()
    try:
        records = parse(data, str(file)).records
        history = _history(records, project)
    except (JournalDamaged, HistoryError) as error:
        raise as_mk8s_error(error) from error
    if history is None:
        raise UsageError(f"{file} holds no record", remedy="name a file of `mk8s simulate --journal`")
    return records


def _history(records: Sequence[Record], project: Project) -> History | None:
    spec = node_machine(project.cluster)
    return fold(records, Table(spec, {name.lstrip("!"): bool for edge in spec.edges for name in edge.guard}))


def transcript_beside(file: Path, records: Sequence[Record]) -> Transcript:
    """What was done in the run of these records; nothing where no transcript was kept."""
    started = [record.header.started for record in records if record.header]
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return read_transcript(lines, started)
    except OSError:
        return NOTHING_DONE
