"""mk8s.simulating.trial, striking, happenings: one seed of an experiment, as a small value."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import trio

from machines import Record
from machines.simulation import FAULT_KINDS, Broken, FaultPlan
from mk8s.distros.base import load_distro
from mk8s.forecast.profile import Profile
from mk8s.rehearsal import Conditions, rehearse
from mk8s.simulating.striking import Strike, Strikes
from mk8s.simulating.trial import Experiment, rehearsed, tried
from tests.mk8s.examples import cluster
from tests.mk8s.simulating.runs import experiment, of_rate
from transports.simulated import Span


class Refusing:
    """A checker that breaks at the first record of a kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def see(self, record: Record) -> None:
        if record.kind == self._kind:
            raise Broken("never-so", f"there was a {self._kind}", record)

    def end(self) -> None:
        """Nothing is left."""


def test_a_seed_repeats_exactly() -> None:
    """Journal and all, with faults of every kind."""
    once, again = (tried(experiment(made=of_rate(0.03)), 5) for _ in range(2))
    assert replace(once, cpu=0) == replace(again, cpu=0)
    assert once.struck


def test_a_rate_strikes_as_a_plan_of_faults_does() -> None:
    """The command line's --faults and tests that give a plan tell of the same runs."""
    nodes = cluster(servers=3, agents=2)
    rates = dict.fromkeys(FAULT_KINDS, 0.03 / len(FAULT_KINDS))
    plain = rehearse(Conditions(nodes, load_distro("rke2")), 5, faults=FaultPlan(5, rates))
    assert tried(experiment(nodes=nodes, made=of_rate(0.03)), 5).digest == plain.digest


def test_a_rate_of_some_nodes_strikes_those_alone() -> None:
    """And of some operations."""
    text = "rates: [{node: agents, operation: 'file.*', kinds: {slow: 0.5}}]\n"
    run = rehearsed(experiment(text), 1)
    assert {struck.node for struck in run.struck} == {"agent-1", "agent-2"}
    assert {struck.operation.split(".")[0] for struck in run.struck} == {"file"}


def test_a_fault_of_an_operation_strikes_at_its_attempt_alone() -> None:
    """The second time that the host is asked for it."""
    text = "faults: [{node: primary, operation: file.append, what: drop, attempt: 2, fraction: 0.25}]\n"
    assert [struck.again() for struck in rehearsed(experiment(text), 1).struck] == [
        Strike("srv-1", "file.append", "drop", 2, 0.25)
    ]


def test_a_fault_of_every_attempt_strikes_until_the_node_is_given_up() -> None:
    """And the node's failure is what the scenario asks for."""
    text = "faults: [{node: 'agent[0]', operation: file.append, what: disk-full, attempt: every}]\n"
    ended = tried(experiment(text), 1)
    assert [(bad.node, bad.outcome, bad.edge, bad.kind, bad.after) for bad in ended.bad] == [
        ("agent-1", "quarantined", "stage", "disk.full", "disk-full")
    ]


def test_the_first_row_that_meets_an_operation_wins() -> None:
    """As people read a file."""
    rows = [Strike("a", "x.y", "drop"), Strike("a", "x.*", "slow", None)]
    fault = Strikes(0, rows).decide("a", "x.y", 1)
    again = Strikes(0, rows).decide("a", "x.y", 2)
    assert fault is not None
    assert again is not None
    assert (fault.kind, again.kind) == ("drop", "slow")


@pytest.mark.parametrize(
    "row",
    [
        "{node: 'server[1]', what: power-off, at: 1m, for: 3m}",
        "{node: 'server[1]', what: reboot, at: 1m}",
        "{node: 'server[1]', what: cable-out, at: 1m, for: 3m}",
        "{node: 'server[1]', what: slow-link, rate: 1MB/s, at: 0s, for: 20m}",
        "{what: slow-uplink, rate: 3MB/s, at: 0s, for: 20m}",
        "{what: uplink-down, at: 1m, for: 3m}",
        "{node: 'server[1]', what: port-taken, port: 6443, at: 1s, for: 12m}",
    ],
)
def test_what_passes_is_survived_and_changes_the_run(row: str) -> None:
    """Everyone becomes healthy, and the journal is another one."""
    calm, struck = (tried(experiment(text), 1) for text in ("", f"faults: [{row}]\n"))
    assert struck.happened == 1
    assert struck.ending == "healthy"
    assert struck.digest != calm.digest


def test_a_happening_follows_the_edge_of_another_node() -> None:
    """So many seconds after it."""
    row = "{node: 'agent[0]', what: reboot, when: {edge: start-primary, node: primary, is: done}, after: 7s}"
    run = rehearsed(experiment(f"faults: [{row}]\n"), 1)
    done = next(
        record.at for record in run.records if record.edge == "start-primary" and record.kind == "done"
    )
    assert [round(one.at - done, 3) for one in run.happened] == [7.0]


def test_an_edge_that_a_probe_finds_done_is_a_moment_too() -> None:
    """What is to happen afterwards does not wait for an attempt that nobody makes any more."""
    text = (
        "faults:\n"
        "  - {node: primary, operation: rke2.start, what: apply-then-drop}\n"
        "  - {node: agents, what: reboot, when: {edge: start-primary, is: done, node: primary}}\n"
    )
    at_once = Profile({"rke2:primary-first-start": Span(0.1, 0.1), "rke2:server-begin": Span(0.1, 0.1)})
    made = experiment(text)
    run = rehearsed(replace(made, conditions=replace(made.conditions, profile=at_once)), 0)
    kinds = [record.kind for record in run.records if record.edge == "start-primary"]
    assert ("probed" in kinds, "done" in kinds) == (True, False)
    assert [one.happening.what for one in run.happened] == ["reboot", "reboot"]


def test_rates_that_select_nobody_are_told() -> None:
    """As faults are: a misspelt name must not be a quiet day."""
    made = experiment("rates: [{node: agnet-1, kinds: {drop: 0.5}}]\n").cast
    assert made.idle == ("test: rates of agnet-1: the manifest has no such node",)
    assert not made.has_faults


def test_of_happenings_that_overlap_the_last_one_ends_it() -> None:
    """The first to end does not mend what another still breaks; the last puts back what was before both."""
    text = (
        "faults:\n"
        "  - {what: slow-uplink, at: 1s, rate: 9MB/s, for: 20s}\n"
        "  - {what: slow-uplink, at: 2s, rate: 3MB/s, for: 3m}\n"
        "  - {node: agents, what: disk-full, at: 10m, for: 3s}\n"
        "  - {node: agents, what: disk-full, at: 601s, for: 9s}\n"
        "  - {node: primary, what: power-off, at: 1s, for: 2s}\n"
        "  - {node: primary, what: power-off, at: 2s}\n"
    )
    run = rehearsed(experiment(text), 0)
    quiet = rehearsed(experiment(), 0)
    assert run.network.set_uplink(1.0) == quiet.network.set_uplink(1.0)
    assert run.result.states["srv-1"] == "failed"


def test_a_full_disk_gets_its_room_back() -> None:
    """What was taken is given, and no more."""
    text = "faults: [{node: 'agent[0]', what: disk-full, at: 20m, for: 1s}]\n"
    calm, full = (rehearsed(experiment(words), 1) for words in ("", text))
    assert full.network.hosts["10.0.1.1"].disk.room == calm.network.hosts["10.0.1.1"].disk.room


def test_expectations_decide_whether_a_run_is_as_expected() -> None:
    """A node that fails as it should is no trouble; one that should fail, and is healthy, is."""
    row = "faults: [{node: 'agent[0]', what: cable-out, at: 0s}]\n"
    wanted = tried(experiment(row + "expect: {nodes: {'*': healthy, 'agent[0]': [failed, blocked]}}\n"), 1)
    missed = tried(experiment("expect: {nodes: {'agent[0]': failed}, within: 1m}\n"), 1)
    assert wanted.as_expected
    assert missed.unmet[0] == "agent-1 is healthy, and failed is expected"
    assert missed.unmet[1].startswith("it took")


def test_a_broken_invariant_is_a_result_with_its_evidence() -> None:
    """Not the end of all seeds."""
    ended = tried(experiment(checkers=lambda: [Refusing("signal")]), 3)
    assert (ended.seed, ended.ending, ended.invariant) == (3, "broken", "never-so")
    assert "there was a signal" in ended.evidence


def test_a_run_without_an_end_breaks_the_law_that_runs_end() -> None:
    """Its evidence says for how long, and who was still on the way."""

    async def never(_hosts: object) -> None:
        await trio.sleep_forever()

    made = experiment()
    ended = tried(replace(made, conditions=replace(made.conditions, prepare=never)), 3)
    assert (ended.ending, ended.invariant, ended.as_expected) == ("broken", "everyone-ends", False)
    assert "no end after 2.592e+06 virtual seconds (seed 3)" in ended.evidence
    assert "srv-1 in pending" in ended.evidence


def test_a_bug_of_the_simulation_is_a_result_with_its_traceback() -> None:
    """The other seeds still tell something."""

    class Clumsy(Refusing):
        def end(self) -> None:
            raise RuntimeError("no such luck")

    ended = tried(experiment(checkers=lambda: [Clumsy("no")]), 3)
    assert (ended.ending, ended.invariant) == ("crashed", "RuntimeError")
    assert "no such luck" in ended.evidence


def test_a_result_travels_between_processes_and_is_small() -> None:
    """Thousands of them are kept."""
    ended = tried(experiment(made=of_rate(0.05)), 3)
    assert pickle.loads(pickle.dumps(ended)) == ended
    assert len(pickle.dumps(ended)) < 8000


def test_nodes_that_a_scenario_leaves_out_take_no_part() -> None:
    """And neither does what would meet them."""
    text = "nodes: [primary, 'agent[1]']\nfaults: [{node: '*', what: reboot, at: 1m}]\n"
    run = rehearsed(experiment(text), 1)
    assert list(run.result.states) == ["srv-1", "agent-2"]
    assert {one.happening.node for one in run.happened} == {"srv-1", "agent-2"}


def test_an_experiment_without_anything_is_a_plain_rehearsal() -> None:
    """Byte for byte."""
    nodes = cluster(servers=3, agents=2)
    plain = rehearse(Conditions(nodes, load_distro("rke2")), 4)
    assert tried(Experiment(Conditions(nodes, load_distro("rke2"))), 4).digest == plain.digest
