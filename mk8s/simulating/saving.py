"""A simulated run kept in files: its journal, and beside it what was done on the nodes.

``sim.jsonl`` has ``sim.transcript.jsonl`` beside it. The transcript names the journal by its sha256, so one
that was left by another run is not taken for this one's. Begin reading at `save_transcript`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mk8s.errors import UsageError
from mk8s.report.files import refuse_page, refuse_whole, write_whole
from mk8s.transcript import Transcript, beside_journal, is_of_journal, lines_of

__all__ = ["refuse_others_file", "refuse_unwritable", "save_transcript"]

OPTION = "--journal"


def refuse_unwritable(
    manifest: Path, *, report: Path | None, journal: Path | None, scenario: Path | None
) -> None:
    """Before the first run: what a thousand of them found out is not to be lost for a mistyped folder.

    Raises UsageError.
    """
    named = [file.absolute() for file in (report, journal, scenario) if file]
    if len(set(named)) < len(named):
        raise UsageError(
            "one file is named twice", remedy=f"give each of --report, {OPTION} and --save its own"
        )
    if report:
        refuse_page(report, "--report")
    if journal:
        refuse_whole(journal, manifest=manifest, option=OPTION)
        refuse_others_file(journal)
    if scenario:
        refuse_whole(scenario, manifest=manifest, option="--save")


def refuse_others_file(journal: Path) -> None:
    """Raises UsageError where the transcript would take the place of a file that is none."""
    path = beside_journal(journal)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            first = lines.readline()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy=_elsewhere()) from error
    if first and not is_of_journal(first):
        raise UsageError(
            f"{path} is there already, and is no transcript of a simulation",
            cause=f"the steps of the run are kept there, beside {journal}",
            remedy=_elsewhere(),
        )


def save_transcript(journal: Path, content: bytes, transcript: Transcript, *, manifest: Path) -> Path | None:
    """Keep the transcript of a run beside its journal, which has this content. Returns where.

    None: the journal is no file that something can lie beside, but a pipe or a device. Raises UsageError.
    """
    if not journal.is_file():
        return None
    refuse_others_file(journal)
    text = "".join(lines_of(transcript, hashlib.sha256(content).hexdigest()))
    path = beside_journal(journal)
    write_whole(path, text.encode(), manifest=manifest, option=OPTION)
    return path


def _elsewhere() -> str:
    return f"name another file with {OPTION}, or move that one away"
