"""From a run that fails to the fewest faults and nodes that still fail in the same way.

1. The run is repeated, and every fault that struck is asked for by name: no chance is left in it.
2. Nodes are left out, agents first, and faults are, by halves and smaller parts (delta debugging), as long
   as what is left fails in the same way. Each try is a whole run, checked against every invariant.
3. What cannot be left out any more is the result: leaving out any one more thing makes the failure go away.

What "the same way" means: `Symptom`. Nothing here touches a node or a file. Begin reading at `shrink`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from mk8s.amounts import counted
from mk8s.simulating.casting import Cast
from mk8s.simulating.happenings import Happening
from mk8s.simulating.striking import Strike, Struck
from mk8s.simulating.trial import Bad, Ended, Experiment, tried

__all__ = ["NothingFails", "Shrunk", "Symptom", "shrink", "smallest", "symptom_of"]

T = TypeVar("T")
Wrong: TypeAlias = Strike | Happening
RUNS = 600  # at most; then the smallest that was found is the result
FAILURES = ("failed", "quarantined", "rolled-back")


class NothingFails(ValueError):  # noqa: N818 - it says what is the case
    """There is nothing to shrink: the run is as expected, or does not fail the same way twice."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """How a run fails. A node's failure is told by its role, outcome, edge and class, not by its name."""

    ending: str  # broken, crashed; node; unmet
    way: tuple[str, ...]
    node: str = ""  # where it was seen first

    def shown_by(self, ended: Ended) -> bool:
        """Whether this run fails in the same way."""
        if self.ending == "node":
            return any(bad.way == self.way for bad in ended.bad)
        if self.ending == "unmet":
            return any(_about(words) == self.way[0] for words in ended.unmet)
        return ended.ending == self.ending and (ended.invariant,) == self.way

    def __str__(self) -> str:
        if self.ending == "node":
            role, outcome, edge, kind = self.way
            return f"{role} {outcome}" + (f" at {edge} ({kind})" if edge else "")
        return ": ".join(word for word in (self.ending, *self.way) if word)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest that still fails, and where it came from."""

    seed: int
    symptom: Symptom
    cast: Cast  # of named strikes and happenings, on `cast.nodes`
    ended: Ended  # how it fails
    runs: int  # that it took
    faults_before: int
    nodes_before: int

    @property
    def faults(self) -> int:
        return len(self.cast.strikes) + len(self.cast.happenings)

    @property
    def nodes(self) -> int:
        return self.ended.nodes or len(self.cast.nodes or ())

    @property
    def size(self) -> str:
        """In words."""
        return f"{counted(self.faults, 'fault')} on {counted(self.nodes, 'node')}"


def symptom_of(ended: Ended) -> Symptom | None:
    """How this run fails; None when it is as expected."""
    if ended.as_expected:
        return None
    if ended.ending in ("broken", "crashed") or not ended.nodes:
        return Symptom(ended.ending, (ended.invariant,))
    bad = _worst_node(ended)
    if bad is not None:
        return Symptom("node", bad.way, bad.node)
    return Symptom("unmet", (_about(ended.unmet[0]),), "")


def _worst_node(ended: Ended) -> Bad | None:
    """The node to look at: one that failed before one that only waited for it; one that was not to fail."""
    surprising = {_about(words) for words in ended.unmet}
    bads = [bad for bad in ended.bad if bad.node in surprising] if ended.unmet else list(ended.bad)
    return next((bad for bad in bads if bad.outcome in FAILURES), bads[0] if bads else None)


def _about(unmet: str) -> str:
    """Whom it is about: the node, or the time."""
    return unmet.split(" ", 1)[0]


def shrink(
    experiment: Experiment,
    seed: int,
    *,
    most: int = RUNS,
    tell: Callable[[str], None] = lambda _words: None,
) -> Shrunk:
    """The smallest that fails as this seed does. `most`: runs; `tell` hears how far it is.

    Raises NothingFails.
    """
    struck: list[Struck] = []
    first = tried(experiment, seed, struck)
    symptom = symptom_of(first)
    if symptom is None:
        raise NothingFails(f"seed {seed} is as expected")
    search = _Search(experiment, seed, symptom, most, tell)
    nodes = tuple(node.name for node in experiment.chosen.nodes)
    wrongs: list[Wrong] = [*(one.again() for one in struck), *experiment.cast.happenings]
    tell(f"seed {seed}: {symptom}; {counted(len(wrongs), 'fault')} on {counted(len(nodes), 'node')}")
    if not search.fails(wrongs, nodes):
        raise NothingFails(
            f"seed {seed} does not fail again when its {len(wrongs)} faults are asked for by name"
        )
    kept = search.of_its_node(wrongs, nodes)
    left: Sequence[str] = nodes
    before: object = None
    while before != (left, kept):  # a plainer fault may need fewer nodes, and fewer nodes fewer faults
        before = (left, kept)
        left = search.nodes(kept, left)
        kept = search.plainer(search.faults(kept, left), left)
    ended = search.ended(kept, left)
    return Shrunk(seed, symptom, search.cast(kept, left), ended, search.runs, len(wrongs), len(nodes))


@dataclass(slots=True)
class _Search:
    """Tries with fewer faults and nodes."""

    experiment: Experiment
    seed: int
    symptom: Symptom
    most: int
    tell: Callable[[str], None]
    runs: int = 1
    _known: dict[tuple[frozenset[Wrong], tuple[str, ...]], bool] = field(default_factory=dict)

    def cast(self, wrongs: Sequence[Wrong], nodes: Sequence[str]) -> Cast:
        made = self.experiment.cast
        strikes = tuple(one for one in wrongs if isinstance(one, Strike))
        happenings = tuple(one for one in wrongs if isinstance(one, Happening))
        return Cast(strikes, (), happenings, made.expected, tuple(nodes), self.seed)

    def ended(self, wrongs: Sequence[Wrong], nodes: Sequence[str]) -> Ended:
        return tried(replace(self.experiment, cast=self.cast(wrongs, nodes)), self.seed)

    def fails(self, wrongs: Sequence[Wrong], nodes: Sequence[str]) -> bool:
        """Whether these alone fail in the same way. Beyond the most runs, nothing does."""
        key = (frozenset(wrongs), tuple(nodes))
        if key not in self._known:
            if self.runs >= self.most:
                return False
            self.runs += 1
            self._known[key] = self.symptom.shown_by(self.ended(wrongs, nodes))
            self.tell(f"run {self.runs}: {counted(len(wrongs), 'fault')} on {counted(len(nodes), 'node')}")
        return self._known[key]

    def of_its_node(self, wrongs: Sequence[Wrong], nodes: Sequence[str]) -> Sequence[Wrong]:
        """Those alone that met the node that failed, where that is enough."""
        its = [one for one in wrongs if one.node in (self.symptom.node, "")]
        return its if self.symptom.node and self.fails(its, nodes) else wrongs

    def faults(self, wrongs: Sequence[Wrong], nodes: Sequence[str]) -> Sequence[Wrong]:
        return smallest(wrongs, lambda some: self.fails(some, nodes))

    def nodes(self, wrongs: Sequence[Wrong], nodes: Sequence[str]) -> tuple[str, ...]:
        """Agents are left out first. The first node stays, and a run that goes on keeps all of its nodes."""
        if self.experiment.conditions.past:
            return tuple(nodes)
        chosen = [node for node in self.experiment.conditions.cluster.nodes if node.name in frozenset(nodes)]
        servers = [node.name for node in chosen[1:] if node.is_server]
        agents = [node.name for node in chosen[1:] if not node.is_server]
        head = chosen[0].name
        agents = list(smallest(agents, lambda some: self.fails(wrongs, (head, *servers, *some))))
        servers = list(smallest(servers, lambda some: self.fails(wrongs, (head, *some, *agents))))
        return (head, *servers, *agents)

    def plainer(self, wrongs: Sequence[Wrong], nodes: Sequence[str]) -> Sequence[Wrong]:
        """Fractions that read more easily and first attempts instead of later ones, where they do too."""
        plain = list(wrongs)
        for one in wrongs:
            if isinstance(one, Strike) and one in plain:
                plain = self._plainer_one(plain, one, nodes)
        return plain

    def _plainer_one(self, wrongs: list[Wrong], one: Strike, nodes: Sequence[str]) -> list[Wrong]:
        for simple in _simpler(one):
            others = [other for other in wrongs if other is one or not _meets_as(other, simple)]
            changed: list[Wrong] = [simple if other is one else other for other in others]
            if self.fails(changed, nodes):
                return changed
        return wrongs


def _simpler(one: Strike) -> Iterator[Strike]:
    """The same with an earlier attempt or a plainer fraction, the simplest first."""
    for attempt in dict.fromkeys((1, 2, one.attempt)):
        for fraction in dict.fromkeys((0.5, round(one.fraction, 2), one.fraction)):
            simple = replace(one, attempt=attempt, fraction=fraction)
            if simple == one:
                return
            yield simple


def _meets_as(other: Wrong, one: Strike) -> bool:
    """Whether both meet the same moment."""
    key = (one.node, one.operation, one.attempt)
    return isinstance(other, Strike) and (other.node, other.operation, other.attempt) == key


def smallest(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """Delta debugging: some of the items that still fail, of which none can be left out alone.

    `fails` is true of all the items together.
    """
    if not items or fails([]):
        return []
    kept, parts = list(items), 2
    while len(kept) >= 2:
        size = -(-len(kept) // parts)
        chunks = [kept[start : start + size] for start in range(0, len(kept), size)]
        smaller = next((chunk for chunk in chunks if len(chunk) < len(kept) and fails(chunk)), None)
        if smaller is not None:
            kept, parts = smaller, 2
            continue
        rests = ([item for item in kept if item not in chunk] for chunk in chunks)
        rest = next((rest for rest in rests if len(rest) < len(kept) and fails(rest)), None)
        if rest is not None:
            kept, parts = rest, max(parts - 1, 2)
        elif size == 1:
            break
        else:
            parts = min(len(kept), parts * 2)
    return kept
