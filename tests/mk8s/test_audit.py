"""Rollout.audit: every node is asked whether it still is what the journal says."""

from __future__ import annotations

import pytest

from machines import MemoryJournal
from machines.simulation import PlannedFault, run_simulated
from mk8s.distros.base import load_distro
from mk8s.modelled import model_os
from mk8s.parts_model import modelled_cuts
from mk8s.rehearsal import nominal_release
from mk8s.rollout import Rollout, Surroundings
from mk8s.steps import Verdict
from tests.mk8s.examples import cluster
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

CLUSTER = cluster(servers=1, agents=2)


class Freeze:
    """From the moment it strikes, agent-2 takes commands and never answers."""

    def __init__(self) -> None:
        self.struck = False

    def decide(self, node: str, _operation: str, _attempt: int) -> PlannedFault | None:
        return PlannedFault("hang", 0.5) if self.struck and node == "agent-2" else None


def audited_after(trouble: str, kept: list[str] | None = None) -> dict[str, Verdict]:
    """Bring a modelled cluster up, let a trouble come over agent-2, and ask everyone for 20 s."""
    freeze = Freeze()
    keep = [] if kept is None else kept
    distro = load_distro("rke2")
    network = SimulatedNetwork()
    hosts = {n.name: network.add(SimulatedHost(n.name, n.address)) for n in CLUSTER.nodes}
    for host in hosts.values():
        model_os(host)
        distro.model(host, network, CLUSTER)

    async def main() -> dict[str, Verdict]:
        around = Surroundings(
            transports={
                name: SimulatedTransport(name, host, network, faults=freeze) for name, host in hosts.items()
            },
            journal=MemoryJournal(),
            release=nominal_release(CLUSTER, distro),
            token="token",
            cut=modelled_cuts,
            keep_kubeconfig=keep.append,
        )
        rollout = Rollout(CLUSTER, distro, around)
        assert (await rollout.supervisor().run()).ok
        if trouble == "no power":
            hosts["agent-2"].power_off()
        elif trouble == "stopped":
            service = hosts["agent-2"].service("rke2-agent")
            assert service is not None
            service.stop()
        elif trouble == "no kubeconfig":
            hosts["srv-1"].disk.remove(distro.kubeconfig(CLUSTER))
        elif trouble == "frozen":
            freeze.struck = True
        before = {host.name: dict(host.files) for host in hosts.values()}
        verdicts = await rollout.audit(patience=20.0)
        if kept is not None:
            kept.clear()
            await rollout.fetch_kubeconfig(verdicts)
        assert all(dict(hosts[name].files) == before[name] for name in ("srv-1", "agent-1"))
        return verdicts

    return run_simulated(main, seed=0)


def test_a_whole_cluster_is_found_whole() -> None:
    """Each node says so itself, and nothing is changed on any."""
    verdicts = audited_after("nothing")
    assert [(name, verdict.met) for name, verdict in verdicts.items()] == [
        ("srv-1", True),
        ("agent-1", True),
        ("agent-2", True),
    ]


@pytest.mark.parametrize(
    ("trouble", "words"), [("no power", "agent-2"), ("stopped", "inactive")], ids=["no power", "stopped"]
)
def test_one_node_that_is_ill_is_named_and_the_others_stand(trouble: str, words: str) -> None:
    """With what it said, or that it said nothing."""
    verdicts = audited_after(trouble)
    assert {name for name, verdict in verdicts.items() if not verdict.met} == {"agent-2"}
    assert words in verdicts["agent-2"].reason


def test_a_node_that_keeps_silent_costs_only_itself() -> None:
    """Patience ends; who answered in time is believed."""
    verdicts = audited_after("frozen")
    assert {name for name, verdict in verdicts.items() if not verdict.met} == {"agent-2"}
    assert verdicts["agent-2"].reason == "no answer within 20 s"
    assert verdicts["agent-2"].remedy


def test_a_kubeconfig_that_is_gone_is_fetched_again() -> None:
    """`mk8s kubeconfig` tells people to run; a run that finds nothing else to do brings it."""
    kept: list[str] = []
    assert audited_after("nothing", kept)["srv-1"].met
    assert len(kept) == 1
    assert "server: https://" in kept[0]


def test_a_kubeconfig_that_cannot_be_read_is_the_primarys_trouble() -> None:
    """Nobody is told to use a file that is not there."""
    kept: list[str] = []
    verdict = audited_after("no kubeconfig", kept)["srv-1"]
    assert not verdict.met
    assert verdict.reason.startswith("its kubeconfig cannot be read: ")
    assert kept == []
