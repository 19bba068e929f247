"""What was to be expected of a run that is past: the same manifest, with the release that is here.

It hashes no file: only sizes matter for time. Begin reading at `foreseen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mk8s.cluster import Cluster
from mk8s.distros.base import Distro
from mk8s.forecast.comparing import Comparison, compare
from mk8s.forecast.predicting import forecast, seeds_for
from mk8s.forecast.profile import Profile
from mk8s.images import images_in
from mk8s.rehearsal import Conditions, nominal_release
from mk8s.timeline import Timeline
from transports.base import File

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
    *,
    nominal: bool = False,
) -> Comparison:
    """A run beside its prediction. `nominal`: the run was simulated, without looking at the release's files.

    `uplink`: the operator's link, in bytes per second. Raises as `forecast` does.
    """
    release = nominal_release(cluster, distro) if nominal else release_at_hand(cluster, distro)
    seen = forecast(
        Conditions(
            cluster, distro, profile=profile, uplink=uplink, release=release, images=images_in(release)
        ),
        seeds=seeds_of(cluster),
    )
    return compare(seen.timeline, measured, seen.basis)


def release_at_hand(cluster: Cluster, distro: Distro) -> Mapping[str, File]:
    """Files with the sizes that they have here; a nominal size for one that is needed and gone."""
    needed = {item.id for item in distro.artifacts(cluster) if item.required}
    found = nominal_release(cluster, distro)
    return {
        name: replace(file, size=file.path.stat().st_size) if file.path.is_file() else file
        for name, file in found.items()
        if name in needed or file.path.is_file()
    }
