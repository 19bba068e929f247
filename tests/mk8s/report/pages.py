"""Runs to make pages of: rehearsed, with faults or without; and a hostile one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from machines import Record
from machines.records import Header
from machines.simulation import FAULT_KINDS, FaultPlan
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions, rehearse
from mk8s.report.run import View
from mk8s.rollout import titles_of
from mk8s.tables import node_machine
from mk8s.timeline import timeline_of
from mk8s.transcript import CommandDone, StepDone, Transcript
from tests.mk8s.examples import cluster

__all__ = ["EVIL", "NAMES", "hostile", "rehearsed"]

EVIL = '</script><img src=x onerror="hacked=1"><script>hacked=1</script>\'"&<b>\x1b[31m\u202e'
NAMES = (
    "a</title><script>hacked=1</script>",
    'b\'" onmouseover=hacked=1 x="',
    "c--><!--<svg onload=hacked=1>",
)


@cache
def rehearsed(agents: int = 3, faults: float = 0.0, seed: int = 0) -> View:
    """Three servers and so many agents."""
    made, distro = cluster(agents=agents), load_distro("rke2")
    rates = dict.fromkeys(FAULT_KINDS, faults / len(FAULT_KINDS))
    plan = FaultPlan(seed, rates) if faults else None
    run = rehearse(Conditions(made, distro), seed, faults=plan, keep_transcript=True)
    spec = node_machine(made, pacing=distro.pacing(made))
    return View(
        cluster=made,
        timeline=timeline_of(run.records, spec, run.transcript),
        titles=titles_of(spec),
        transcript=run.transcript,
        simulated=f"seed {seed}",
    )


def half() -> View:
    """Somebody asks while a run goes on: some edges are done, others are not."""
    made, distro = cluster(agents=3), load_distro("rke2")
    records = rehearse(Conditions(made, distro)).records
    spec = node_machine(made, pacing=distro.pacing(made))
    timeline = timeline_of(records[: len(records) // 2], spec)
    return View(cluster=made, timeline=timeline, titles=titles_of(spec), simulated="seed 0")


def hostile() -> View:
    """A run in which every word that somebody else may choose wants out of its place."""
    made = replace(cluster(), name=EVIL, version=EVIL)
    spec = node_machine(made)
    members = tuple(zip(NAMES, ("primary", "server", "agent"), strict=True))
    records = [
        Record(
            seq=1,
            at=0.0,
            kind="header",
            header=Header(
                schema=1,
                machine="node",
                version=1,
                machine_digest="",
                members=members,
                program=EVIL,
                started=EVIL,
            ),
        )
    ]

    def add(at: float, node: str, kind: str, **fields: object) -> None:
        values = {"seq": len(records) + 1, "at": at, "kind": kind, "node": node, **fields}
        records.append(Record(**values))  # type: ignore[arg-type]

    for node in NAMES:
        add(1.0, node, "state", edge="stage", source="pending", to="pending~stage")
        add(1.0, node, "intent", edge="stage", attempt=1)
        add(9.0, node, "error", edge="stage", attempt=1, lineage=(EVIL,), message=f"{EVIL}\n    | {EVIL}",
            remedy=EVIL)  # fmt: skip
        add(9.0, node, "state", edge="stage", source="pending~stage", to="failed")
    add(9.0, "", "lost", signal="servers-healthy", reason=EVIL)
    transcript = Transcript(
        [CommandDone(NAMES[0], EVIL, EVIL, 1.0, 5.0, 1, 9, changed=True)],
        [StepDone(NAMES[0], "upload", EVIL, 1.0, 5.0, 1, 9, changed=True)],
    )
    return View(
        cluster=made,
        timeline=timeline_of(records, spec, transcript),
        titles=titles_of(spec),
        transcript=transcript,
        kept_in=EVIL,
    )
