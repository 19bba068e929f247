"""Durations that make a simulation of an earlier run take as long as that run did.

What a run shows is not the durations themselves: a wait ends at a look, not when the thing came true;
a command's seconds hold its way there, this machine's own work, and bytes that the host worked on. The
simulation has all of that in it. So the earlier run's own manifest is simulated, each duration is moved by
the difference between what was measured and what was simulated, and that again: a few rounds are enough.

Begin reading at `calibrated`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from mk8s.cluster import Cluster
from mk8s.distros.base import Distro
from mk8s.distros.phases import Shown
from mk8s.forecast.earlier import EarlierRun
from mk8s.forecast.measuring import FILES, by_operation
from mk8s.forecast.observing import waits_in
from mk8s.forecast.profile import DEFAULTS, Layer
from mk8s.rehearsal import Rehearsal, nominal_release, rehearse
from mk8s.tables import node_machine
from mk8s.timeline import Timeline, timeline_of
from mk8s.transcript import Transcript
from transports.base import File
from transports.simulated import Span

__all__ = ["calibrated", "release_in"]

ROUNDS = 4
SERVERS, AGENTS = 3, 5  # so many of each are simulated: more show nothing new
WIDEST = 0.25  # of a phase's own length: how far apart its low and high may be
LEAST = 0.001  # seconds


@dataclass(slots=True)
class _Fit:
    """Durations in seconds that are being moved, over what models declare."""

    operations: dict[str, float]
    phases: dict[str, float]

    def spans(self) -> dict[str, float]:
        return {**self.operations, **self.phases}


def calibrated(run: EarlierRun, layer: Layer) -> Layer:
    """The layer with durations that reproduce the run: its operations moved, and phases beside them."""
    cluster, release = _smaller(run.cluster), release_in(run)
    shown = [part for part in run.distro.phases().shown if waits_in(run.timeline, part)]
    fit = _Fit({name: _mid(span) for name, span in layer.durations.items()}, {})
    declared: Mapping[str, Span] = {}
    for _ in range(ROUNDS):
        profile = DEFAULTS.under(replace(layer, durations=_points(fit, declared)))
        simulated = rehearse(cluster, run.distro, profile=profile, release=release, keep_transcript=True)
        declared = simulated.network.pace.declared
        _move_operations(fit, run.transcript, simulated.transcript)
        _move_phases(fit, shown, run.timeline, _timeline(cluster, run.distro, simulated), declared)
    return replace(layer, durations=dict(_widened(fit, layer, shown, run.timeline, declared)))


def _smaller(cluster: Cluster) -> Cluster:
    return replace(cluster, nodes=cluster.servers[:SERVERS] + cluster.agents[:AGENTS])


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


def _timeline(cluster: Cluster, distro: Distro, simulated: Rehearsal) -> Timeline:
    spec = node_machine(cluster, pacing=distro.pacing(cluster))
    return timeline_of(simulated.records, spec, simulated.transcript)


def _points(fit: _Fit, declared: Mapping[str, Span]) -> dict[str, Span]:
    """Each duration as one length, so that chance plays no part. Rates stay as declared."""
    own = {name: Span(_mid(span), _mid(span), span.rate) for name, span in declared.items()}
    return own | {name: _span(seconds, 0.0, declared.get(name)) for name, seconds in fit.spans().items()}


def _span(seconds: float, half: float, declared: Span | None) -> Span:
    low, high = max(0.0, seconds - half), seconds + half
    return Span(low, high, declared.rate) if declared else Span(low, high)


def _mid(span: Span) -> float:
    return (span.low + span.high) / 2


# Rounds


def _move_operations(fit: _Fit, measured: Transcript, simulated: Transcript) -> None:
    seen, made = by_operation(measured.commands), by_operation(simulated.commands)
    for name in seen.keys() & made.keys() - FILES:
        apart = fmean(c.seconds for c in seen[name]) - fmean(c.seconds for c in made[name])
        fit.operations[name] = max(0.0, fit.operations.get(name, 0.0) + apart)


def _move_phases(
    fit: _Fit, shown: Sequence[Shown], measured: Timeline, simulated: Timeline, declared: Mapping[str, Span]
) -> None:
    """Each phase by the mean of what all that show it say."""
    for name in dict.fromkeys(part.phase for part in shown):
        wanted = []
        for part in shown:
            made = waits_in(simulated, part) if part.phase == name else []
            if made:
                wanted.append((part, fmean(waits_in(measured, part)) - fmean(made)))
        if wanted:
            _move(fit, [part for part, _ in wanted], fmean(apart for _, apart in wanted), declared)


def _move(fit: _Fit, parts: Sequence[Shown], apart: float, declared: Mapping[str, Span]) -> None:
    """The phase alone; where it would be less than nothing, all that lies in the same wait with it."""

    def now(name: str) -> float:
        return fit.phases[name] if name in fit.phases else _mid(declared[name]) if name in declared else 0.0

    phase, minus = parts[0].phase, [name for name in parts[0].minus if name in declared]
    together = now(phase) + sum(map(now, minus))
    wanted = max(LEAST, together + apart)
    if wanted - sum(map(now, minus)) >= LEAST or not together:
        fit.phases[phase] = max(LEAST, now(phase) + apart)
        return
    for name in (phase, *minus):
        fit.phases[name] = now(name) * wanted / together


def _widened(
    fit: _Fit, layer: Layer, shown: Sequence[Shown], measured: Timeline, declared: Mapping[str, Span]
) -> Iterator[tuple[str, Span]]:
    """Around the lengths that were found, as wide as the run's nodes were apart."""
    for name, seconds in fit.operations.items():
        span = layer.durations.get(name, Span(0.0, 0.0))
        yield name, _span(seconds, min((span.high - span.low) / 2, seconds), declared.get(name))
    for name, seconds in fit.phases.items():
        shares = [_spread(waits_in(measured, part)) for part in shown if name in (part.phase, *part.minus)]
        yield name, _span(seconds, seconds * min(WIDEST, max(shares, default=0.0)), declared.get(name))


def _spread(times: Sequence[float]) -> float:
    """Half of the distance between the shortest and the longest, as a share of the mean."""
    mean = fmean(times) if times else 0.0
    return (max(times) - min(times)) / 2 / mean if mean else 0.0
