"""specs/scenarios: what operators fear, over the real table and drivers; each says what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mk8s.cluster import Cluster
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions
from mk8s.simulating.casting import cast
from mk8s.simulating.scenario import load_scenario, shipped_scenarios
from mk8s.simulating.trial import Ended, Experiment, tried
from tests.mk8s.examples import cluster

SEEDS = 3
VERSIONS = {
    "rke2": "v1.33.4+rke2r1",
    "k3s": "v1.33.4+k3s1",
    "k0s": "v1.33.4+k0s.0",
    "kubeadm": "v1.33.4",
    "vanilla": "v1.33.4",
}


def made(distro: str, *, agents: int = 4) -> Cluster:
    return replace(cluster(servers=3, agents=agents), distro=distro, version=VERSIONS[distro])


def played(name: str, distro: str, seed: int) -> Ended:
    nodes = made(distro)
    return tried(Experiment(Conditions(nodes, load_distro(distro)), cast([load_scenario(name)], nodes)), seed)


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_a_shipped_scenario_ends_as_it_says_with_rke2(name: str) -> None:
    """Seven nodes, three seeds."""
    assert [played(name, "rke2", seed).unmet for seed in range(SEEDS)] == [()] * SEEDS


@pytest.mark.parametrize("distro", ["k3s", "k0s", "kubeadm", "vanilla"])
@pytest.mark.parametrize(
    "name", ["port-taken-on-a-server", "primary-dies-while-starting", "two-agents-never-answer"]
)
def test_scenarios_fit_the_other_distros(name: str, distro: str) -> None:
    """They speak of edges and roles, which all distros have."""
    ended = played(name, distro, 0)
    assert ended.unmet == ()
    assert ended.happened > 0


@pytest.mark.parametrize("seed", [3, 5])
def test_a_flaky_link_is_survived_where_much_is_asked(seed: int) -> None:
    """Of vanilla's nodes one attempt in ten gets through whole: each goes on where the last one was lost."""
    assert played("flaky-network", "vanilla", seed).unmet == ()


@pytest.mark.parametrize("distro", ["k3s", "k0s", "kubeadm", "vanilla"])
@pytest.mark.parametrize("name", ["reboot-while-joining", "server-dies-after-joining", "site-loses-power"])
def test_servers_that_are_away_while_others_join_cost_nobody_his_end(name: str, distro: str) -> None:
    """etcd has no majority meanwhile, and nobody can say who is a member: that is waited for."""
    assert [played(name, distro, seed).unmet for seed in range(SEEDS)] == [()] * SEEDS


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_something_really_happens_in_a_shipped_scenario(name: str) -> None:
    """A row that meets nothing would test nothing."""
    ended = played(name, "rke2", 0)
    assert ended.happened + sum(ended.struck.values()) > 0


def test_a_shipped_scenario_fits_a_manifest_without_agents() -> None:
    """What selects nobody is left out, and told."""
    nodes = made("rke2", agents=0)
    assert cast([load_scenario("two-agents-never-answer")], nodes).idle == (
        "two-agents-never-answer: cable-out of agents[0:2]: the manifest has no such node",
    )


@pytest.mark.parametrize("name", ["port-taken-on-a-server", "server-lost-for-good"])
def test_agents_that_need_not_wait_for_all_servers_are_no_surprise(name: str) -> None:
    """Their gate is the manifest's."""
    nodes = replace(made("rke2"), agents_wait_for="primary-ready")
    ended = tried(Experiment(Conditions(nodes, load_distro("rke2")), cast([load_scenario(name)], nodes)), 0)
    assert (ended.unmet, [bad.node for bad in ended.bad]) == ((), ["srv-2"])


def test_nothing_is_expected_of_a_scenario_that_selects_nobody() -> None:
    """Agents without servers of their own cannot lose them."""
    nodes = made("rke2", agents=2)
    agents = replace(nodes, nodes=tuple(node for node in nodes.nodes if not node.is_server))
    assert not cast([load_scenario("primary-lost-for-good")], agents).expected.is_anything
