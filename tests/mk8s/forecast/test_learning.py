"""What is learnt from a run: it predicts that run, and runs of other shapes made of the same durations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from machines.simulation import FaultPlan
from mk8s.errors import Mk8sError
from mk8s.forecast.comparing import compare
from mk8s.forecast.learning import learn, learnt_from
from mk8s.forecast.measuring import latency_of, measured
from mk8s.forecast.profile import DEFAULTS, Layer, Profile
from mk8s.transcript import Transcript
from tests.mk8s.examples import cluster
from tests.mk8s.forecast.runs import command, kept
from transports.simulated import Span

HERE = DEFAULTS.under(
    Layer(
        "this place",
        {
            "rke2:primary-first-start": Span(38, 42),
            "rke2:server-first-start": Span(57, 63),
            "rke2:agent-first-start": Span(9, 11),
            "rke2:node-network": Span(4, 5),
            "rke2.unpack": Span(2.0, 3.0),
            "unit.enable": Span(0.5, 0.7),
        },
        uplink=80e6,
        link=100e6,
        latency=0.04,
    )
)


@pytest.fixture(scope="module")
def learnt() -> Layer:
    """Of one run with three servers and two agents."""
    return learnt_from(kept(cluster(servers=3, agents=2), HERE))


@pytest.mark.parametrize("name", HERE.durations)
def test_a_run_gives_its_durations_back(learnt: Layer, name: str) -> None:
    """About: between two looks nobody can tell, and a wait is looked at every two seconds at the most."""
    wanted, found = HERE.durations[name], learnt.durations[name]
    middle = (wanted.low + wanted.high) / 2

    assert (found.low + found.high) / 2 == pytest.approx(middle, rel=0.2, abs=1.5)


def test_a_run_gives_its_links_back(learnt: Layer) -> None:
    """The uplink by all transfers together; the round trip by the quickest command."""
    assert learnt.uplink == pytest.approx(80e6, rel=0.15)
    assert learnt.latency == pytest.approx(0.04, abs=0.02)


@pytest.mark.parametrize(("servers", "agents"), [(1, 0), (1, 6), (3, 0), (5, 3)])
def test_runs_of_other_shapes_are_predicted_within_fifteen_percent(
    learnt: Layer, servers: int, agents: int
) -> None:
    """The same durations, other nodes."""
    shape = cluster(servers=servers, agents=agents)

    told = compare(kept(shape, DEFAULTS.under(learnt), seed=0).timeline, kept(shape, HERE, seed=8).timeline)

    assert told.close, told


def test_the_models_alone_do_not_predict_it() -> None:
    """So what is learnt is what makes the difference."""
    shape = cluster(servers=1, agents=2)

    assert not compare(kept(shape, Profile()).timeline, kept(shape, HERE).timeline).close


def test_faults_of_the_earlier_run_do_not_make_the_prediction_worse() -> None:
    """Lost connections, hung and failed commands: an attempt with any of them says nothing of a phase."""
    shape = cluster(servers=3, agents=4)
    faults = FaultPlan(4, {"drop": 0.01, "hang": 0.004, "exit": 0.01})
    found = learnt_from(kept(shape, HERE, faults=faults))

    told = compare(kept(shape, DEFAULTS.under(found), seed=0).timeline, kept(shape, HERE, seed=8).timeline)

    assert told.close, told


def test_what_a_run_did_not_show_differs_from_its_model_as_the_rest() -> None:
    """A run with one server shows no join: it is reckoned with as much quicker as what was shown."""
    quick = DEFAULTS.under(
        Layer("quick", {f"rke2:{part}-first-start": Span(12, 12) for part in ("primary", "server", "agent")})
    )
    found = learnt_from(kept(cluster(servers=1, agents=2), quick))

    assert 3 < found.durations["rke2:server-first-start"].low < 60


def test_a_transcript_without_times_is_refused() -> None:
    """What older versions wrote."""
    old = replace(kept(cluster(servers=1), HERE), transcript=Transcript())

    with pytest.raises(Mk8sError, match="nothing can be learnt from earlier"):
        learnt_from(old)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """With the words which folder is meant."""
    with pytest.raises(Mk8sError, match="not the state folder of an earlier run") as caught:
        learn(tmp_path)
    assert "manifest.yaml cannot be read: No such file" in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_a_folder_above_the_one_that_is_meant_is_told_where_that_one_is(tmp_path: Path) -> None:
    """Whoever names the manifest's folder meant the run in it."""
    (tmp_path / ".mk8s" / "cluster" / "journal").mkdir(parents=True)

    with pytest.raises(Mk8sError, match=r"did you mean .*\.mk8s/cluster\?"):
        learn(tmp_path)


# What commands say


def test_commands_that_were_not_answered_count_for_nothing() -> None:
    """Cancelled, lost and hung ones took as long as somebody's patience."""
    done = [command("a.b", 0, 1.0), command("a.b", 1, 900.0, status="timeout"), command("c.d", 2, 0.004)]
    layer = measured([*done, command("a.b", 3, 0.01, status="cancelled")], "x")

    assert layer.durations["a.b"].high == pytest.approx(1.0, abs=0.01)


def test_one_stray_among_many_moves_nothing() -> None:
    """A host that slept for a minute is no slow host."""
    layer = measured([command("a.b", i, 60.0 if i == 7 else 1.0) for i in range(20)], "x")

    assert layer.durations["a.b"].high < 1.1


def test_an_exit_status_other_than_zero_is_an_answer() -> None:
    """Checks say no by it."""
    assert measured([command("a.b", 0, 2.0, status=1)], "x").durations["a.b"].low == pytest.approx(2, abs=2)


def test_the_round_trip_is_what_the_quickest_command_took_beyond_a_shell() -> None:
    """Whoever was not answered tells nothing."""
    assert latency_of([command("a", 0, 0.104), command("b", 0, 0.3), command("c", 0, 0.0, status="x")]) == (
        pytest.approx(0.1)
    )


def test_the_uplink_is_what_all_transfers_at_the_same_time_carried() -> None:
    """Two at once, each at half of it."""
    sent = [command("file.append", 0, 10, size=10**9, node=node) for node in "ab"]

    assert measured(sent, "x").uplink == pytest.approx(2e8)


def test_a_link_that_the_manifest_limited_is_not_taken_for_slow() -> None:
    """Nobody knows what it would have carried."""
    sent = [command("file.append", 0, 10, size=10**8)]

    assert measured(sent, "x", bandwidth=10_000_000).uplink is None
    assert measured(sent, "x", bandwidth=90_000_000).uplink == pytest.approx(1e7)


def test_this_machines_own_work_shows_in_commands_that_had_company() -> None:
    """Each beside another makes one so much longer."""
    alone = [command("a.b", i, 0.1) for i in range(30)]
    ten = [command("a.b", 100 + i, 0.1 + 9 * 0.02) for i in range(6) for _ in range(10)]

    assert measured([*alone, *ten], "x").operator == pytest.approx(0.02, rel=0.05)


def test_nothing_is_said_of_it_where_commands_were_alone() -> None:
    """One node at a time shows nothing."""
    assert measured([command("a.b", i, 0.1) for i in range(50)], "x").operator is None
