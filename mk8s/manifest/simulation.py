"""The manifest's `simulation:`: how long things take here, where a rehearsal should not guess.

It changes no run: only what `plan` and `simulate` reckon with. Which names of durations exist, the models
say; `mk8s.forecast.given` compares. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from machines import forms
from machines.errors import Fault
from machines.words import shown
from mk8s.cluster import Simulation
from mk8s.manifest import values
from mk8s.manifest.form import Form, says
from mk8s.manifest.source import EACH, CrossRule, Source, as_text
from mk8s.manifest.values import Rule, Wrong

__all__ = ["RULES", "VALUES", "SimulationForm", "simulation_of"]

PAIR = 2


class SimulationForm(Form, frozen=True, kw_only=True):
    """How long things take here, for `plan` and `simulate`; a run does not look at it."""

    uplink: Annotated[str | None, says("What this machine's link carries, such as 20MB/s.")] = None
    link: Annotated[str | None, says("What each node's link carries, such as 1Gbit/s.")] = None
    latency: Annotated[str | None, says("One round trip between this machine and a node, such as 30ms.")] = (
        None
    )
    durations: Annotated[
        dict[str, str | list[str]] | None,
        says("Operation or phase to how long it takes: 90s, or [60s, 3m] for between."),
    ] = None


VALUES: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("simulation", "uplink"), values.rate_text),
    (("simulation", "link"), values.rate_text),
    (("simulation", "latency"), values.duration),
    (("simulation", "durations", EACH), values.duration),
    (("simulation", "durations", EACH, EACH), values.duration),
)


def durations_in_order(source: Source) -> Iterator[Fault]:
    """Two lengths of time are the shortest and the longest."""
    for path, value in source.each("simulation", "durations", EACH):
        if not isinstance(value, list):
            continue
        ends = [_seconds(as_text(item)) for item in value]
        if len(ends) != PAIR:
            wrong = Wrong("a list has two times", "the shortest and the longest, such as [60s, 3m]")
            yield source.fault(path, wrong)
        elif ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
            wrong = Wrong(f"{shown(as_text(value[0]) or '')} is the longer one", "the shortest comes first")
            yield source.fault(path, wrong)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else forms.duration(text)
    except ValueError:  # told by its rule
        return None


RULES: tuple[CrossRule, ...] = (durations_in_order,)


def simulation_of(form: SimulationForm | None) -> Simulation:
    """The value that rehearsals read; empty where nothing is given."""
    given = form or SimulationForm()
    return Simulation(
        uplink=values.rate(given.uplink) if given.uplink else None,
        link=values.rate(given.link) if given.link else None,
        latency=forms.duration(given.latency) if given.latency else None,
        durations={name: _between(value) for name, value in (given.durations or {}).items()},
    )


def _between(value: str | list[str]) -> tuple[float, float]:
    ends = [value, value] if isinstance(value, str) else value
    return forms.duration(ends[0]), forms.duration(ends[-1])
