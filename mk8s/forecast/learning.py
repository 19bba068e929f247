"""Durations out of an earlier run, as a layer of a profile. Begin reading at `learn`.

First what its commands took (`measuring`), then what its services took and the rest, by simulating the same
run until both take the same time (`calibrating`).
"""

from __future__ import annotations

from pathlib import Path

from mk8s.errors import Mk8sError
from mk8s.forecast.calibrating import calibrated
from mk8s.forecast.earlier import EarlierRun, read_earlier
from mk8s.forecast.measuring import measured
from mk8s.forecast.profile import Layer

__all__ = ["learn", "learnt_from"]


def learn(folder: Path) -> Layer:
    """Raises Mk8sError where there is no run, or one that wrote no times."""
    return learnt_from(read_earlier(folder))


def learnt_from(run: EarlierRun) -> Layer:
    """The same of a run that was read. Raises Mk8sError."""
    if not run.transcript.commands:
        raise Mk8sError(
            f"nothing can be learnt from {run.folder}",
            cause="its transcript has no times of commands",
            remedy="use a run of this version of mk8s: mk8s run writes them",
        )
    words = f"learnt from {run.folder} ({run.cluster.distro} {run.cluster.version})"
    return calibrated(run, measured(run.transcript.commands, words, run.cluster.bandwidth))
