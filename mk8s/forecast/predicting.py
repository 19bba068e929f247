"""What a run will be like, before it begins: the manifest rehearsed with several seeds, read as a timeline.

A seed draws every duration anew within what the profile says, so many seeds give a range. The *middle seed*
is the one whose length is the median: what is told in detail (path, steps, bytes) is told of that one.

Pure but for the virtual time of the rehearsals. It knows no file, no node and no screen.
Begin reading at `forecast`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from machines import MachineSpec, Record
from machines.simulation import Broken
from mk8s.cluster import Cluster
from mk8s.errors import Mk8sError
from mk8s.forecast.basis import Basis, basis_of
from mk8s.forecast.bounds import Bound, PathLeg, bounds_of
from mk8s.forecast.profile import Profile
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from mk8s.tables import HEALTHY, node_machine, titles_of
from mk8s.timeline import Timeline, timeline_of

__all__ = ["SEEDS", "Bound", "Forecast", "Moved", "PathLeg", "Range", "forecast", "seeds_for"]

SEEDS = 20
FEWEST_SEEDS = 3
NODE_RUNS = 1500  # nodes times seeds that are rehearsed unless told otherwise: some ten seconds
KEPT = 5  # seeds at the most whose rehearsals are all kept in detail; of more, the middle one is made again
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9  # quantiles, by the nearest rank: of few seeds the lowest and the highest


@dataclass(frozen=True, slots=True)
class Range:
    """Seconds over the seeds: a tenth of them is below `low`, a tenth above `high`."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes that come to a node."""

    from_here: int = 0
    from_nodes: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected. Seconds are counted from the beginning of this run, or of its going on."""

    seeds: int  # how many were rehearsed
    middle_seed: int
    ends: Range  # when the run is over, whatever came of it
    to_ha: Range | None  # until all servers are healthy; None: that is not to be expected
    to_all: Range | None  # until all nodes are healthy; None: that is not to be expected
    path: tuple[PathLeg, ...]  # what the length of the middle seed consists of
    bounds: tuple[Bound, ...]  # the same by cause, the longest first
    moved: Mapping[str, Moved]  # by node
    troubles: Mapping[str, str]  # nodes that do not become healthy, and why
    timeline: Timeline  # of the middle seed; it tells of the run before, too, where one goes on
    began: float  # second of the timeline where what is told here begins: 0 unless a run goes on
    source: str  # what the durations rest on, for people
    basis: Basis = field(default_factory=Basis)  # the same name by name, of the middle seed

    @property
    def from_here(self) -> int:
        """Bytes that this machine sends."""
        return sum(moved.from_here for moved in self.moved.values())

    @property
    def from_nodes(self) -> int:
        """Bytes that nodes hand on to each other."""
        return sum(moved.from_nodes for moved in self.moved.values())


def seeds_for(nodes: int) -> int:
    """How many seeds are rehearsed unless told otherwise: fewer for large clusters."""
    return max(FEWEST_SEEDS, min(SEEDS, NODE_RUNS // max(nodes, 1)))


def forecast(conditions: Conditions, seeds: int | None = None) -> Forecast:
    """Rehearse the manifest, one seed after the other, as a run that measures its links.

    `seeds`: how many; None: by the cluster's size.
    Raises Mk8sError where the journal's run cannot go on, or breaks a law that every run keeps.
    """
    cluster, distro = conditions.cluster, conditions.distro
    measuring = replace(conditions, knows_links=True)

    def rehearsed(seed: int, detail: bool) -> Rehearsal:
        return rehearse(measuring, seed, keep_transcript=detail)

    count = seeds_for(len(cluster.nodes)) if seeds is None else seeds
    spec = node_machine(cluster, pacing=distro.pacing(cluster))
    try:
        middle, ends = _over_seeds(rehearsed, count, cluster)
    except Broken as error:
        raise Mk8sError(
            "a rehearsal of this run does not go as every run must",
            cause=str(error),
            remedy="`mk8s simulate` tells more of it; please report it, with the journal if there is one",
        ) from error
    return _forecast(middle, ends, spec, conditions.paced)


def _over_seeds(
    rehearsed: Callable[[int, bool], Rehearsal], count: int, cluster: Cluster
) -> tuple[Rehearsal, list[_Ends]]:
    """The middle one by length, in detail, and how long each took. Few are kept; of many it is made again."""
    servers = frozenset(node.name for node in cluster.nodes if node.is_server)
    kept: dict[int, Rehearsal] = {}
    ends: list[_Ends] = []
    for seed in range(count):
        run = rehearsed(seed, count <= KEPT)
        ends.append(_ends(run, servers))
        if count <= KEPT:
            kept[seed] = run
    middle = sorted(range(count), key=lambda seed: (ends[seed].run, seed))[_rank(MIDDLE, count)]
    return kept.get(middle) or rehearsed(middle, True), ends


@dataclass(frozen=True, slots=True)
class _Ends:
    """How long one seed took."""

    run: float
    ha: float | None
    all: float | None


def _ends(run: Rehearsal, servers: frozenset[str]) -> _Ends:
    began = _began(run)
    arrivals = (record for record in run.records if record.kind == "state" and record.to == HEALTHY)
    healthy = {record.node: max(0.0, record.at - began) for record in arrivals}
    everyone = frozenset(run.result.states)
    return _Ends(run.result.at - began, _last(healthy, servers), _last(healthy, everyone))


def _began(run: Rehearsal) -> float:
    """The second at which the part begins that is predicted."""
    return run.records[run.resumed_after - 1].at if run.resumed_after else 0.0


def _last(reached: Mapping[str, float], nodes: frozenset[str]) -> float | None:
    """When the last of them arrived; None: not all do, or there are none."""
    if not nodes or not nodes <= reached.keys():
        return None
    return max(reached[name] for name in nodes)


def _forecast(run: Rehearsal, ends: Sequence[_Ends], spec: MachineSpec, profile: Profile) -> Forecast:
    timeline, began = timeline_of(run.records, spec, run.transcript), _began(run)
    path = _path(timeline, spec, began)
    return Forecast(
        seeds=len(ends),
        middle_seed=run.seed,
        ends=_range([end.run for end in ends]),
        to_ha=_whole_range([end.ha for end in ends]),
        to_all=_whole_range([end.all for end in ends]),
        path=path,
        bounds=bounds_of(path, spec),
        moved=_moved(run),
        troubles={
            lane.node: lane.reason.removeprefix(f"{lane.node}: ") or f"stays {lane.state}"
            for lane in timeline.lanes
            if lane.outcome != "success"
        },
        timeline=timeline,
        began=began,
        source=profile.source,
        basis=basis_of(run, profile),
    )


def _path(timeline: Timeline, spec: MachineSpec, began: float) -> tuple[PathLeg, ...]:
    """The critical path from there on, in seconds from there on."""
    titles = titles_of(spec)
    return tuple(
        PathLeg(
            leg.node,
            leg.edge,
            titles[leg.edge],
            max(0.0, leg.began - began),
            leg.ended - began,
            leg.after,
            tuple(replace(step, at=step.at - began) for step in timeline.steps_in(leg) if step.at >= began),
        )
        for leg in timeline.critical_path()
        if leg.ended > began
    )


def _moved(run: Rehearsal) -> dict[str, Moved]:
    found = {name: Moved() for name in run.result.states}
    for record in run.records[run.resumed_after :]:
        if record.kind == "done":
            found[record.node] = _more(found[record.node], record)
    return found


def _more(before: Moved, record: Record) -> Moved:
    evidence = record.evidence
    return Moved(
        before.from_here + int(evidence.get("uploaded", 0)),
        before.from_nodes + int(evidence.get("handed_on", 0)),
    )


def _whole_range(values: Sequence[float | None]) -> Range | None:
    known = [value for value in values if value is not None]
    return _range(known) if len(known) == len(values) else None


def _range(values: Sequence[float]) -> Range:
    ordered = sorted(values)
    low, middle, high = (ordered[_rank(share, len(ordered))] for share in (LOW, MIDDLE, HIGH))
    return Range(low, middle, high)


def _rank(share: float, count: int) -> int:
    """The place of a quantile among so many values in order."""
    return max(0, math.ceil(share * count) - 1)
