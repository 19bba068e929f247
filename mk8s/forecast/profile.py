"""How long things take where this cluster is made: durations and links, above the models' own defaults.

A profile is data: learnt from an earlier run, given in the manifest or in a file. Each of those is a `Layer`;
layers are laid over each other name by name, the last one wins. Pure; it knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median

from transports.simulated import Links, Pace, Span

__all__ = ["DEFAULTS", "MODELS", "Layer", "Origin", "Profile", "pooled"]

MODELS = "the models' defaults"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one duration or link comes from."""

    source: str  # for people
    samples: int | None = None  # that it was learnt from; 0: carried over from others; None: not learnt
    models: bool = False  # it is what the models declared when it was written down


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source says of durations and links; None and what is not named: nothing."""

    source: str  # for people: where these numbers come from
    durations: Mapping[str, Span] = field(default_factory=dict)
    uplink: float | None = None  # bytes per second
    link: float | None = None  # bytes per second
    latency: float | None = None  # seconds
    operator: float | None = None  # seconds
    samples: Mapping[str, int] = field(default_factory=dict)  # measured; 0: not shown, but carried over
    origins: Mapping[str, Origin] = field(default_factory=dict)  # of what the source has from elsewhere

    @property
    def names(self) -> list[str]:
        """All that it says something of."""
        return [*self.durations, *self.links]

    @property
    def links(self) -> Mapping[str, float]:
        """Those that it names."""
        found = {
            "uplink": self.uplink,
            "link": self.link,
            "latency": self.latency,
            "operator": self.operator,
        }
        return {name: value for name, value in found.items() if value is not None}

    def origin_of(self, name: str) -> Origin:
        """Where it has that from."""
        own = Origin(self.source, self.samples.get(name), models=self.source == MODELS)
        return self.origins.get(name, own)


@dataclass(frozen=True, slots=True)
class Profile:
    """Durations by operation or phase (see `transports.simulated.pace`), and the links."""

    durations: Mapping[str, Span] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    source: str = MODELS  # for people: where these numbers come from
    origins: Mapping[str, Origin] = field(default_factory=dict)  # what is not here is as the models say

    def pace(self, seed: int) -> Pace:
        """For one simulation."""
        return Pace(self.durations, self.links, seed)

    def under(self, layer: Layer) -> Profile:
        """The same with a layer laid over it."""
        if not layer.durations and not layer.links:
            return self
        return Profile(
            {**self.durations, **layer.durations},
            replace(self.links, **layer.links),
            f"{self.source}; over that {layer.source}",
            {**self.origins, **{name: layer.origin_of(name) for name in layer.names}},
        )

    def as_layer(self) -> Layer:
        """All of it, to be kept in a file."""
        at = self.links
        whole = Layer(self.source, self.durations, at.uplink, at.link, at.latency, at.operator)
        unsaid = Origin(MODELS, models=True)
        return replace(whole, origins={name: self.origins.get(name, unsaid) for name in whole.names})

    def with_uplink(self, limit: float | None) -> Profile:
        """The same where the operator's link carries at most `limit` bytes per second; None: as it is."""
        if limit is None or limit >= self.links.uplink:
            return self
        origins = {**self.origins, "uplink": Origin("the limit of this run's uplink")}
        return replace(self, links=replace(self.links, uplink=limit), origins=origins)


DEFAULTS = Profile()
"""Nothing measured, nothing given."""


def pooled(layers: Sequence[Layer]) -> Layer:
    """Several runs as one: of each name the middle of what they say. Raises ValueError for none.

    What some of them showed is not mixed with what was carried over from others.
    """
    if not layers:
        raise ValueError("nothing to pool")
    names = dict.fromkeys(name for layer in layers for name in layer.durations)
    durations = {name: _span(_said(layers, name)) for name in names}
    samples = {
        name: sum(layer.samples.get(name, 0) for layer in layers)
        for name in dict.fromkeys(name for layer in layers for name in layer.samples)
    }
    words = " and ".join(layer.source for layer in layers)
    return Layer(
        words,
        durations,
        uplink=_middle(layers, "uplink"),
        link=_middle(layers, "link"),
        latency=_middle(layers, "latency"),
        operator=_middle(layers, "operator"),
        samples=samples,
    )


def _middle(layers: Sequence[Layer], link: str) -> float | None:
    said = [layer.links[link] for layer in layers if link in layer.links]
    return median(said) if said else None


def _said(layers: Sequence[Layer], name: str) -> list[Span]:
    saying = [layer for layer in layers if name in layer.durations]
    shown = [layer for layer in saying if layer.samples.get(name, 1)]
    return [layer.durations[name] for layer in shown or saying]


def _span(spans: Sequence[Span]) -> Span:
    return Span(fmean(s.low for s in spans), fmean(s.high for s in spans), min(s.rate for s in spans))
