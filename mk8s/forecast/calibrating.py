"""Durations that make a simulation of an earlier run take as long as that run did.

What a run shows is not the durations themselves: a wait ends at a look, not when the thing came true;
a command's seconds hold its way there, this machine's own work, and bytes that the host worked on. The
simulation has all of that in it. So the earlier run's own manifest is simulated, each duration is moved by
the difference between what was measured and what was simulated, and that again: a few rounds are enough.

Between two looks a phase may end anywhere and the run is the same: of all lengths that fit, the middle is
taken. What the run did not show (how a server joins, in a run with one) is taken to differ from its model as
the rest does.

Begin reading at `calibrated`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from statistics import fmean, geometric_mean

from mk8s.cluster import Cluster
from mk8s.distros.phases import Shown
from mk8s.forecast.earlier import EarlierRun
from mk8s.forecast.measuring import FILES, alone
from mk8s.forecast.observing import waits_in
from mk8s.forecast.profile import DEFAULTS, Layer
from mk8s.forecast.rates import Rate
from mk8s.rehearsal import Conditions, nominal_release, rehearse
from mk8s.tables import node_machine
from mk8s.timeline import Timeline, timeline_of
from mk8s.transcript import Transcript
from transports.base import File
from transports.simulated import Span

__all__ = ["calibrated", "fewer", "release_in"]

ROUNDS = 5
SETTLED = 2  # rounds, after which the simulation is near enough to the run for all of a wait to be moved
SERVERS, AGENTS = 2, 3  # so many of each are simulated: more show nothing new
WIDEST = 0.5  # of a phase's own length: how far apart its low and high may be
LEAST = 0.001  # seconds
LOOKS = (-0.8, -0.4, 0.0, 0.4, 0.8)  # pauses: where the same looks may come from
PAUSE, SHARE = 0.25, 0.2  # seconds, and of the wait: between two looks; see `mk8s.steps`
SAME = 0.02  # seconds: two waits that differ by less are the same


def calibrated(run: EarlierRun, layer: Layer, rates: Mapping[str, Rate]) -> Layer:
    """The layer under these rates, with durations that reproduce the run: operations, phases beside them."""
    fit = _Fit(run, layer, {name: rate.bytes_per_second for name, rate in rates.items()})
    for number in range(ROUNDS):
        simulated = fit.simulate()
        fit.move_operations(simulated)
        fit.move_phases(simulated, settled=number >= SETTLED)
    fit.take_the_middle()
    fit.carry_over()
    return replace(layer, durations=dict(fit.widened()))


def release_in(run: EarlierRun) -> dict[str, File]:
    """The release with the sizes that the run sent; of files that it did not send, the usual ones."""
    sent: dict[str, int] = {}
    for step in run.transcript.steps:
        if step.kind == "upload":
            sent[step.title] = max(step.size, sent.get(step.title, 0))
    release = nominal_release(run.cluster, run.distro)
    return {id: _sized(file, sent) for id, file in release.items()}


def _sized(file: File, sent: Mapping[str, int]) -> File:
    size = max((size for title, size in sent.items() if file.path.name in title.split()), default=0)
    return replace(file, size=size) if size else file


@dataclass(frozen=True, slots=True)
class _Simulated:
    """One rehearsal of the earlier run's manifest."""

    timeline: Timeline
    transcript: Transcript


@dataclass(slots=True)
class _Fit:
    """Durations in seconds that are being moved, over what models declare."""

    run: EarlierRun
    layer: Layer
    rates: Mapping[str, float]  # bytes per second
    cluster: Cluster = field(init=False)
    release: Mapping[str, File] = field(init=False)
    shown: Sequence[Shown] = field(init=False)  # places where this run shows a phase
    operations: dict[str, float] = field(init=False)
    phases: dict[str, float] = field(default_factory=dict)
    declared: Mapping[str, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cluster = fewer(self.run.cluster)
        self.release = release_in(self.run)
        self.shown = [part for part in self.run.distro.phases().shown if waits_in(self.run.timeline, part)]
        self.operations = {name: _mid(span) for name, span in self.layer.durations.items()}

    def simulate(self, shift: Mapping[str, float] | None = None) -> _Simulated:
        """With everything as it stands; `shift`: phases that are so many seconds longer."""
        distro = self.run.distro
        profile = DEFAULTS.under(replace(self.layer, durations=self._points(shift or {})))
        done = rehearse(
            Conditions(self.cluster, distro, profile=profile, release=self.release), keep_transcript=True
        )
        self.declared = done.network.pace.declared
        spec = node_machine(self.cluster, pacing=distro.pacing(self.cluster))
        return _Simulated(timeline_of(done.records, spec, done.transcript), done.transcript)

    def _points(self, shift: Mapping[str, float]) -> dict[str, Span]:
        """Each duration as one length, so that chance plays no part."""
        own = {name: self._span(name, _mid(span), 0.0) for name, span in self.declared.items()}
        own |= {name: self._span(name, 0.0, 0.0) for name in self.rates}
        for name, seconds in {**self.operations, **self.phases}.items():
            own[name] = self._span(name, max(0.0, seconds + shift.get(name, 0.0)), 0.0)
        return own

    def _span(self, name: str, seconds: float, half: float) -> Span:
        low, high = max(0.0, seconds - half), seconds + half
        declared = self.declared[name].rate if name in self.declared else inf
        return Span(low, high, self.rates.get(name, declared))

    def _now(self, name: str) -> float:
        if name in self.phases:
            return self.phases[name]
        return _mid(self.declared[name]) if name in self.declared else 0.0

    # Rounds

    def move_operations(self, simulated: _Simulated) -> None:
        """Each by how much longer it took than in the simulation."""
        work = self.layer.operator or 0.0
        seen, made = alone(self.run.transcript.commands, work), alone(simulated.transcript.commands, work)
        for name in self.operations.keys() - made.keys():  # nobody can tell what of it is whose
            del self.operations[name]
        for name in seen.keys() & made.keys() - FILES:
            self.operations[name] = max(0.0, self.operations.get(name, 0.0) + seen[name] - made[name])

    def move_phases(self, simulated: _Simulated, *, settled: bool) -> None:
        """Each by the mean of what all places that show it say. `settled`: and what lies beside it too."""
        for name in self._names():
            apart = self._apart(simulated, name)
            if apart:
                part = next(part for part in self.shown if part.phase == name)
                self._move(part, fmean(apart), settled=settled)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(part.phase for part in self.shown))

    def _apart(self, simulated: _Simulated, name: str) -> list[float]:
        """Seconds by which the run waited longer for a phase than the simulation, place by place."""
        pairs = [
            (waits_in(self.run.timeline, part), waits_in(simulated.timeline, part))
            for part in self.shown
            if part.phase == name
        ]
        return [fmean(seen) - fmean(made) for seen, made in pairs if seen and made]

    def _move(self, part: Shown, apart: float, *, settled: bool) -> None:
        """The phase alone; where it would be less than nothing, all that lies in the same wait with it."""
        minus = [name for name in part.minus if name in self.declared]
        rest = sum(map(self._now, minus))
        together = self._now(part.phase) + rest
        wanted = max(LEAST, together + apart)
        if wanted - rest >= LEAST or not together or not settled:
            self.phases[part.phase] = max(LEAST, self._now(part.phase) + apart)
            return
        for name in (part.phase, *minus):
            self.phases[name] = self._now(name) * wanted / together

    # What the looks leave open, and what was not seen

    def take_the_middle(self) -> None:
        """Move one phase after the other to the middle of the lengths that fit as well as any.

        All waits are looked at each time: what one wait leaves open, the next one may tell.
        """
        for name in self._names():
            pause = self._pause(name)
            misses = {look: self._miss(self.simulate({name: look * pause})) for look in LOOKS}
            least = min(misses.values())
            fitting = [look for look, miss in misses.items() if miss <= least + SAME]
            self.phases[name] = max(LEAST, self._now(name) + fmean(fitting) * pause)

    def _miss(self, simulated: _Simulated) -> float:
        """Seconds by which all waits together are not the run's."""
        return sum(abs(apart) for name in self._names() for apart in self._apart(simulated, name))

    def _pause(self, name: str) -> float:
        waits = [fmean(waits_in(self.run.timeline, part)) for part in self.shown if part.phase == name]
        return max(PAUSE, SHARE * fmean(waits))

    def carry_over(self) -> None:
        """What the run did not show differs from its model as what it showed, at best of the same kind."""
        factors = {
            name: self.phases[name] / _mid(self.declared[name])
            for name in self._names()
            if self._has(name) and self.phases[name] > 0
        }
        unseen = {part.phase for part in self.run.distro.phases().shown} - self.phases.keys()
        for name in sorted(unseen) if factors else ():
            alike = [factor for other, factor in factors.items() if _kind(other) == _kind(name)]
            if self._has(name):
                self.phases[name] = _mid(self.declared[name]) * geometric_mean(alike or factors.values())

    def _has(self, name: str) -> bool:
        return name in self.declared and _mid(self.declared[name]) > 0

    def widened(self) -> Iterator[tuple[str, Span]]:
        """Around the lengths that were found, as wide as the run's nodes were apart; and the rates."""
        yield from ((name, Span(0.0, 0.0, rate)) for name, rate in self.rates.items())
        for name, seconds in self.operations.items():
            span = self.layer.durations.get(name, Span(0.0, 0.0))
            yield name, self._span(name, seconds, min((span.high - span.low) / 2, seconds))
        for name, seconds in self.phases.items():
            waits = [
                waits_in(self.run.timeline, part) for part in self.shown if name in (part.phase, *part.minus)
            ]
            share = min(WIDEST, max(map(_spread, waits), default=0.0))
            yield name, self._span(name, seconds, seconds * share)


def fewer(cluster: Cluster) -> Cluster:
    """Of each kind as many nodes as show all that can be learnt."""
    return replace(cluster, nodes=cluster.servers[:SERVERS] + cluster.agents[:AGENTS])


def _kind(name: str) -> str:
    """The last word of a phase's name: start, network."""
    return name.rpartition("-")[2]


def _mid(span: Span) -> float:
    return (span.low + span.high) / 2


def _spread(times: Sequence[float]) -> float:
    """Half of the distance between the shortest and the longest, as a share of the mean."""
    mean = fmean(times) if times else 0.0
    return (max(times) - min(times)) / 2 / mean if mean else 0.0
