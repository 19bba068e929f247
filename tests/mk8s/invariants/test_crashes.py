"""A run that is killed after any record of its journal, and run again, comes to the same end."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
import trio

from machines import MemoryJournal
from machines.simulation import run_simulated
from mk8s.distros.base import load_distro
from tests.mk8s.examples import cluster
from tests.mk8s.invariants.sites import EndState, MortalJournal, Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SHARES = 8  # into which the records to crash at are split, so that they spread over the cores
SAMPLE = 9  # of the other distros' records every so many is crashed at
LEFT = {"the record survives": False, "what was not synced is lost": True}


def site(distro: str) -> Site:
    """Three servers and three agents."""
    return Site(replace(cluster(), distro=distro), load_distro(distro))


@lru_cache
def undisturbed(distro: str) -> tuple[EndState, int]:
    """The end of a run that nothing happens to, and how many records it writes."""

    hosts, journal = site(distro), MemoryJournal()

    async def main() -> tuple[EndState, int]:
        result = await hosts.run(journal)
        return hosts.end_state(result), len(journal.records())

    return run_simulated(main, seed=0, clock=hosts.clock)


def crashed(distro: str, record: int, *, synced_only: bool) -> EndState:
    """The end of a run that was killed right after a record, and of the one that resumed it."""

    hosts = site(distro)

    async def main() -> EndState:
        async with trio.open_nursery() as own:
            journal = MortalJournal(record)
            assert not await hosts.survives(journal, own)
            result = await hosts.run(MemoryJournal(journal.left(synced_only=synced_only)))
            own.cancel_scope.cancel()
        return hosts.end_state(result)

    return run_simulated(main, seed=0, clock=hosts.clock)


@pytest.mark.parametrize("distro", ["rke2", "k0s", "k3s", "kubeadm", "vanilla"])
def test_the_undisturbed_run_is_worth_comparing_with(distro: str) -> None:
    """Six healthy nodes, one cluster of three voters, many records, files and services on each host."""
    end, records = undisturbed(distro)
    assert set(end.states.values()) == {"healthy"}
    assert records > 80
    assert (end.clusters, list(end.members.values())) == (1, [True] * 3)
    assert all(len(files) > 8 for files in end.files.values())
    assert all(("active", True) in services.values() for services in end.services.values())


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("share", range(SHARES))
def test_a_run_killed_after_any_record_comes_to_the_same_end(share: int, left: str) -> None:
    """Node states, files by hash and mode, services, members and initialisations: nothing differs."""
    whole, records = undisturbed("rke2")
    for record in range(1 + share, records, SHARES):
        assert crashed("rke2", record, synced_only=LEFT[left]) == whole, f"killed after record {record}"


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("distro", ["k0s", "k3s", "kubeadm", "vanilla"])
def test_so_does_a_run_of_every_other_distro(distro: str, left: str) -> None:
    """Every so many records; the nightly sweep kills at others."""
    whole, records = undisturbed(distro)
    for record in range(1 + LEFT[left] * SAMPLE // 2, records, SAMPLE):
        assert crashed(distro, record, synced_only=LEFT[left]) == whole, f"killed after record {record}"
