"""Laws of the modelled world: what it saw and must never see.

A model that knows what must not happen writes it down (`breaches`), with the name of the law. Here it
becomes a breach of that law, at the next record.
"""

from __future__ import annotations

from typing import ClassVar

from machines.records import Record
from machines.simulation.invariants.law import Breach, Broken, Invariant, Rules

__all__ = ["OneCluster", "OneLearner", "WellFirst", "WorldSound"]

KNOWN = ("one-cluster", "one-learner", "well-first")


class _Witness(Invariant):
    """A law that the world watches over."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._seen = 0

    def see(self, record: Record) -> None:
        breaches = self.rules.breaches()
        if len(breaches) > self._seen:
            self._look(record)

    def end(self) -> None:
        self._look(None)

    def is_mine(self, breach: Breach) -> bool:
        """Whether it is this law that the breach is of."""
        return breach.invariant == self.name

    def _look(self, record: Record | None) -> None:
        breaches = self.rules.breaches()
        new, self._seen = breaches[self._seen :], len(breaches)
        for breach in new:
            if self.is_mine(breach):
                evidence = f"{breach.evidence} (second {breach.at:g} of the world)"
                raise Broken(breach.invariant, evidence, record)


class OneCluster(_Witness):
    """The first server makes the cluster; everyone else joins it, resumed runs included."""

    name: ClassVar[str] = "one-cluster"
    claim: ClassVar[str] = "a cluster is initialised once, whatever is lost on the way"
    reason: ClassVar[str] = (
        "a second initialisation is a second cluster, and the loss of the first one's data"
    )


class OneLearner(_Witness):
    """As etcd has it: a new member is a learner until it has caught up."""

    name: ClassVar[str] = "one-learner"
    claim: ClassVar[str] = "no two members join etcd at the same time"
    reason: ClassVar[str] = "etcd permits one learner, and two at once can cost the quorum"


class WellFirst(_Witness):
    """Whoever brings a world says when its members are well, and looks when one is called so."""

    name: ClassVar[str] = "well-first"
    claim: ClassVar[str] = "no node is called healthy before its cluster knew it as well"
    reason: ClassVar[str] = (
        "an answer that nobody asked for is the most pleasant one, and it is found out late"
    )


class WorldSound(_Witness):
    """For the names that a model gives and this list does not have."""

    name: ClassVar[str] = "world-sound"
    claim: ClassVar[str] = "nothing else happens that a model of the world writes down as impossible"
    reason: ClassVar[str] = "a model knows more of its world than a journal does"

    def is_mine(self, breach: Breach) -> bool:
        return breach.invariant not in KNOWN
