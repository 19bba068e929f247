"""Conditions that several tests of simulations begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from machines.simulation import FAULT_KINDS, Checker
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro, load_distro
from mk8s.simulating.casting import Cast, cast
from mk8s.simulating.scenario import parse_scenario
from mk8s.simulating.striking import Rates
from mk8s.simulating.trial import Conditions
from tests.mk8s.examples import cluster

__all__ = ["conditions", "of_rate"]


def conditions(
    scenario: str = "",
    *,
    nodes: Cluster | None = None,
    distro: Distro | None = None,
    made: Cast | None = None,
    past: bytes = b"",
    checkers: Callable[[], Sequence[Checker]] = tuple,
) -> Conditions:
    """A small cluster in which this scenario is played; `scenario` is the text below its name."""
    chosen = nodes or cluster(servers=3, agents=2)
    forms = [parse_scenario(f"scenario: test\n{scenario}", "test.yaml")] if scenario else []
    return Conditions(
        chosen,
        distro or load_distro("rke2"),
        made or cast(forms, chosen),
        past=past,
        checkers=checkers,
    )


def of_rate(rate: float, nodes: frozenset[str] | None = None) -> Cast:
    """Every kind of fault, at this rate in all, on these nodes (None: on all)."""
    return Cast(rates=(Rates(dict.fromkeys(FAULT_KINDS, rate / len(FAULT_KINDS)), nodes),))
