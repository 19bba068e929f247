"""What was asked for on the command line, as a value that every process makes its own experiment of.

A cluster and its driver do not travel between processes: each loads the manifest once. What is read from
other files (scenarios, profile, journal, sizes, names of images) is read once, by the process that asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from machines.simulation import FAULT_KINDS
from mk8s.errors import UsageError
from mk8s.forecast.profile import DEFAULTS, Profile
from mk8s.forecast.sizes import Sizes
from mk8s.project import Project, load_project
from mk8s.rehearsal import Conditions
from mk8s.simulating.casting import cast
from mk8s.simulating.scenario import ScenarioForm
from mk8s.simulating.striking import Rates
from mk8s.simulating.trial import Ended, Experiment, tried

if TYPE_CHECKING:
    from mk8s.simulating.casting import Cast

__all__ = ["Request", "refuse_too_few"]


@dataclass(frozen=True, slots=True)
class Request:
    """A simulation, but for its seeds. `words` are the options that ask for the same again."""

    manifest: Path
    rate: float = 0.0  # of all kinds of faults together, per operation
    scenarios: tuple[ScenarioForm, ...] = ()
    profile: Profile = DEFAULTS
    uplink: float | None = None  # bytes per second
    sizes: Sizes | None = None  # None: nominal ones
    images: tuple[str, ...] = ()
    past: bytes = b""
    words: tuple[str, ...] = ()

    def experiment(self, project: Project | None = None) -> Experiment:
        """For every seed. Loads the manifest, unless it is given. Raises ManifestError."""
        found = load_project(self.manifest) if project is None else project
        conditions = Conditions(
            found.cluster,
            found.distro,
            self.profile,
            self.uplink,
            release=self.sizes.release if self.sizes else None,
            images=self.images,
            knows_links=True,  # a real run measures them
            past=self.past,
        )
        return Experiment(conditions, self._with_rate(cast(self.scenarios, found.cluster)), sizes=self.sizes)

    def work(self) -> Callable[[int], Ended]:
        """What a process does for a seed."""
        return partial(tried, self.experiment())

    def command(self, seed: int, *more: str) -> str:
        """The command line that repeats this seed exactly."""
        return join(["mk8s", "simulate", str(self.manifest), "--seed", str(seed), *self.words, *more])

    def command_for(self, scenario: Path) -> str:
        """The command line for a scenario that was written of this: its file names seed and faults."""
        kept = _without(self.words, ("--faults", "--scenario"))
        return join(["mk8s", "simulate", str(self.manifest), "--scenario", str(scenario), *kept])

    def _with_rate(self, made: Cast) -> Cast:
        if not self.rate:
            return made
        rates = Rates(dict.fromkeys(FAULT_KINDS, self.rate / len(FAULT_KINDS)))
        return replace(made, rates=(*made.rates, rates))


def refuse_too_few(experiment: Experiment) -> None:
    """Raises UsageError where the scenario's `nodes` leave out whom a run cannot do without."""
    if not experiment.chosen.nodes:
        raise UsageError("the scenario's `nodes` select no node of this manifest", remedy="mend them")
    first = [node.name for node in experiment.conditions.cluster.nodes if node.role == "primary"]
    if first and first[0] not in [node.name for node in experiment.chosen.nodes]:
        raise UsageError(
            f"the scenario's `nodes` leave out {first[0]}, which makes the cluster that the others join",
            remedy="add `primary` to them",
        )
    if experiment.conditions.past and len(experiment.chosen.nodes) < len(experiment.conditions.cluster.nodes):
        raise UsageError(
            "the scenario's `nodes` leave some out, and a run that goes on has all of its nodes",
            remedy="remove `nodes`, or --from-state",
        )


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """The words without these options and the value behind each."""
    kept: list[str] = []
    skips = False
    for word in words:
        if not skips and word not in options:
            kept.append(word)
        skips = word in options
    return kept
