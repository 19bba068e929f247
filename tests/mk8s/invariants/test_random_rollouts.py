"""Random rollouts: any distro, shape, limits, budgets, gates and faults; cut off wherever it may be."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from machines import MemoryJournal
from machines.simulation import run_simulated
from mk8s.cluster import FanOut
from mk8s.distros.base import load_distro
from tests.amounts import many
from tests.mk8s.invariants.sites import MortalJournal, Site
from tests.mk8s.invariants.sweep import DISTROS, ENDS, Case, ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(many(400))]

FAN_OUTS = st.builds(
    FanOut,
    mode=st.sampled_from(["auto", "on", "off"]),
    seeds=st.integers(1, 3),
    per_node=st.integers(1, 4),
    between_groups=st.integers(1, 2),
)


def cases(most_agents: int, most_rate: float) -> st.SearchStrategy[Case]:
    """Clusters that a manifest could ask for, and a bad day for each."""
    return st.builds(
        Case,
        seed=st.integers(0, 2**32),
        distro=st.sampled_from(DISTROS),
        servers=st.sampled_from([1, 2, 3, 5]),
        agents=st.integers(0, most_agents),
        rate=st.floats(0, most_rate),
        limits=st.fixed_dictionaries({"uploads": st.integers(1, 12), "agent-joins": st.integers(1, 12)}),
        budgets=st.dictionaries(
            st.sampled_from(["server", "agent"]), st.sampled_from(["0", "1", "20%", "100%"])
        ),
        fan_out=FAN_OUTS,
        bandwidth=st.none() | st.integers(500_000, 500_000_000),
        agents_wait_for_primary=st.booleans(),
    )


@settings(max_examples=many(25))
@given(cases(12, 0.05))
def test_any_rollout_ends_and_breaks_no_invariant(case: Case) -> None:
    """What is wrong would be said here."""
    assert ended(case).wrong == ""


@settings(max_examples=many(15))
@given(cases(5, 0.02), st.lists(st.integers(1, 60), min_size=1, max_size=4), st.booleans())
def test_any_rollout_killed_at_random_records_ends_and_breaks_no_invariant(
    case: Case, lives: list[int], synced_only: bool
) -> None:
    """Killed again and again, with faults on the way; the hosts live on, and the last run ends."""

    site = Site(case.cluster, load_distro(case.distro), case.seed, case.faults)

    async def main() -> set[str]:
        data = b""
        async with trio.open_nursery() as own:
            for life in lives:
                journal = MortalJournal(len(MemoryJournal(data).records()) + life, data)
                lived = await site.survives(journal, own)
                data = journal.left(synced_only=synced_only and not lived)
            result = await site.run(MemoryJournal(data))
            own.cancel_scope.cancel()
        return {state for name, state in result.states.items() if name not in result.blocked}

    assert run_simulated(main, seed=case.seed % 1000, clock=site.clock) <= ENDS
