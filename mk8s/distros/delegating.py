"""The common heads of this project's drivers: an edge's steps come from a module, known problems from a list.

A driver that stands on one of these says what is its own alone: its release, its faults, its requirements,
where its kubeconfig lies. What it need not care about is answered by `mk8s.distros.plain.PlainDriver`.

This module knows no distro. Begin reading at `DelegatingDriver`.
"""

from __future__ import annotations

from typing import Protocol

from machines.errors import ActionError
from mk8s.distros.base import Question, Situation
from mk8s.distros.plain import PlainDriver
from mk8s.problems import load_catalogue
from mk8s.steps import Step
from transports.base import Command, Outcome

__all__ = ["CataloguedDriver", "DelegatingDriver", "EdgeSteps"]


class EdgeSteps(Protocol):
    """What a driver's `steps` module has, one function an edge. `Distro` says what each promises."""

    def stage(self, s: Situation) -> list[Step]: ...

    def bootstrap(self, s: Situation) -> list[Step]: ...

    def start(self, s: Situation) -> list[Step]: ...

    def join(self, s: Situation) -> list[Step]: ...

    def verify(self, s: Situation) -> list[Step]: ...

    def has_joined(self, s: Situation) -> list[Question]: ...

    def is_healthy(self, s: Situation) -> list[Question]: ...

    def stop_unit(self, s: Situation) -> list[Step]: ...


class CataloguedDriver(PlainDriver):
    """A driver whose known problems stand in the catalogue of its name."""

    def classify(self, outcome: Outcome, command: Command) -> ActionError | None:
        """A known problem in the command's words. What it printed on purpose is not searched."""
        del command  # every command of these drivers speaks of its troubles on stderr
        finding = load_catalogue(self.name).find(outcome.stderr.decode("utf-8", "replace"))
        return finding.as_error() if finding else None


class DelegatingDriver(CataloguedDriver):
    """A driver whose `edges` are a module of functions. It has no `unit`: they say how one is stopped."""

    edges: EdgeSteps

    def stage(self, s: Situation) -> list[Step]:
        return self.edges.stage(s)

    def bootstrap(self, s: Situation) -> list[Step]:
        return self.edges.bootstrap(s)

    def start(self, s: Situation) -> list[Step]:
        return self.edges.start(s)

    def join(self, s: Situation) -> list[Step]:
        return self.edges.join(s)

    def verify(self, s: Situation) -> list[Step]:
        return self.edges.verify(s)

    def has_joined(self, s: Situation) -> list[Question]:
        return self.edges.has_joined(s)

    def is_healthy(self, s: Situation) -> list[Question]:
        return self.edges.is_healthy(s)

    def stop_unit(self, s: Situation) -> list[Step]:
        return self.edges.stop_unit(s)
