"""mk8s.rehearsal: whole clusters in virtual time, with the real table, driver, executor and engine."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from machines.simulation import FAULT_KINDS, FaultPlan
from mk8s.cluster import FanOut
from mk8s.distros.base import load_distro
from mk8s.distros.rancher.model import world_of
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from tests.mk8s.examples import cluster

PROGRAM = """
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions, rehearse
from tests.mk8s.test_rehearsal import faulty
print(faulty(7, servers=3, agents=9).digest)
"""


def faulty(seed: int, *, servers: int, agents: int, rate: float = 0.01) -> Rehearsal:
    """A rehearsal in which each operation meets one of all the kinds of fault at this rate."""
    faults = FaultPlan(seed, dict.fromkeys(FAULT_KINDS, rate / len(FAULT_KINDS)))
    return rehearse(
        Conditions(cluster(servers=servers, agents=agents), load_distro("rke2")), seed, faults=faults
    )


def test_without_faults_everyone_becomes_healthy() -> None:
    """Three servers, three agents; the order is the declared one, or a checker would have said so."""
    run = rehearse(Conditions(cluster(), load_distro("rke2")))
    assert run.result.ok
    assert set(run.result.states.values()) == {"healthy"}
    assert world_of(run.network).violations == []
    assert world_of(run.network).collisions == 0
    assert len(world_of(run.network).initialised) == 1


def test_a_slow_uplink_makes_the_run_longer_and_nothing_else() -> None:
    """Time on links is modelled: 2 MB/s for 6 x 895 MiB is three quarters of an hour."""
    quick = rehearse(Conditions(cluster(), load_distro("rke2")))
    slow = rehearse(Conditions(cluster(), load_distro("rke2"), uplink=2e6))
    assert slow.result.states == quick.result.states
    assert slow.result.at - quick.result.at > 2400


def test_a_rehearsal_chooses_to_hand_on_as_the_run_would_by_the_bandwidth_that_is_given() -> None:
    """The same six nodes behind 2 MB/s: 895 MiB leave this machine about once, not six times."""
    limited = replace(cluster(), bandwidth=2_000_000)
    chosen = rehearse(Conditions(limited, load_distro("rke2")))
    never = rehearse(Conditions(replace(limited, fan_out=FanOut("off")), load_distro("rke2")))
    assert chosen.result.states == never.result.states
    assert never.result.at - chosen.result.at > 1800


def test_one_seed_is_one_journal_in_every_process() -> None:
    """Three processes with different hash seeds: one digest. tests/mk8s/invariants asks more of them."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in (1, 2, 3)
    ]
    digests = [run.communicate()[0].strip() for run in runs]
    assert len(digests[0]) == 64
    assert set(digests) == {digests[0]}


def test_another_seed_is_another_journal() -> None:
    """Or the test above would prove nothing."""
    assert faulty(1, servers=3, agents=3).digest != faulty(2, servers=3, agents=3).digest
