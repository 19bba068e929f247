"""A driver with everything answered that a simple distro need not care about: the base for a new one.

What has no sensible default is missing on purpose: `name`, `unit` (what systemd calls it), `faults`,
`artifacts`, `stage`, `bootstrap`, `start`, `is_healthy`, `tools`, `kubeconfig`, `model`.
`mk8s.distros.base.Distro` says what each method promises, `mk8s.conformance` whether it is kept;
docs/drivers.md has a whole driver of this kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from machines.errors import ActionError
from mk8s.artifacts.checksums import read_checksums
from mk8s.cluster import Cluster, Node
from mk8s.commands import unit_disable, unit_stop
from mk8s.distros.base import Condition, Lookup, Question, Requirements, Situation
from mk8s.distros.phases import Phases
from mk8s.distros.upstream import kubeconfig
from mk8s.kube.conditions import nodes_answer
from mk8s.needs import Need
from mk8s.steps import Run, Step, WaitFor
from transports.base import Command, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PlainDriver", "as_wait"]


def as_wait(question: Question) -> WaitFor:
    """Wait until a question is met."""
    return WaitFor(question.title, question.command, question.judge, on=question.on)


class PlainDriver:
    """Defaults. A subclass says the rest."""

    if TYPE_CHECKING:
        unit: str
        start: Callable[[Situation], list[Step]]
        is_healthy: Callable[[Situation], list[Question]]

        @property
        def name(self) -> str: ...

    def checksums(self, text: str) -> dict[str, str]:
        """A list of sha256 as `sha256sum` writes it."""
        return read_checksums(text)

    def needs_token(self, cluster: Cluster) -> bool:
        """mk8s makes one up."""
        del cluster
        return True

    def user_token(self, cluster: Cluster) -> str | None:
        del cluster
        return None

    def needs(self, cluster: Cluster) -> list[Need]:
        del cluster
        return []

    def pacing(self, cluster: Cluster) -> Mapping[str, int]:
        del cluster
        return {}

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        del node, cluster
        return Requirements()

    def lookups(self, s: Situation) -> list[Lookup]:
        del s
        return []

    def join(self, s: Situation) -> list[Step]:
        """As the primary starts."""
        return self.start(s)

    def verify(self, s: Situation) -> list[Step]:
        """Wait until it is healthy."""
        return [as_wait(question) for question in self.is_healthy(s)]

    def refresh(self, s: Situation) -> list[Step]:
        del s
        return []

    def has_joined(self, s: Situation) -> list[Question]:
        """As long as it is healthy."""
        return self.is_healthy(s)

    def stop_unit(self, s: Situation) -> list[Step]:
        """Disable and stop its unit."""
        del s
        return [
            Run(f"disable {self.unit}", unit_disable(self.unit)),
            Run(f"stop {self.unit}", unit_stop(self.unit)),
        ]

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        """Every node answers, and every node is healthy."""
        questions = tuple(
            replace(question, title=f"{s.node.name}: ", on=question.on or s.node.name)
            for s in situations
            for question in self.is_healthy(s)
        )
        return [nodes_answer(situations[0].cluster), Condition("all nodes are healthy", questions)]

    def classify(self, outcome: Outcome, command: Command) -> ActionError | None:
        del outcome, command
        return None

    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        return kubeconfig.rewrite(text, cluster, author=self.name)

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        del config
        return []

    def phases(self) -> Phases:
        """A run shows no more than its operations."""
        return Phases()
