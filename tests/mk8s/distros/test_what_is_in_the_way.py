"""What is in a node's way on a modelled host meets it in the words of the real program, and there alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest

from machines import Result
from mk8s.conformance import Subject
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions, Rehearsal, nominal_release, rehearse
from mk8s.simulating.happenings import Happening, Moment
from tests.mk8s.distros.labs import VERSIONS
from transports.simulated import SimulatedHost

Prepare = Callable[[Mapping[str, SimulatedHost]], Awaitable[None]]


def run(distro: str, prepare: Prepare) -> Result:
    subject = Subject(load_distro(distro), VERSIONS[distro])
    return rehearse(Conditions(subject.cluster(3, 1), subject.distro, prepare=prepare)).result


def held(node: str, port: int) -> Prepare:
    async def prepare(hosts: Mapping[str, SimulatedHost]) -> None:
        hosts[node].listening[port] = "nginx"

    return prepare


@pytest.mark.parametrize("distro", ["k3s", "kubeadm", "rke2", "vanilla"])
def test_an_agent_whose_kubelets_port_is_taken_fails_and_says_so(distro: str) -> None:
    """Everybody else becomes healthy; the failure is the catalogue's, with what to do."""
    result = run(distro, held("agt-1", 10250))
    assert {node for node, state in result.states.items() if state != "healthy"} == {"agt-1"}
    assert result.failures["agt-1"].failure.kind == "check.port"
    assert "ss -ltnp" in result.failures["agt-1"].failure.remedy


@pytest.mark.parametrize(
    ("distro", "port"),
    [("k3s", 6443), ("kubeadm", 6443), ("kubeadm", 2380), ("rke2", 9345), ("vanilla", 2380)],
)
def test_a_first_server_whose_port_is_taken_fails_and_nobody_joins(distro: str, port: int) -> None:
    """It is seen at the start, in the words of whoever cannot listen."""
    result = run(distro, held("srv-1", port))
    assert "healthy" not in result.states.values()
    assert result.failures["srv-1"].failure.kind == "check.port"


@pytest.mark.parametrize(("distro", "port"), [("rke2", 6443), ("rke2", 2379), ("k0s", 9443)])
def test_what_begins_anew_for_ever_ends_at_the_edges_time_limit(distro: str, port: int) -> None:
    """A static pod, or a child of k0s, without its port: the unit goes on, and the edge's time runs out."""
    result = run(distro, held("srv-1", port))
    assert result.states["srv-1"] == "failed"
    assert "healthy" not in result.states.values()


@pytest.mark.parametrize("distro", VERSIONS)
def test_a_port_that_nobody_needs_is_in_nobodys_way(distro: str) -> None:
    assert run(distro, held("srv-1", 8080)).ok


@pytest.mark.parametrize("distro", ["k3s", "kubeadm", "rke2"])
def test_a_disk_without_room_for_the_unpacked_images_is_full(distro: str) -> None:
    """The release has arrived, and fits; what is in its archives does not. That is for people to look at."""
    subject = Subject(load_distro(distro), VERSIONS[distro])
    release = nominal_release(subject.cluster(1, 0), subject.distro)
    room = int(1.05 * sum(file.size for file in release.values()) + release["images"].size)

    async def prepare(hosts: Mapping[str, SimulatedHost]) -> None:
        hosts["agt-1"].disk.room = room

    result = run(distro, prepare)
    assert {node: state for node, state in result.states.items() if state != "healthy"} == {
        "agt-1": "quarantined"
    }
    assert result.failures["agt-1"].failure.kind == "disk.full"


def met_by(happening: Happening) -> Rehearsal:
    subject = Subject(load_distro("rke2"), VERSIONS["rke2"])
    return rehearse(Conditions(subject.cluster(3, 0), subject.distro), happenings=[happening])


def at(run: Rehearsal, node: str, kind: str, edge: str) -> float:
    return next(
        record.at for record in run.records if (record.node, record.kind, record.edge) == (node, kind, edge)
    )


def test_nobody_becomes_a_voter_while_the_voters_have_no_majority() -> None:
    """One of two voters is off for ten minutes: who joins meanwhile waits for it."""
    off = Happening("power-off", "srv-2", after=20.0, when=Moment("srv-2", "verify", "done"), lasts=600.0)
    run = met_by(off)
    assert run.result.ok
    assert at(run, "srv-3", "done", "join-server") > run.happened[0].at + 600


def test_a_first_start_that_was_cut_off_begins_anew() -> None:
    """The images are imported once it has ended, not before."""
    cut = Happening("reboot", "srv-2", after=60.0, when=Moment("srv-2", "join-server", "begun"))
    run = met_by(cut)
    assert run.result.ok
    assert at(run, "srv-2", "done", "join-server") - run.happened[0].at > 120
