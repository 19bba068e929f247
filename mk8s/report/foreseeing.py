"""What was to be expected of a run that is past: the same manifest, with the release that is here.

It hashes no file: only sizes matter for time. Begin reading at `compared`.
"""

from __future__ import annotations

from mk8s.cluster import Cluster
from mk8s.distros.base import Distro
from mk8s.forecast.comparing import Comparison, compare
from mk8s.forecast.predicting import forecast, seeds_for
from mk8s.forecast.profile import Profile
from mk8s.forecast.sizes import sizes_at_hand
from mk8s.images import images_in
from mk8s.rehearsal import Conditions
from mk8s.timeline import Timeline

__all__ = ["compared", "seeds_of"]

SEEDS = 5  # the middle one is what is compared: more would not move it far


def seeds_of(cluster: Cluster) -> int:
    """How many seeds a comparison rehearses."""
    return min(SEEDS, seeds_for(len(cluster.nodes)))


def compared(
    cluster: Cluster,
    distro: Distro,
    measured: Timeline,
    profile: Profile,
    uplink: float | None = None,
) -> Comparison:
    """A run beside its prediction. `uplink`: the operator's link, in bytes per second.

    Raises as `forecast` does.
    """
    release = sizes_at_hand(cluster, distro).release
    seen = forecast(
        Conditions(
            cluster, distro, profile=profile, uplink=uplink, release=release, images=images_in(release)
        ),
        seeds=seeds_of(cluster),
    )
    return compare(seen.timeline, measured, seen.basis)
