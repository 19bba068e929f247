"""One seed is one journal, byte for byte: in every process, with every hash seed, by every Python at hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import pytest

from tests.mk8s.invariants.pythons import Python, pythons, this_python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DISTROS = ("rke2", "k3s", "k0s", "kubeadm", "vanilla")
SEED = 8
PROGRAM = """
from dataclasses import replace
from machines.simulation import FAULT_KINDS, FaultPlan
from mk8s.cluster import FanOut
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions, rehearse
from tests.mk8s.examples import cluster

planned = cluster(servers=3, agents=6)
for distro in {distros!r}:
    for fan_out in ("off", "on"):
        asked = replace(planned, distro=distro, fan_out=FanOut(fan_out), bandwidth=20_000_000)
        faults = FaultPlan({seed}, dict.fromkeys(FAULT_KINDS, 0.002))
        run = rehearse(Conditions(asked, load_distro(distro)), {seed}, faults=faults)
        print(distro, fan_out, len(run.records), len(run.journal), run.digest)
"""


def digests(python: Python, hash_seed: int, seed: int = SEED, distros: Sequence[str] = DISTROS) -> str:
    """One line for each rehearsal: what, how many records and bytes, and the sha256 of its journal."""
    return python.output(PROGRAM.format(distros=distros, seed=seed), hash_seed)


@lru_cache
def here() -> tuple[Python, str]:
    """This Python, and what it says."""
    python = this_python()
    return python, digests(python, hash_seed=0)


def test_the_rehearsals_are_worth_comparing() -> None:
    """All distros, with and without fan-out, long journals, and no two are the same."""
    lines = here()[1].splitlines()
    assert len(lines) == 2 * len(DISTROS)
    assert len({line.split()[-1] for line in lines}) == len(lines)
    assert all(int(line.split()[2]) > 100 for line in lines)


def test_processes_with_other_hash_seeds_write_the_same_bytes() -> None:
    """Four of them; the first is random to us as it is to every user."""
    python, expected = here()
    with ThreadPoolExecutor(2) as several:
        answers = list(several.map(lambda number: digests(python, number), (1, 2, 4_294_967_295)))
    assert answers == [expected] * 3


def test_another_seed_writes_other_bytes() -> None:
    """Or the tests here would prove nothing."""
    python, expected = here()
    other = digests(python, 0, seed=SEED + 1, distros=("rke2",)).splitlines()
    assert set(other).isdisjoint(expected.splitlines())


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_every_other_python_at_hand_writes_the_same_bytes(minor: int) -> None:
    """Where none can load this environment's packages, it says why."""
    fit = [python for python in pythons(minor) if not python.unfit]
    if not fit:
        reasons = [python.unfit for python in pythons(minor)] or ["there is none"]
        pytest.skip(f"no other Python 3.{minor} can run this: {'; '.join(reasons)}")
    for python in fit:
        assert digests(python, os.getpid()) == here()[1], str(python)
