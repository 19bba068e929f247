"""Where durations come from: the models, earlier runs, a file, the manifest; each over the one before.

Light to import: a run holds it, and seldom asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.cluster import Cluster, Simulation

if TYPE_CHECKING:
    from mk8s.forecast.profile import Profile

__all__ = ["Sources", "profile_from"]


@dataclass(frozen=True, slots=True)
class Sources:
    """What was named on a command line. Reads nothing."""

    learn: tuple[Path, ...] = ()  # state folders of earlier runs
    profile: Path | None = None

    def say_anything(self, cluster: Cluster) -> bool:
        """Whether there is more than the models' defaults, the manifest's `simulation:` included."""
        return bool(self.learn or self.profile or cluster.simulation != Simulation())


def profile_from(sources: Sources, cluster: Cluster) -> Profile:
    """How long things take by all of them.

    Raises UsageError for a profile that cannot be read, Mk8sError for a run that cannot be learnt from.
    """
    from mk8s.forecast.files import read_profile
    from mk8s.forecast.given import given_in
    from mk8s.forecast.learning import learn
    from mk8s.forecast.profile import DEFAULTS, pooled

    profile = DEFAULTS
    if sources.learn:
        profile = profile.under(pooled([learn(folder) for folder in sources.learn]))
    if sources.profile:
        profile = profile.under(read_profile(sources.profile))
    return profile.under(given_in(cluster))
