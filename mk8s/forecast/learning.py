"""Durations out of an earlier run, as a layer of a profile. Begin reading at `learn`.

First what its commands took (`measuring`) and how much of that was bytes (`rates`), then what its services
took and the rest, by simulating the same run until both take the same time (`calibrating`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mk8s.errors import Mk8sError
from mk8s.forecast.calibrating import calibrated, fewer, release_in
from mk8s.forecast.carrying import carrying_rate
from mk8s.forecast.earlier import EarlierRun, read_earlier
from mk8s.forecast.given import declared_in
from mk8s.forecast.measuring import FILES, measured
from mk8s.forecast.observing import waits_in
from mk8s.forecast.profile import Layer, Profile
from mk8s.forecast.rates import Rate, learnt_rates
from mk8s.rehearsal import Conditions, rehearse
from mk8s.transcript import Transcript
from transports.simulated import Span

__all__ = ["learn", "learnt_from", "rates_of"]

LINKS = {"uplink": True, "link": True, "latency": False, "operator": False}  # whether only files show them


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
    layer = measured(run.transcript.commands, _words(run), run.cluster.bandwidth)
    rates = rates_of(run, layer)
    found = calibrated(run, layer, rates)
    return replace(found, samples={name: _samples(run, name, rates) for name in found.names})


def _words(run: EarlierRun) -> str:
    """Which run it was: the folder's name alone says little in a file that is kept."""
    begun = f", begun {run.begun}" if run.begun else ""
    return f"learnt from {run.folder} ({run.cluster.distro} {run.cluster.version}{begun})"


def _samples(run: EarlierRun, name: str, rates: Mapping[str, Rate]) -> int:
    """How many commands or waits of the run a number was made of; 0: it was carried over from others."""
    if name in rates:
        return rates[name].samples
    commands = run.transcript.commands
    if name in LINKS:
        return sum(command.operation in FILES for command in commands) if LINKS[name] else len(commands)
    parts = [part for part in run.distro.phases().shown if name in (part.phase, *part.minus)]
    waits = sum(len(waits_in(run.timeline, part)) for part in parts)
    return waits or sum(command.operation == name for command in commands)


def rates_of(run: EarlierRun, layer: Layer) -> dict[str, Rate]:
    """Bytes per second of hosts' own work and of the way between them, over the layer's own durations."""
    release = release_in(run)

    def rehearsed(durations: Mapping[str, Span]) -> Transcript:
        conditions = Conditions(fewer(run.cluster), run.distro, Profile(durations), release=release)
        return rehearse(conditions, keep_transcript=True).transcript

    declared = declared_in(run.cluster, run.distro).durations
    latency = layer.latency or 0.0
    carrying = carrying_rate(run.transcript, declared, latency)
    return {**learnt_rates(run.transcript, rehearsed, declared, latency), **carrying}
