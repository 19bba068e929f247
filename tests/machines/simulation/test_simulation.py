"""Whole groups in virtual time, with faults: everyone ends, every law is kept, one seed is one journal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machines.simulation import FAULT_KINDS, FaultKind, FaultPlan, ScriptedFault
from machines.spec import Retry
from tests.machines.groups import PATIENT, Group, people, with_edge

EVEN: dict[FaultKind, float] = dict.fromkeys(FAULT_KINDS, 0.02)
STUBBORN = [Retry(match=["*"], delay=5.0, max_delay=60.0)]
FORGIVING = with_edge(
    "build",
    with_edge("lead", with_edge("follow", retry=STUBBORN), retry=STUBBORN),
    retry=STUBBORN,
    deadline=None,
)


def test_one_seed_is_one_journal_and_another_seed_another() -> None:
    """To the byte."""
    digests = [Group(people(20), FaultPlan(seed, EVEN), seed=seed).run().digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_processes_with_other_hash_seeds_write_the_same_journal() -> None:
    """Nothing in a journal depends on the order of a set or a dict of a process."""
    code = (
        "from tests.machines.groups import *; from machines.simulation import FAULT_KINDS;"
        "plan = FaultPlan(7, dict.fromkeys(FAULT_KINDS, 0.02));"
        "print(Group(people(50), plan, seed=7).run().digest)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    answers = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 8
    assert len(set(answers)) == 1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rates=st.dictionaries(st.sampled_from(FAULT_KINDS), st.floats(0, 0.12)),
    followers=st.integers(0, 12),
    limits=st.fixed_dictionaries({"builders": st.integers(1, 5), "joins": st.integers(1, 3)}),
    budget=st.sampled_from(["0", "1", "20%", "100%"]),
)
def test_every_run_ends_and_keeps_every_law(
    seed: int, rates: dict[FaultKind, float], followers: int, limits: dict[str, int], budget: str
) -> None:
    """Whatever goes wrong: the checkers look on after every record."""
    group = Group(people(followers), FaultPlan(seed, rates), seed=seed)
    done = group.run(limits=limits, budgets={"follower": budget})
    assert not done.result.interrupted


@pytest.mark.parametrize("seed", range(5))
def test_when_faults_end_everyone_gets_home(seed: int) -> None:
    """Liveness: a table that never gives up recovers from a very bad first hour."""
    plan = FaultPlan(seed, dict.fromkeys(FAULT_KINDS, 0.1), until=3600.0)
    assert Group(people(30), plan, FORGIVING, seed=seed).run().result.ok


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_each_kind_of_fault_is_recovered_from(kind: FaultKind) -> None:
    """One on every edge of every node, and everyone gets home, with each join done once."""
    plan = FaultPlan(scripted=(ScriptedFault("*", "*", kind),))
    group = Group(people(3), plan, FORGIVING)
    assert group.run().result.ok
    assert {count for key, count in group.world.applied.items() if key[1] != "build"} == {1}


def test_an_effect_whose_answer_was_lost_happens_twice_only_where_nothing_can_be_asked() -> None:
    """Joins have a probe; builds must be idempotent."""
    plan = FaultPlan(scripted=(ScriptedFault("*", "*", "apply-then-drop"),))
    group = Group(people(1), plan)
    group.run()
    assert group.world.applied == {
        ("lead", "build"): 2,
        ("f0", "build"): 2,
        ("lead", "lead"): 1,
        ("f0", "follow"): 1,
    }


def test_a_thousand_nodes_with_faults_end_where_the_table_says() -> None:
    """Most get home, some fail, nobody hangs; the lead decides whether anyone follows."""
    plan = FaultPlan(1, EVEN)
    done = Group(people(999), plan, seed=1).run(limits={"builders": 50, "joins": 20})
    outcomes = Counter(done.result.states.values())
    assert sum(outcomes.values()) == 1000
    assert outcomes["home"] > 900
    assert len(done.records) > 9000


def test_resumed_again_and_again_a_group_comes_home() -> None:
    """Stopped every two minutes, with faults between: still every law is kept over all the runs."""
    group = Group(people(10), FaultPlan(5, EVEN), with_edge("build", retry=PATIENT), seed=5)
    done = group.run(stop_at=30.0, grace=1.0)
    for _ in range(200):
        if not done.result.interrupted:
            break
        done = group.run(done.journal, stop_at=30.0, grace=1.0)
    assert not done.result.interrupted
    assert done.result.states["lead"] == "home"
