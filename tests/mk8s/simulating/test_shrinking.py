"""mk8s.simulating.shrinking and writing: the fewest faults and nodes that still fail, as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from machines import ActionError, Record
from machines.simulation import Broken
from mk8s.distros.base import Distro, load_distro
from mk8s.simulating.casting import cast as cast_of
from mk8s.simulating.scenario import parse_scenario
from mk8s.simulating.shrinking import NothingFails, Shrunk, shrink, smallest, symptom_of
from mk8s.simulating.striking import Strike
from mk8s.simulating.trial import Experiment, rehearsed, tried
from mk8s.simulating.writing import shrunk_text
from tests.mk8s.examples import cluster
from tests.mk8s.simulating.runs import experiment, of_rate

TEN = cluster(servers=3, agents=9)


class GivesUp:
    """RKE2 with a mistake made on purpose: whatever a command of an agent's join says, it is final."""

    def __init__(self) -> None:
        self._inner = load_distro("rke2")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def classify(self, outcome: object, command: Any) -> ActionError | None:
        if command.operation == "rke2.start":
            return ActionError("join.broken", message="given up at once", final=True)
        return None


class NotTwice:
    """A law that two faults break: connections are lost on two nodes of a run."""

    def __init__(self) -> None:
        self._nodes: set[str] = set()

    def see(self, record: Record) -> None:
        if record.failure is not None and record.failure.kind == "connection.lost":
            self._nodes.add(record.node)
        if len(self._nodes) == 2:
            raise Broken("never-twice", "two nodes lost their connection", record)

    def end(self) -> None:
        """Nothing is left."""


def failing(made: Experiment, ending: str) -> int:
    """The first seed that ends so."""
    return next(seed for seed in range(200) if tried(made, seed).ending == ending)


def read_back(shrunk: Shrunk, made: Experiment) -> Experiment:
    """The experiment that the written file gives in the whole manifest."""
    form = parse_scenario(
        shrunk_text(shrunk, made.conditions.cluster, "mk8s simulate x", "mk8s simulate y"), "s.yaml"
    )
    assert form.seed == shrunk.seed
    return replace(made, cast=cast_of([form], made.conditions.cluster))


def test_a_driver_that_gives_up_too_early_is_shown_by_one_fault_on_two_nodes() -> None:
    """Of dozens of faults on twelve nodes: the command that fails, on an agent and the server it needs."""
    agents = frozenset(node.name for node in TEN.agents)
    made = experiment(nodes=TEN, distro=cast(Distro, GivesUp()), made=of_rate(0.05, agents))
    symptoms = ((seed, symptom_of(tried(made, seed))) for seed in range(200))
    seed = next(seed for seed, symptom in symptoms if symptom and "join.broken" in symptom.way)
    shrunk = shrink(made, seed)
    assert shrunk.faults_before > 20
    assert shrunk.faults == 1
    assert shrunk.nodes <= 2
    assert shrunk.cast.strikes[0].operation == "rke2.start"


def test_a_broken_law_is_shown_by_the_two_faults_that_it_takes() -> None:
    """And by the two nodes that they strike, beside the first server, which every cluster has."""
    made = experiment(nodes=TEN, made=of_rate(0.04), checkers=lambda: [NotTwice()])
    shrunk = shrink(made, failing(made, "broken"))
    struck = {strike.node for strike in shrunk.cast.strikes}
    assert str(shrunk.symptom) == "broken: never-twice"
    assert (shrunk.faults, len(struck)) == (2, 2)
    assert shrunk.nodes == len(struck | {"srv-1"})


def test_the_file_of_a_shrunk_run_fails_in_the_same_way() -> None:
    """In the whole manifest, by the seed that it names: that is what it is written for."""
    made = experiment(nodes=TEN, made=of_rate(0.05))
    seed = failing(made, "failed")
    shrunk = shrink(made, seed)
    again = tried(read_back(shrunk, made), shrunk.seed)
    assert shrunk.symptom.shown_by(again)
    assert again.digest == shrunk.ended.digest


def test_nothing_can_be_left_out_of_what_is_left() -> None:
    """Each fault alone is needed."""
    made = experiment(nodes=TEN, made=of_rate(0.05))
    shrunk = shrink(made, failing(made, "quarantined"))
    for index in range(len(shrunk.cast.strikes)):
        rest = shrunk.cast.strikes[:index] + shrunk.cast.strikes[index + 1 :]
        less = replace(made, cast=replace(shrunk.cast, strikes=rest))
        assert not shrunk.symptom.shown_by(tried(less, shrunk.seed))


def test_a_late_attempt_becomes_the_first_one_and_the_search_ends_there() -> None:
    """Where it does as well; nothing is tried for ever."""
    text = "faults: [{node: primary, operation: file.append, attempt: 2, what: disk-full, fraction: 0.123}]\n"
    shrunk = shrink(experiment(text), 1)
    assert shrunk.cast.strikes == (Strike("srv-1", "file.append", "disk-full"),)
    assert shrunk.nodes == 1
    assert shrunk.runs < 20


def test_what_happens_at_a_moment_is_shrunk_and_written_too() -> None:
    """Of three happenings, the one that the failure needs."""
    text = (
        "faults:\n"
        "  - {node: 'agent[0]', what: cable-out, at: 5s}\n"
        "  - {node: 'agent[1]', what: reboot, at: 1m}\n"
        "  - {what: slow-uplink, rate: 30MB/s, at: 0s, for: 2m}\n"
    )
    made = experiment(text, nodes=TEN)
    shrunk = shrink(made, 1)
    assert [(one.what, one.node) for one in shrunk.cast.happenings] == [("cable-out", "agent-1")]
    assert read_back(shrunk, made).cast.happenings == shrunk.cast.happenings


def test_an_expectation_that_is_not_met_is_what_is_shrunk() -> None:
    """Two agents fail, and one of them may."""
    text = (
        "faults:\n  - {node: 'agents[0:2]', what: cable-out, at: 0s}\n"
        "expect: {nodes: {'*': healthy, 'agent[0]': failed}}\n"
    )
    shrunk = shrink(experiment(text, nodes=TEN), 1)
    assert [one.node for one in shrunk.cast.happenings] == ["agent-2"]


def test_a_run_that_goes_on_keeps_its_nodes() -> None:
    """Its journal names them."""
    made = experiment("faults: [{node: 'agent[0]', what: cable-out, at: 0s}]\n")
    past = rehearsed(made, 1).journal
    shrunk = shrink(replace(made, conditions=replace(made.conditions, past=past)), 1)
    assert shrunk.nodes == 5


def test_a_run_that_is_as_expected_cannot_be_shrunk() -> None:
    """And the words say so."""
    with pytest.raises(NothingFails, match="seed 1 is as expected"):
        shrink(experiment(), 1)


@pytest.mark.parametrize("needed", [[], [0], [7], [3, 4], [0, 19], [2, 9, 17], list(range(20))])
def test_delta_debugging_finds_exactly_what_is_needed(needed: list[int]) -> None:
    """For every pattern of causes that act together."""

    def fails(some: Sequence[int]) -> bool:
        return set(needed) <= set(some)

    assert list(smallest(list(range(20)), fails)) == needed
