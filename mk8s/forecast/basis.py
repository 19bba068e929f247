"""What a forecast rests on, name by name: learnt, given, carried over, or the models' own defaults.

Each duration that a rehearsal spent, with the seconds that it took of the node where it took most: so that of
what nobody measured the part is named that matters here. Those seconds run beside others; their sum means
nothing. Pure. Begin reading at `basis_of`; `basis_as_text` and `basis_as_data` tell it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from math import isclose
from typing import Any, Literal, TypeAlias, get_args

from machines.simulation import Broken
from mk8s.amounts import length
from mk8s.forecast.calibrating import fewer
from mk8s.forecast.profile import DEFAULTS, Origin, Profile
from mk8s.paces import RATES
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["Basis", "Footing", "Kind", "basis_as_data", "basis_as_text", "basis_of", "basis_of_few"]

Kind: TypeAlias = Literal["learnt", "carried-over", "given", "default"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TOLD = 3  # names of a kind
ROUNDED = 1e-4  # seconds, or of a number
WORTH = 0.05  # seconds; what takes less is not told by name


@dataclass(frozen=True, slots=True)
class Footing:
    """One duration, rate or link that the rehearsal used."""

    name: str
    kind: Kind
    seconds: float  # that it took of the node where it took most
    samples: int = 0  # that it was learnt from
    source: str = ""  # for people; empty: the models


@dataclass(frozen=True, slots=True)
class Basis:
    """All of them, what takes longest first."""

    footings: tuple[Footing, ...] = ()

    def of(self, kind: Kind) -> list[Footing]:
        """Those of one kind, in the same order."""
        return [footing for footing in self.footings if footing.kind == kind]


def basis_of(run: Rehearsal, profile: Profile) -> Basis:
    """Of one rehearsal under this profile."""
    network = run.network
    seconds: dict[str, float] = dict(_links(run, profile))
    for host in network.hosts.values():
        for name in host.drawn:
            seconds[name] = max(seconds.get(name, 0.0), _spent(host, name, network))
    origins = {
        name: at for name, at in profile.origins.items() if not _is_the_models_own(name, at, run, profile)
    }
    footings = [_footing(name, took, origins) for name, took in seconds.items()]
    return Basis(tuple(sorted(footings, key=lambda footing: (-footing.seconds, footing.name))))


def basis_of_few(conditions: Conditions) -> Basis:
    """The same without a run at hand: of a few of the nodes, from the beginning, without faults."""
    few = replace(conditions, cluster=fewer(conditions.cluster), past=b"", prepare=None)
    try:
        return basis_of(rehearse(few), few.paced)
    except Broken:  # whoever asks runs the same, and tells it better
        return Basis()


def _spent(host: SimulatedHost, name: str, network: SimulatedNetwork) -> float:
    """About: the middle for each time, and what its bytes took."""
    span = network.pace.span(name)
    size = host.worked.get(name, 0)
    return host.drawn[name] * span.at(0.5) + size / span.rate


def _links(run: Rehearsal, profile: Profile) -> Iterator[tuple[str, float]]:
    """By what came to the nodes, and by the commands that were sent to one."""
    done = [record for record in run.records[run.resumed_after :] if record.kind == "done"]
    sent: dict[str, int] = {}
    for record in done:
        sent[record.node] = sent.get(record.node, 0) + int(record.evidence.get("uploaded", 0))
    commands = [sum(times for name, times in host.drawn.items() if _is_command(name)) for host in _hosts(run)]
    links = profile.links
    yield "uplink", sum(sent.values()) / links.uplink
    yield "link", max(sent.values(), default=0) / links.link
    yield "latency", max(commands, default=0) * links.latency
    yield "operator", sum(commands) * links.operator


def _hosts(run: Rehearsal) -> Sequence[SimulatedHost]:
    return list(run.network.hosts.values())


def _is_command(name: str) -> bool:
    return ":" not in name and name not in RATES


def _is_the_models_own(name: str, origin: Origin, run: Rehearsal, profile: Profile) -> bool:
    """Whether what a file has from the models still is theirs: somebody may have changed it there."""
    if not origin.models:
        return False
    links = asdict(DEFAULTS.links)
    if name in links:
        return _same(asdict(profile.links)[name], links[name])
    own, theirs = profile.durations[name], run.network.pace.declared.get(name)
    return theirs is not None and all(map(_same, astuple(own), astuple(theirs)))


def _same(one: float, other: float) -> bool:
    """But for what rounding in a file takes."""
    return isclose(one, other, rel_tol=ROUNDED, abs_tol=ROUNDED)


def _footing(name: str, seconds: float, origins: Mapping[str, Origin]) -> Footing:
    origin = origins.get(name)
    took = round(seconds, 3)
    if origin is None:
        return Footing(name, "default", took)
    if origin.samples is None:
        return Footing(name, "given", took, source=origin.source)
    kind: Kind = "learnt" if origin.samples else "carried-over"
    return Footing(name, kind, took, origin.samples, origin.source)


def basis_as_data(basis: Basis) -> list[dict[str, Any]]:
    """Plain values, for JSON."""
    return [asdict(footing) for footing in basis.footings]


def basis_as_text(basis: Basis) -> list[tuple[str, str]]:
    """A word and what is said of it, kind by kind; nothing where nobody says more than the models do."""
    if all(footing.kind == "default" for footing in basis.footings):
        return []
    return [
        (kind.removesuffix("-over"), _told(kind, basis.of(kind), len(basis.footings)))
        for kind in KINDS
        if basis.of(kind)
    ]


def _told(kind: Kind, found: Sequence[Footing], total: int) -> str:
    count = f"{len(found)} of {total} durations"
    if kind == "learnt":
        return f"{count}, from {sum(footing.samples for footing in found)} samples"
    why = {
        "carried-over": ", not shown by the run: off from their models as what it showed",
        "given": "",
        "default": ", neither measured nor given: as the models say",
    }
    return f"{count}{why[kind]}{_heaviest(found)}"


def _heaviest(found: Sequence[Footing]) -> str:
    named = [f"{one.name} {length(one.seconds)}" for one in found[:TOLD] if one.seconds >= WORTH]
    return f"; most of a node's time by {', '.join(named)}" if named else ""
