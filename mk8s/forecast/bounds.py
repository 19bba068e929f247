"""What the length of a run consists of, by cause: which one bounds it. Pure.

The critical path is cut into what files took on their way and what each edge took beside; the same cause on
several nodes is one. Begin reading at `bounds_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from machines import EdgeSpec, MachineSpec
from mk8s.transcript import StepDone

__all__ = ["GAVE_BACK", "Bound", "PathLeg", "bounds_of"]

UPLOAD = "upload"
GAVE_BACK = "gave its place back"  # as `machines.critical` says it
NAMED = 3  # nodes that are all named


@dataclass(frozen=True, slots=True)
class PathLeg:
    """One leg of the critical path, in seconds of the run."""

    node: str
    edge: str
    title: str  # of the edge
    began: float
    ended: float
    after: str  # what let it begin, in words; empty: the leg before
    steps: tuple[StepDone, ...]

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Bound:
    """One cause, and how much of the run's length it is."""

    words: str
    seconds: float
    share: float  # of the run, 0 to 1


@dataclass(slots=True)
class _Cause:
    """What legs have in common."""

    seconds: float
    nodes: dict[str, None]
    queued: bool = False  # one of them waited until another gave its place back


def bounds_of(path: Sequence[PathLeg], spec: MachineSpec) -> tuple[Bound, ...]:
    """The causes of a run's length, the longest first."""
    edges = {edge.name: edge for edge in spec.edges}
    total = sum(leg.seconds for leg in path)
    causes: dict[tuple[str, str], _Cause] = {}
    for leg in path:
        sent = min(leg.seconds, sum(step.seconds for step in leg.steps if step.kind == UPLOAD))
        _add(causes, (UPLOAD, leg.edge), leg, sent)
        _add(causes, ("", leg.edge), leg, leg.seconds - sent)
    found = [
        Bound(_words(kind == UPLOAD, edges[edge], cause, spec), cause.seconds, cause.seconds / total)
        for (kind, edge), cause in causes.items()
    ]
    return tuple(sorted(found, key=lambda bound: -bound.seconds))


def _add(causes: dict[tuple[str, str], _Cause], key: tuple[str, str], leg: PathLeg, seconds: float) -> None:
    if seconds <= 0:
        return
    cause = causes.setdefault(key, _Cause(0.0, {}))
    cause.seconds += seconds
    cause.nodes[leg.node] = None
    cause.queued |= leg.after.endswith(GAVE_BACK)


def _words(upload: bool, edge: EdgeSpec, cause: _Cause, spec: MachineSpec) -> str:
    places = spec.limits[edge.limit] if cause.queued and edge.limit else 0
    pace = f", {'one' if places == 1 else places} at a time ({edge.limit})" if places else ""
    what = "the upload" if upload else edge.title or edge.name
    return f"{what}{pace}: {_named(list(cause.nodes))}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
