"""An earlier run as it stands in a state folder: for those who compare it or learn from it.

It only reads, takes no lock, and looks at nothing beside the folder: release files and keys may be gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from machines import JournalDamaged, Record, read_journal
from machines.files import JOURNAL
from machines.vetting import Misfit, refuse_lack
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro, load_distro
from mk8s.errors import Mk8sError
from mk8s.manifest.reading import load_cluster_text
from mk8s.past import as_mk8s_error
from mk8s.state import StateFolder
from mk8s.tables import node_machine
from mk8s.timeline import Timeline, timeline_of
from mk8s.transcript import Transcript, read_transcript

__all__ = ["EarlierRun", "read_earlier"]


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """All that was kept of a run."""

    folder: Path
    cluster: Cluster  # as the manifest of its last run said
    distro: Distro
    records: Sequence[Record]
    transcript: Transcript
    timeline: Timeline

    @property
    def begun(self) -> str:
        """By the wall clock there, to the minute, for people; empty: nobody wrote it down."""
        text = next((record.header.started for record in self.records if record.header), "")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return ""
        return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def read_earlier(folder: Path) -> EarlierRun:
    """Raises Mk8sError where no run was kept there, or one that cannot be read.

    Only times are taken from it, so it need not be trusted as a folder is that a run goes on in, nor be of
    this version's machine.
    """
    state = StateFolder(folder.absolute())
    try:
        records = read_journal(state.journal)
        for record in records:
            refuse_lack(record)
        text = state.accepted_manifest.read_text(encoding="utf-8")
    except (JournalDamaged, Misfit) as error:
        raise as_mk8s_error(error, state.journal / JOURNAL) from error
    except OSError as error:
        file = Path(error.filename or state.accepted_manifest)
        raise _nothing_there(folder, f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _nothing_there(folder, f"{state.accepted_manifest} is no text in UTF-8") from error
    if not records:
        raise _nothing_there(folder, "it holds no journal")
    cluster = load_cluster_text(text, state.accepted_manifest).cluster
    distro = load_distro(cluster.distro)
    transcript = _transcript(state.transcript, records)
    spec = node_machine(cluster, pacing=distro.pacing(cluster))
    return EarlierRun(folder, cluster, distro, records, transcript, timeline_of(records, spec, transcript))


def _transcript(file: Path, records: Sequence[Record]) -> Transcript:
    started = [record.header.started for record in records if record.header]
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return read_transcript(lines, started)
    except OSError:
        return Transcript()


def _nothing_there(folder: Path, why: str) -> Mk8sError:
    near = [*folder.glob("*/journal"), *folder.glob(".mk8s/*/journal")]
    meant = f"did you mean {near[0].parent}? " if near else ""
    return Mk8sError(
        f"{folder} is not the state folder of an earlier run",
        cause=why,
        remedy=f"{meant}name the folder that has journal/ and transcript.jsonl: .mk8s/NAME beside a manifest",
    )
