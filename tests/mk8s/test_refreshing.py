"""mk8s.refreshing: healthy nodes learn of new ones; who does not answer stops nobody."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, cast

from machines import MemoryJournal
from machines.simulation import PlannedFault, run_simulated
from mk8s.distros.base import Distro, Situation, load_distro
from mk8s.errors import Mk8sError
from mk8s.modelled import model_os
from mk8s.refreshing import refresh_healthy
from mk8s.rehearsal import nominal_release
from mk8s.rollout import Rollout, Surroundings
from mk8s.steps import Step, WriteFile
from tests.mk8s.examples import cluster
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

CLUSTER = cluster(servers=1, agents=3)
HEALTHY = {node.name: "healthy" for node in CLUSTER.nodes}
ROUTES = PurePosixPath("/etc/routes")


class Telling:
    """A distro whose healthy nodes learn the names of all others."""

    def __init__(self, silent: bool = False) -> None:
        self._inner = load_distro("rke2")
        self._silent = silent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def refresh(self, s: Situation) -> list[Step]:
        names = ",".join(node.name for node in s.cluster.nodes)
        return [] if self._silent else [WriteFile("routes", ROUTES, names.encode())]


class Frozen:
    """agent-2 takes commands and never answers."""

    def decide(self, node: str, _operation: str, _attempt: int) -> PlannedFault | None:
        return PlannedFault("hang", 0.5) if node == "agent-2" else None


class Cluster:
    """Modelled hosts and a rollout over them that nobody has run."""

    def __init__(self, *, silent: bool = False, frozen: bool = False, full_disk: bool = False) -> None:
        distro = cast(Distro, Telling(silent))
        network = SimulatedNetwork()
        self.hosts = {n.name: network.add(SimulatedHost(n.name, n.address)) for n in CLUSTER.nodes}
        self.transcript: list[dict[str, Any]] = []
        for host in self.hosts.values():
            model_os(host)
            host.disk.make_folder(ROUTES.parent)
        roads = {
            name: SimulatedTransport(name, host, network, faults=Frozen() if frozen else None)
            for name, host in self.hosts.items()
        }
        self.journal = MemoryJournal()
        self.rollout = Rollout(
            CLUSTER,
            distro,
            Surroundings(
                transports=roads,
                journal=self.journal,
                release=nominal_release(CLUSTER, load_distro("rke2")),
                token="token",
                keep_kubeconfig=lambda _text: None,
                transcript=self._refuse if full_disk else self.transcript.append,
            ),
        )

    def _refuse(self, _entry: dict[str, Any]) -> None:
        raise Mk8sError("transcript.jsonl cannot be written", remedy="free some space")

    def refresh(self, states: dict[str, str] = HEALTHY) -> list[str]:
        async def main() -> list[str]:
            return await refresh_healthy(self.rollout, states, 20.0)

        return run_simulated(main, seed=0)

    def told(self) -> set[str]:
        return {name for name, host in self.hosts.items() if ROUTES in host.files}


def test_only_healthy_nodes_are_told_and_named_in_one_line() -> None:
    """What is new is done by the run itself on all others."""
    world = Cluster()
    states = {**HEALTHY, "agent-1": "pending", "agent-3": "failed"}
    assert world.refresh(states) == ["told 2 healthy nodes of the new ones: srv-1 (routes), agent-2 (routes)"]
    assert world.told() == {"srv-1", "agent-2"}


def test_where_nothing_is_new_nothing_is_said_or_changed() -> None:
    """Each run asks; most find nothing."""
    world = Cluster()
    world.refresh()
    before = {name: dict(host.files) for name, host in world.hosts.items()}
    assert world.refresh() == []
    assert {name: dict(host.files) for name, host in world.hosts.items()} == before


def test_one_node_is_told_of_in_the_singular() -> None:
    """It is read by people."""
    states = dict.fromkeys(HEALTHY, "pending") | {"srv-1": "healthy"}
    assert Cluster().refresh(states) == ["told 1 healthy node of the new ones: srv-1 (routes)"]


def test_a_distro_that_has_nothing_to_tell_asks_no_node() -> None:
    """Not even what it is: a cluster of such a distro is left in peace."""
    world = Cluster(silent=True)
    assert world.refresh() == []
    assert world.transcript == []


def test_a_dead_node_is_told_of_with_what_to_do_and_stops_nobody() -> None:
    """All others are told."""
    world = Cluster()
    world.hosts["agent-2"].power_off()
    done, trouble = world.refresh()
    assert done.startswith("told 3 healthy nodes of the new ones: ")
    assert trouble.startswith("agent-2 could not be told of new nodes: ")
    assert "\n    hint: " in trouble
    assert world.told() == {"srv-1", "agent-1", "agent-3"}


def test_a_node_that_keeps_silent_costs_only_our_patience() -> None:
    """And what it did in the meantime may be done again."""
    world = Cluster(frozen=True)
    done, trouble = world.refresh()
    assert "agent-2" not in done
    assert trouble.startswith("agent-2 could not be told of new nodes: no answer within 20 s\n    hint: ")


def test_a_full_disk_on_this_machine_is_no_bug() -> None:
    """It is told like any other trouble, once a node."""
    troubles = Cluster(full_disk=True).refresh()
    assert [line.split("\n")[1] for line in troubles] == ["    hint: free some space"] * 4


def test_nothing_of_it_is_journalled() -> None:
    """It changes no node's state; the next run does it again."""
    world = Cluster()
    world.refresh()
    assert world.journal.records() == []
