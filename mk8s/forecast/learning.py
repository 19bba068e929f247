"""Durations out of an earlier run: what its commands took, as a layer of a profile.

Begin reading at `learn`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mk8s.errors import Mk8sError
from mk8s.forecast.earlier import EarlierRun, read_earlier
from mk8s.forecast.profile import Layer
from mk8s.transcript import CommandDone
from transports.simulated import Span

__all__ = ["learn", "learnt_from"]

LOWEST, HIGHEST = 0.1, 0.9  # of the times of one operation, those between are usual
NO_OPERATION = ("file.put", "file.append", "file.get")


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
    return Layer(f"learnt from {run.folder}", dict(_operations(run.transcript.commands)))


def _operations(commands: Sequence[CommandDone]) -> Iterator[tuple[str, Span]]:
    times: dict[str, list[float]] = {}
    for command in commands:
        if isinstance(command.status, int) and command.operation not in NO_OPERATION:
            times.setdefault(command.operation, []).append(command.seconds)
    for operation, found in times.items():
        found.sort()
        low, high = (found[int(share * (len(found) - 1))] for share in (LOWEST, HIGHEST))
        yield operation, Span(low, high)
