"""mk8s.forecast.predicting and bounds: what a run will be like, over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from machines.framing import frame
from machines.simulation import Broken
from mk8s.cluster import Cluster
from mk8s.distros.base import load_distro
from mk8s.errors import Mk8sError
from mk8s.forecast.predicting import SEEDS, Forecast, forecast, seeds_for
from mk8s.rehearsal import Conditions, rehearse
from tests.mk8s.examples import cluster
from transports.simulated import SimulatedHost


def foreseen(made: Cluster, seeds: int = 5, uplink: float | None = None) -> Forecast:
    return forecast(Conditions(made, load_distro(made.distro), uplink=uplink), seeds=seeds)


@pytest.fixture(scope="module")
def six() -> Forecast:
    """Three servers, three agents."""
    return foreseen(cluster(), seeds=9)


def test_the_same_manifest_gives_the_same_forecast() -> None:
    """Whoever makes it, and whenever."""
    one, other = foreseen(cluster(servers=1, agents=1)), foreseen(cluster(servers=1, agents=1))
    assert one == other


def test_a_range_lies_around_its_middle(six: Forecast) -> None:
    """And the servers are there before all are."""
    assert six.to_all
    assert six.to_ha
    assert six.to_all.low <= six.to_all.middle <= six.to_all.high
    assert six.to_ha.middle < six.to_all.middle
    assert six.to_all.low < six.to_all.high


def test_the_middle_seed_can_be_repeated(six: Forecast) -> None:
    """The same seed gives what was told in detail."""
    again = rehearse(Conditions(cluster(), load_distro("rke2"), knows_links=True), six.middle_seed)
    assert again.result.at == six.timeline.ended


def test_the_path_has_no_gap_and_names_its_steps(six: Forecast) -> None:
    """From the first second to the last node's health."""
    assert six.path[0].began == pytest.approx(0, abs=0.1)
    assert all(after.began == pytest.approx(leg.ended, abs=0.1) for leg, after in pairwise(six.path))
    assert all(leg.steps for leg in six.path)


def test_etcd_bounds_a_small_cluster_on_a_quick_link(six: Forecast) -> None:
    """Servers join one at a time, and that takes longest."""
    assert "one at a time (etcd-joins): srv-2, srv-3" in six.bounds[0].words
    assert sum(bound.share for bound in six.bounds) == pytest.approx(1)


def test_the_upload_bounds_it_on_a_slow_link() -> None:
    """2 MB/s for six times 900 MiB."""
    seen = foreseen(replace(cluster(), fan_out=replace(cluster().fan_out, mode="off")), seeds=1, uplink=2e6)
    assert seen.bounds[0].words.startswith("the upload")
    assert seen.bounds[0].share > 0.5


def test_bytes_are_counted_by_node(six: Forecast) -> None:
    """Everything comes from here where nobody hands on."""
    assert set(six.moved) == {node.name for node in cluster().nodes}
    assert six.from_here + six.from_nodes == sum(m.from_here + m.from_nodes for m in six.moved.values())
    assert all(moved.from_here + moved.from_nodes > 895 << 20 for moved in six.moved.values())


def test_what_is_left_of_a_half_done_run_is_shorter(six: Forecast) -> None:
    """Seconds are counted from where it goes on."""
    distro = load_distro("rke2")
    whole = rehearse(Conditions(cluster(), distro))
    half = next(i for i, r in enumerate(whole.records) if r.kind == "signal")
    journal = b"".join(frame(record) for record in whole.records[: half + 1])
    rest = forecast(Conditions(cluster(), distro, past=journal), seeds=3)
    assert rest.to_all
    assert six.to_all
    assert 0 < rest.to_all.middle < six.to_all.middle
    assert rest.began > 0
    assert rest.path[0].began == pytest.approx(0, abs=1)


def test_large_clusters_get_fewer_seeds() -> None:
    """And never none."""
    assert seeds_for(4) == SEEDS
    assert 1 <= seeds_for(500) < SEEDS
    assert seeds_for(10_000) >= 1


def test_a_rehearsal_that_breaks_a_law_is_told_and_is_no_traceback() -> None:
    """Such as one that goes on from a journal which somebody has changed by hand."""

    async def broken(_hosts: Mapping[str, SimulatedHost]) -> None:
        raise Broken("one-cluster", "a second one")

    with pytest.raises(Mk8sError, match="a second one"):
        forecast(Conditions(cluster(), load_distro("rke2"), prepare=broken), seeds=1)
