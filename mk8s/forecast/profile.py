"""How long things take where this cluster is made: durations and links, above the models' own defaults.

A profile is data: learnt from an earlier run, given in the manifest or in a file. Layers are merged name by
name. Pure; it knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from transports.simulated import Links, Pace, Span

__all__ = ["DEFAULTS", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Durations by operation or phase (see `transports.simulated.pace`), and the links."""

    durations: Mapping[str, Span] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    source: str = "the models' defaults"  # for people: where these numbers come from

    def pace(self, seed: int) -> Pace:
        """For one simulation."""
        return Pace(self.durations, self.links, seed)

    def with_uplink(self, limit: float | None) -> Profile:
        """The same where the operator's link carries at most `limit` bytes per second; None: as it is."""
        if limit is None:
            return self
        return replace(self, links=replace(self.links, uplink=min(limit, self.links.uplink)))


DEFAULTS = Profile()
"""Nothing measured, nothing given."""
