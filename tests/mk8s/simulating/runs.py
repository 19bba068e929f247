"""Experiments that several tests of simulations begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from machines.simulation import FAULT_KINDS, Checker
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro, load_distro
from mk8s.rehearsal import Conditions
from mk8s.simulating.casting import Cast, cast
from mk8s.simulating.scenario import parse_scenario
from mk8s.simulating.striking import Rates
from mk8s.simulating.trial import Experiment
from tests.mk8s.examples import cluster

__all__ = ["experiment", "of_rate"]


def experiment(
    scenario: str = "",
    *,
    nodes: Cluster | None = None,
    distro: Distro | None = None,
    made: Cast | None = None,
    past: bytes = b"",
    checkers: Callable[[], Sequence[Checker]] = tuple,
) -> Experiment:
    """A small cluster in which this scenario is played; `scenario` is the text below its name."""
    chosen = nodes or cluster(servers=3, agents=2)
    forms = [parse_scenario(f"scenario: test\n{scenario}", "test.yaml")] if scenario else []
    return Experiment(
        Conditions(chosen, distro or load_distro("rke2"), past=past),
        made or cast(forms, chosen),
        checkers,
    )


def of_rate(rate: float, nodes: frozenset[str] | None = None) -> Cast:
    """Every kind of fault, at this rate in all, on these nodes (None: on all)."""
    return Cast(rates=(Rates(dict.fromkeys(FAULT_KINDS, rate / len(FAULT_KINDS)), nodes),))
