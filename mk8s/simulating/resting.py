"""What a simulation rests on, told: where durations come from, and which sizes of files count.

A few of the manifest's nodes are asked, without faults (`mk8s.forecast.basis`): one seed and a thousand rest
on the same. Pure but for the virtual time of that. Begin reading at `Resting`.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from mk8s.forecast.basis import Basis, basis_as_data, basis_as_text, basis_of_few
from mk8s.forecast.sizes import sizes_in_words
from mk8s.simulating.trial import Experiment

__all__ = ["Resting", "which_sizes"]


class Resting:
    """Of one experiment. The few nodes are asked once, and only where somebody wants to know."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    @cached_property
    def _basis(self) -> Basis:
        return basis_of_few(self._experiment.conditions)

    @property
    def data(self) -> dict[str, Any]:
        """Plain values, for JSON, by the names that `mk8s plan` has for them."""
        sizes = self._experiment.sizes
        return {"basis": basis_as_data(self._basis), "assumed_sizes": dict(sizes.assumed) if sizes else {}}

    @property
    def event(self) -> str:
        """The same as one line among the events of a run; `text` is for people."""
        event = {"event": "basis", **self.data, "text": "; ".join(self.words)}
        return json.dumps(event, separators=(",", ":"))

    @property
    def words(self) -> list[str]:
        """A line each. Of durations nothing is told where all are as the models say."""
        lines = [f"sizes of files: {which_sizes(self._experiment)}"]
        profile = self._experiment.conditions.profile
        if profile.origins:
            lines.append(f"durations rest on {profile.source}")
            lines += [f"durations {word}: {told}" for word, told in basis_as_text(self._basis)]
        return lines


def which_sizes(experiment: Experiment) -> str:
    """For people."""
    return sizes_in_words(experiment.sizes) if experiment.sizes else "nominal ones"
