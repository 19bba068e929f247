"""`simulation:` - what it gives to rehearsals, and its mistakes in a person's words."""

from __future__ import annotations

import pytest

from mk8s.cluster import Simulation
from mk8s.distros.base import load_distro
from mk8s.forecast.given import given_in, name_faults
from tests.mk8s.manifest.manifests import SOUND, cluster_of, faults_of
from transports.simulated import Span

GIVEN = (
    "simulation: {uplink: 20MB/s, latency: 30ms, "
    'durations: {"rke2:server-first-start": 90s, rke2.unpack: [4s, 1m]}}\n'
)
BAD = {
    "a key that does not exist": ("{uplnk: 20MB/s}", "5:14: simulation.uplnk: the key 'uplnk' is not known"),
    "a rate without a unit": ("{uplink: 20}", "5:14: simulation.uplink: '20' is not a rate"),
    "a latency without a unit": ("{latency: 30}", "5:14: simulation.latency: '30' is not a length of time"),
    "a duration of nothing": ("{durations: {a.b: 0s}}", "'0s' is not a sensible time"),
    "three times": ("{durations: {a.b: [1s, 2s, 3s]}}", "a list has two times"),
    "the longer one first": ("{durations: {a.b: [2s, 1s]}}", "'2s' is the longer one"),
    "a time in a list without a unit": ("{durations: {a.b: [1, 2s]}}", "'1' is not a length of time"),
}


def test_what_is_given_becomes_a_value_in_seconds_and_bytes() -> None:
    """One time is both ends."""
    durations = {"rke2:server-first-start": (90.0, 90.0), "rke2.unpack": (4.0, 60.0)}

    assert cluster_of(SOUND + GIVEN).simulation == Simulation(20_000_000, None, 0.03, durations)


def test_nothing_given_is_an_empty_value() -> None:
    """And an empty layer."""
    cluster = cluster_of(SOUND)

    assert cluster.simulation == Simulation()
    assert (given_in(cluster).durations, given_in(cluster).links) == ({}, {})


def test_the_layer_holds_what_the_manifest_gives() -> None:
    """Names as they stand."""
    layer = given_in(cluster_of(SOUND + GIVEN))

    assert layer.durations["rke2.unpack"] == Span(4.0, 60.0)
    assert layer.links == {"uplink": 20_000_000, "latency": 0.03}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    """All by the rules that other keys have."""
    assert any(told in fault for fault in faults_of(f"{SOUND}simulation: {text}\n"))


def test_names_that_the_models_know_are_no_fault() -> None:
    """Operations and phases alike."""
    assert name_faults(cluster_of(SOUND + GIVEN), load_distro("rke2")) == []


def test_a_name_that_no_model_knows_is_told_with_what_was_meant() -> None:
    """It would do nothing, and nobody would notice."""
    text = GIVEN.replace("rke2.unpack", "rke2.unpak")

    (fault,) = name_faults(cluster_of(SOUND + text), load_distro("rke2"))

    assert fault.startswith("simulation.durations.rke2.unpak: 'rke2.unpak' is no duration of rke2's models")
    assert "did you mean 'rke2.unpack'" in fault
