"""A scenario in one manifest: which nodes its words select, and what meets them. Pure.

What selects nobody in this manifest is left out, and told (`Cast.idle`).
Begin reading at `cast`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast as as_type

from machines.simulation import FaultKind
from mk8s.cluster import Cluster
from mk8s.simulating.happenings import Happening, Moment, What
from mk8s.simulating.scenario import FaultForm, NodeOutcome, RatesForm, ScenarioForm
from mk8s.simulating.selecting import selects
from mk8s.simulating.striking import Rates, Strike

__all__ = ["Cast", "Expected", "cast", "only", "restricted"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What should come of a run. Nodes that are not named may end as they like."""

    nodes: Mapping[str, tuple[NodeOutcome, ...]] = field(default_factory=dict)
    within: float | None = None  # seconds

    @property
    def is_anything(self) -> bool:
        return bool(self.nodes) or self.within is not None


@dataclass(frozen=True, slots=True)
class Cast:
    """Everything that goes wrong in a run of this manifest, and what is expected of it."""

    strikes: tuple[Strike, ...] = ()
    rates: tuple[Rates, ...] = ()
    happenings: tuple[Happening, ...] = ()
    expected: Expected = Expected()
    nodes: tuple[str, ...] | None = None  # the run has these alone; None: all
    seed: int | None = None  # where a scenario names one
    idle: tuple[str, ...] = ()  # what selects nobody here, for people

    @property
    def has_faults(self) -> bool:
        return bool(self.strikes or self.rates)


def cast(scenarios: Sequence[ScenarioForm], cluster: Cluster) -> Cast:
    """All scenarios together: their faults add up, and the last one that says so wins elsewhere."""
    together = Cast()
    for form in scenarios:
        together = _joined(together, _one(form, cluster))
    return together


def only(cluster: Cluster, nodes: Sequence[str] | None) -> Cluster:
    """The cluster with these nodes alone; its order stays. None: as it is."""
    if nodes is None:
        return cluster
    kept = frozenset(nodes)
    return replace(cluster, nodes=tuple(node for node in cluster.nodes if node.name in kept))


def restricted(made: Cast, nodes: frozenset[str]) -> Cast:
    """The same without what meets other nodes than these."""
    happenings = [one for one in made.happenings if not one.node or one.node in nodes]
    return replace(
        made,
        strikes=tuple(strike for strike in made.strikes if strike.node in nodes),
        happenings=tuple(one for one in happenings if one.when is None or one.when.node in nodes),
    )


def _joined(first: Cast, second: Cast) -> Cast:
    expected = Expected(
        {**first.expected.nodes, **second.expected.nodes}, second.expected.within or first.expected.within
    )
    return Cast(
        strikes=first.strikes + second.strikes,
        rates=first.rates + second.rates,
        happenings=first.happenings + second.happenings,
        expected=expected,
        nodes=first.nodes if second.nodes is None else second.nodes,
        seed=first.seed if second.seed is None else second.seed,
        idle=first.idle + second.idle,
    )


def _one(form: ScenarioForm, cluster: Cluster) -> Cast:
    strikes: list[Strike] = []
    happenings: list[Happening] = []
    idle: list[str] = []
    for fault in form.faults:
        before = len(strikes) + len(happenings)
        if fault.operation is not None:
            strikes += _strikes(fault, fault.operation, cluster)
        else:
            happenings += _happenings(fault, cluster)
        if len(strikes) + len(happenings) == before:
            idle.append(f"{form.scenario}: {fault.what} of {_of_whom(fault)}: the manifest has no such node")
    rates = tuple(_rates(one, cluster) for one in form.rates)
    idle += [
        f"{form.scenario}: rates of {one.node}: the manifest has no such node"
        for one, made in zip(form.rates, rates, strict=True)
        if made.nodes == frozenset()
    ]
    return Cast(
        tuple(strikes),
        tuple(one for one in rates if one.nodes != frozenset()),
        tuple(happenings),
        Expected() if _is_nothing(form, idle) else _expected(form, cluster),
        _all_of(form.nodes, cluster),
        form.seed,
        tuple(idle),
    )


def _is_nothing(form: ScenarioForm, idle: Sequence[str]) -> bool:
    """Whether all that goes wrong in it selects nobody: then nothing can come of it."""
    return 0 < len(idle) == len(form.faults) + len(form.rates)


def _of_whom(fault: FaultForm) -> str:
    edge_of = fault.when.node if fault.when else None
    return " or ".join(words for words in (fault.node, edge_of) if words)


def _strikes(fault: FaultForm, operation: str, cluster: Cluster) -> Iterator[Strike]:
    kind = as_type(FaultKind, fault.what)
    attempt = None if fault.attempt == "every" else fault.attempt or 1
    fraction = 0.5 if fault.fraction is None else fault.fraction
    for name in selects(fault.node or "", cluster):
        yield Strike(name, operation, kind, attempt, fraction)


def _happenings(fault: FaultForm, cluster: Cluster) -> Iterator[Happening]:
    for name in selects(fault.node, cluster) if fault.node is not None else ("",):
        for after, when in _moments(fault, name, cluster):
            yield Happening(
                as_type(What, fault.what),
                name,
                after,
                when,
                fault.for_,
                float(fault.rate or 0),
                fault.port or 0,
            )


def _moments(fault: FaultForm, name: str, cluster: Cluster) -> Iterator[tuple[float, Moment | None]]:
    """When it happens to that node. Of several nodes whose edge it may be, the first: it happens once."""
    if fault.when is None:
        yield fault.at or 0.0, None
        return
    for other in (selects(fault.when.node, cluster) if fault.when.node else (name,))[:1]:
        yield fault.after or 0.0, Moment(other, fault.when.edge, fault.when.is_)


def _rates(form: RatesForm, cluster: Cluster) -> Rates:
    nodes = None if form.node == "*" else frozenset(selects(form.node, cluster))
    return Rates(form.kinds, nodes, form.operation)


def _expected(form: ScenarioForm, cluster: Cluster) -> Expected:
    if form.expect is None:
        return Expected()
    nodes: dict[str, tuple[NodeOutcome, ...]] = {}
    for selector, outcomes in form.expect.nodes.items():
        allowed = (outcomes,) if isinstance(outcomes, str) else tuple(outcomes)
        nodes |= dict.fromkeys(selects(selector, cluster), allowed)
    return Expected(nodes, form.expect.within)


def _all_of(selectors: Sequence[str] | None, cluster: Cluster) -> tuple[str, ...] | None:
    if selectors is None:
        return None
    chosen = {name for selector in selectors for name in selects(selector, cluster)}
    return tuple(node.name for node in cluster.nodes if node.name in chosen)
