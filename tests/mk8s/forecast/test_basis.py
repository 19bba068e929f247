"""mk8s.forecast.basis: which durations of a forecast were learnt or given, and which nobody knows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mk8s.distros.base import load_distro
from mk8s.forecast.basis import Basis, basis_as_data, basis_as_text, basis_of, basis_of_few
from mk8s.forecast.files import profile_text, read_profile_text
from mk8s.forecast.given import declared_in
from mk8s.forecast.learning import learnt_from
from mk8s.forecast.profile import DEFAULTS, Layer, Profile, pooled
from mk8s.rehearsal import Conditions, rehearse
from tests.mk8s.examples import cluster
from tests.mk8s.forecast.runs import kept
from transports.simulated import Span

SHAPE = cluster(servers=3, agents=1)
GIVEN = Layer("given in cluster.yaml", {"unit.enable": Span(7.0, 7.0)})


@pytest.fixture(scope="module")
def learnt() -> Layer:
    """Of a run with one server: it shows no join of another one."""
    return learnt_from(kept(cluster(servers=1, agents=1), DEFAULTS))


def under(*layers: Layer) -> Basis:
    """Of three servers and an agent."""
    profile = DEFAULTS
    for layer in layers:
        profile = profile.under(layer)
    return of(profile)


def of(profile: Profile) -> Basis:
    return basis_of(rehearse(Conditions(SHAPE, load_distro("rke2"), profile)), profile)


def kinds(basis: Basis) -> dict[str, str]:
    return {footing.name: footing.kind for footing in basis.footings}


def test_what_a_run_showed_is_learnt_from_as_many_samples(learnt: Layer) -> None:
    """Commands, waits, links."""
    found = {footing.name: footing for footing in under(learnt).footings}

    assert (found["rke2:primary-first-start"].kind, found["rke2:primary-first-start"].samples) == (
        "learnt",
        1,
    )
    assert (found["rke2.unpack"].kind, found["rke2.unpack"].samples) == ("learnt", 2)
    assert found["latency"].kind == "learnt"
    assert found["latency"].source == learnt.source


def test_what_a_run_did_not_show_is_said_to_be_carried_over(learnt: Layer) -> None:
    """It is a number like the others, and nobody measured it."""
    assert kinds(under(learnt))["rke2:server-first-start"] == "carried-over"


def test_what_neither_a_run_nor_anybody_said_stands_on_the_models(learnt: Layer) -> None:
    """By name, with the seconds that it takes."""
    layer = replace(learnt, durations={n: s for n, s in learnt.durations.items() if "network" not in n})
    footing = next(f for f in under(layer).footings if f.name == "rke2:node-network")

    assert (footing.kind, footing.samples) == ("default", 0)
    assert footing.seconds > 1


def test_what_is_given_wins_over_what_was_learnt(learnt: Layer) -> None:
    """And says where it was given."""
    footing = next(f for f in under(learnt, GIVEN).footings if f.name == "unit.enable")

    assert (footing.kind, footing.source) == ("given", "given in cluster.yaml")
    assert footing.seconds >= 7


def test_bytes_that_hosts_work_on_and_that_links_carry_weigh_too() -> None:
    """As seconds of the node that has most of them."""
    rates = Layer("given", {"hashing": Span(0, 0, 1e6)}, uplink=1e6)
    first = [footing.name for footing in under(rates).footings[:2]]

    assert sorted(first) == ["hashing", "uplink"]


def test_a_limit_of_the_uplink_is_given() -> None:
    """As --uplink and limits.bandwidth are."""
    assert kinds(of(DEFAULTS.with_uplink(1e6)))["uplink"] == "given"
    assert kinds(of(DEFAULTS.with_uplink(1e12)))["uplink"] == "default"


def test_the_words_are_a_count_and_those_that_weigh_most(learnt: Layer) -> None:
    """The longest of what nobody measured first."""
    told = dict(basis_as_text(under(learnt, GIVEN)))

    assert list(told) == ["learnt", "carried", "given", "default"]
    assert "samples" in told["learnt"]
    assert "not shown by the run" in told["carried"]
    assert "most of a node's time by rke2:server-" in told["carried"]
    assert told["given"].startswith("1 of ")
    assert "unit.enable" in told["given"]


def test_nothing_is_told_where_all_stands_on_the_models() -> None:
    """The forecast says so in one line."""
    assert basis_as_text(under()) == []


def test_as_data_it_is_all_of_them(learnt: Layer) -> None:
    """What takes longest first."""
    data = json.loads(json.dumps(basis_as_data(under(learnt))))

    assert {"learnt", "default"} <= {row["kind"] for row in data}
    assert [row["seconds"] for row in data] == sorted((row["seconds"] for row in data), reverse=True)


def test_a_few_nodes_show_the_same_names() -> None:
    """Whoever has no run at hand asks these."""
    many = Conditions(cluster(servers=3, agents=9), load_distro("rke2"), DEFAULTS.under(GIVEN))
    whole = basis_of(rehearse(many), many.paced)

    assert kinds(basis_of_few(many)) == kinds(whole)


def kept_in_a_file(profile: Profile, *edits: tuple[str, str]) -> Profile:
    """Saved as --save-profile does it, changed by a person, and read again."""
    ground = DEFAULTS.under(declared_in(SHAPE, load_distro("rke2")))
    text = profile_text(ground.under(profile.as_layer()).as_layer())
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    return DEFAULTS.under(read_profile_text(text.encode(), "site.json"))


def test_a_profile_that_was_saved_is_told_as_before_it_was(learnt: Layer) -> None:
    """Kind by kind, with the same samples: what the models say is not given for having been written down."""
    before = DEFAULTS.under(learnt).under(GIVEN)
    rows = {one.name: (one.kind, one.samples) for one in of(before).footings}

    assert {one.name: (one.kind, one.samples) for one in of(kept_in_a_file(before)).footings} == rows
    assert {kind for kind, _ in rows.values()} == {"learnt", "carried-over", "given", "default"}


def test_a_number_of_the_models_that_was_changed_in_a_file_is_given() -> None:
    """The file says that it was theirs, and it is not any more."""
    saved = kept_in_a_file(DEFAULTS, ('"uplink": 125000000', '"uplink": 5000000'))
    found = {footing.name: footing for footing in of(saved).footings}

    assert (found["uplink"].kind, found["uplink"].source) == ("given", "site.json")
    assert {footing.kind for name, footing in found.items() if name != "uplink"} == {"default"}


def test_of_several_runs_those_that_showed_it_are_asked() -> None:
    """Not those that carried it over from something else."""
    shown = Layer("a", {"x:y": Span(10, 10)}, samples={"x:y": 2})
    guessed = Layer("b", {"x:y": Span(90, 90)}, samples={"x:y": 0})

    both = pooled([shown, guessed])

    assert (both.durations["x:y"], both.samples["x:y"]) == (Span(10, 10), 2)
