"""One seed of what was asked for, and what came of it as a small value that travels between processes.

`Experiment` is what all seeds share: the conditions of a rehearsal, what goes wrong, and who looks on.
`rehearsed` runs one seed and keeps everything; `tried` runs one and keeps a few numbers and words, whatever
happened: an invariant that broke and a bug of the simulation itself are results too, with their seed.

Begin reading at `tried`.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from machines import MemoryJournal, Observer
from machines.simulation import Broken, Checker, FaultPlan
from mk8s.amounts import length
from mk8s.cluster import Cluster
from mk8s.forecast.sizes import Sizes
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from mk8s.simulating.casting import Cast, Expected, only, restricted
from mk8s.simulating.striking import Recorded, Strikes, Struck
from transports.simulated import FaultSource

__all__ = [
    "ENDINGS",
    "Bad",
    "Ended",
    "Ending",
    "Experiment",
    "crash_of",
    "ended_of",
    "lost",
    "rehearsed",
    "tried",
]

Ending: TypeAlias = Literal[
    "healthy",  # every node
    "blocked",  # some nodes could not go on, and none failed
    "rolled-back",  # at least one node; and so on, the worse the later
    "failed",
    "quarantined",
    "broken",  # an invariant did not hold; that a run ends is one
    "crashed",  # the simulation itself, or its process
]
ENDINGS: tuple[Ending, ...] = get_args(Ending)


def _no_checkers() -> Sequence[Checker]:
    return ()


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything that one run needs beside its seed."""

    conditions: Conditions  # of all of the manifest; the cast may leave nodes out
    cast: Cast = field(default_factory=Cast)
    checkers: Callable[[], Sequence[Checker]] = _no_checkers  # new ones for every run
    sizes: Sizes | None = None  # that the conditions' release has; None: nominal ones

    @property
    def chosen(self) -> Cluster:
        """The nodes that take part."""
        return only(self.conditions.cluster, self.cast.nodes)


@dataclass(frozen=True, slots=True)
class Bad:
    """A node that is not healthy in the end."""

    node: str
    role: str
    outcome: str
    edge: str = ""  # that it failed at
    kind: str = ""  # the failure's most specific class
    reason: str = ""  # in words
    after: str = ""  # the kind of the last fault that struck this node; empty: none did

    @property
    def way(self) -> tuple[str, str, str, str]:
        """How it failed: equal for nodes that failed in the same way."""
        return (self.role, self.outcome, self.edge, self.kind)


@dataclass(frozen=True, slots=True)
class Ended:
    """What one seed came to."""

    seed: int
    ending: Ending
    nodes: int = 0
    seconds: float = 0.0  # until the end; of a run that was resumed, from where it goes on
    ha_at: float | None = None  # seconds until all servers are healthy
    bad: tuple[Bad, ...] = ()
    struck: Mapping[str, int] = field(default_factory=dict)  # kind of fault -> how many
    happened: int = 0  # happenings that came to their moment
    invariant: str = ""  # that was broken; or the exception of a crash
    evidence: str = ""
    unmet: tuple[str, ...] = ()  # what was expected, and did not come
    as_expected: bool = True  # everyone is healthy, or what the scenario expects came true
    digest: str = ""  # of the journal
    cpu: float = 0.0  # seconds of this process

    @property
    def rank(self) -> tuple[bool, int, int, float]:
        """The worse, the larger."""
        return (not self.as_expected, ENDINGS.index(self.ending), len(self.bad), self.seconds)


def rehearsed(
    experiment: Experiment,
    seed: int,
    *,
    observer: Observer | None = None,
    keep_transcript: bool = False,
    journal: MemoryJournal | None = None,
    struck: list[Struck] | None = None,
) -> Rehearsal:
    """One seed with all that can be known of it. Raises as `rehearse` does.

    `journal` (see there) and `struck` are for who wants to look at them after a run that raised.
    """
    chosen = experiment.chosen
    made = experiment.cast
    if made.nodes is not None:
        made = restricted(made, frozenset(node.name for node in chosen.nodes))
    faults = _faults(made, seed)
    if faults is not None and struck is not None:
        faults = Recorded(faults, struck)
    return rehearse(
        replace(experiment.conditions, cluster=chosen),
        seed,
        faults=faults,
        happenings=made.happenings,
        checkers=experiment.checkers(),
        observer=observer,
        journal=journal,
        keep_transcript=keep_transcript,
    )


def _faults(made: Cast, seed: int) -> FaultSource | None:
    if not made.has_faults:
        return None
    if not made.strikes and len(made.rates) == 1 and made.rates[0].is_everywhere:
        return FaultPlan(seed, made.rates[0].rates)
    return Strikes(seed, made.strikes, made.rates)


def tried(experiment: Experiment, seed: int, struck: list[Struck] | None = None) -> Ended:
    """One seed, whatever comes of it. Its faults are added to `struck`. Raises only what ends a process."""
    began = time.process_time()
    try:
        run = rehearsed(experiment, seed, struck=struck)
        ended = ended_of(run, experiment.cast.expected, experiment.chosen)
    except Broken as broken:
        ended = _without_end(seed, "broken", broken.invariant, str(broken))
    except Exception as error:  # a bug of ours in one seed: the other seeds still tell something
        ended = crash_of(seed, type(error).__name__, "".join(traceback.format_exception(error)))
    return _with_cpu(ended, time.process_time() - began)


def lost(seed: int, said: str) -> Ended:
    """A seed whose process died."""
    return crash_of(seed, "process died", said)


def crash_of(seed: int, kind: str, evidence: str) -> Ended:
    """What is said of a seed whose simulation broke down."""
    return _without_end(seed, "crashed", kind, evidence)


def _without_end(seed: int, ending: Ending, invariant: str, evidence: str) -> Ended:
    return Ended(seed, ending, invariant=invariant, evidence=evidence, as_expected=False)


def _with_cpu(ended: Ended, cpu: float) -> Ended:
    return replace(ended, cpu=round(cpu, 6))


def ended_of(run: Rehearsal, expected: Expected, cluster: Cluster) -> Ended:
    """The small value of a run that came to its end."""
    began = run.records[run.resumed_after - 1].at if run.resumed_after else 0.0
    seconds = round(run.result.at - began, 6)
    bad = _bad_nodes(run, cluster)
    unmet = _unmet(run, expected, seconds)
    return Ended(
        run.seed,
        _ending(bad),
        nodes=len(cluster.nodes),
        seconds=seconds,
        ha_at=_ha_at(run, cluster, began),
        bad=bad,
        struck=Counter(struck.kind for struck in run.struck),
        happened=len(run.happened),
        unmet=unmet,
        as_expected=not unmet if expected.is_anything else not bad,
        digest=run.digest,
    )


def _ending(bad: Sequence[Bad]) -> Ending:
    known = [ending for one in bad for ending in ENDINGS if ending == one.outcome]
    if len(known) < len(bad):
        return "broken"  # nobody ends like this
    return max(known, key=ENDINGS.index, default="healthy")


def _outcome(run: Rehearsal, name: str) -> str:
    return "blocked" if name in run.result.blocked else run.result.states[name].split("~")[0]


def _bad_nodes(run: Rehearsal, cluster: Cluster) -> tuple[Bad, ...]:
    last: dict[str, Struck] = {struck.node: struck for struck in run.struck}
    bad = []
    for node in cluster.nodes:
        outcome = _outcome(run, node.name)
        if outcome == "healthy":
            continue
        ended = run.result.failures.get(node.name)
        after = last[node.name].kind if node.name in last else ""
        reason = ended.failure.message if ended else run.result.blocked.get(node.name, "")
        edge, kind = (ended.edge, ended.failure.kind) if ended else ("", "")
        bad.append(Bad(node.name, node.role, outcome, edge, kind, reason, after))
    return tuple(bad)


def _unmet(run: Rehearsal, expected: Expected, seconds: float) -> tuple[str, ...]:
    said = []
    for name, allowed in expected.nodes.items():
        if name in run.result.states and _outcome(run, name) not in allowed:
            said.append(f"{name} is {_outcome(run, name)}, and {' or '.join(allowed)} is expected")
    if expected.within is not None and seconds > expected.within:
        said.append(f"it took {length(seconds)}, and at most {length(expected.within)} is expected")
    return tuple(said)


def _ha_at(run: Rehearsal, cluster: Cluster, began: float) -> float | None:
    """When the last server became healthy, in seconds from where this run begins."""
    if not all(run.result.states[node.name] == "healthy" for node in cluster.servers):
        return None
    servers = {node.name for node in cluster.servers}
    reached = [
        record.at
        for record in run.records
        if record.kind == "state" and record.to == "healthy" and record.node in servers
    ]
    return round(max(0.0, max(reached) - began), 6) if reached else None
