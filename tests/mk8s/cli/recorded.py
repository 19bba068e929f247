"""A cluster's folder with a simulated run in it, for tests of verbs that read what happened."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from machines import Record
from machines.framing import frame
from machines.simulation import FaultPlan, ScriptedFault
from mk8s.project import load_project
from mk8s.rehearsal import Conditions, Rehearsal, rehearse

__all__ = ["MANIFEST", "as_real", "keep", "manifest_in", "run_of"]

MANIFEST = """\
name: six
distro: rke2
version: v1.33.4+rke2r1
nodes:
  - {name: srv-1, address: 192.0.2.11, user: ops, role: server, primary: true}
  - {name: srv-2, address: 192.0.2.12, user: ops, role: server}
  - {name: srv-3, address: 192.0.2.13, user: ops, role: server}
  - {name: agent-1, address: 192.0.2.21, user: ops, role: agent}
  - {name: agent-2, address: 192.0.2.22, user: ops, role: agent}
"""


def manifest_in(folder: Path) -> Path:
    """The manifest above, in a folder."""
    path = folder / "cluster.yaml"
    path.write_text(MANIFEST)
    return path


def run_of(manifest: Path, *faults: ScriptedFault) -> Rehearsal:
    """A simulated run of it, with its transcript."""
    project = load_project(manifest)
    plan = FaultPlan(scripted=faults)
    return rehearse(Conditions(project.cluster, project.distro), faults=plan, keep_transcript=True)


def as_real(records: Sequence[Record], started: str = "2026-11-20T09:00:00+00:00") -> list[Record]:
    """As a run on real nodes would have written them, which began then by the wall clock."""
    return [
        replace(record, header=replace(record.header, simulated=False, started=started))
        if record.header
        else record
        for record in records
    ]


def keep(
    manifest: Path,
    records: Sequence[Record],
    transcript: Sequence[Mapping[str, Any]] = (),
    tail: bytes = b"",
    name: str = "six",
) -> Path:
    """These records, as the journal of the cluster's state folder; `tail` behind them. The file."""
    state = manifest.parent / ".mk8s" / name
    (state / "journal").mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (state.parent, state, state / "journal"):
        folder.chmod(0o700)
    (state / "transcript.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in transcript))
    journal = state / "journal" / "journal.jsonl"
    journal.write_bytes(b"".join(map(frame, records)) + tail)
    return journal
