"""The modelled etcd keeps the real one's rules, in its words."""

from __future__ import annotations

import pytest

from mk8s.kube.etcd import Etcd, EtcdRefused
from transports.simulated import ServiceFailed, SimulatedHost

PEERS = {f"n{i}": f"https://10.0.0.{i}:2380" for i in (1, 2, 3, 4)}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def etcd_of(
    *running: str, breaches: list[tuple[str, str]] | None = None
) -> tuple[Etcd, dict[str, SimulatedHost], Clock]:
    """A cluster bootstrapped by the first, joined by the others as voters."""
    clock = Clock()
    told = [] if breaches is None else breaches
    etcd = Etcd(clock, lambda invariant, evidence: told.append((invariant, evidence)))
    hosts = {name: SimulatedHost(name, PEERS[name]) for name in PEERS}
    for name in running:
        if etcd.members:
            etcd.add(PEERS[name])
        start(etcd, hosts[name], name)
    return etcd, hosts, clock


def start(
    etcd: Etcd, host: SimulatedHost, name: str, *, has_data: bool = False, new: bool | None = None
) -> None:
    first = not etcd.members if new is None else new
    known = {peer: other for other, peer in PEERS.items()}
    initial = {known[peer]: peer for peer in etcd.members} | {name: PEERS[name]}
    etcd.start(host, name, PEERS[name], initial, new=first, has_data=has_data)


def test_a_voter_that_is_added_counts_before_it_runs() -> None:
    """From one member to two, the cluster has no quorum until the second one runs."""
    etcd, hosts, _ = etcd_of("n1")
    etcd.add(PEERS["n2"])
    assert not etcd.has_quorum
    start(etcd, hosts["n2"], "n2")
    assert etcd.has_quorum


def test_a_learner_does_not_count() -> None:
    etcd, _, _ = etcd_of("n1")
    etcd.add(PEERS["n2"], learner=True)
    assert etcd.has_quorum


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda etcd: etcd.add(PEERS["n3"], learner=True), "etcdserver: too many learner members in cluster"),
        (lambda etcd: etcd.add(PEERS["n2"], learner=True), "etcdserver: Peer URLs already exists"),
        (
            lambda etcd: etcd.promote(PEERS["n2"]),
            "etcdserver: can only promote a learner member which is in sync with leader",
        ),
        (lambda etcd: etcd.promote(PEERS["n1"]), "etcdserver: can only promote a learner member"),
        (lambda etcd: etcd.remove(PEERS["n4"]), "etcdserver: member not found"),
    ],
)
def test_a_request_that_etcd_does_not_grant_is_refused_in_its_words(prepare: object, words: str) -> None:
    etcd, _, _ = etcd_of("n1")
    etcd.add(PEERS["n2"], learner=True)
    with pytest.raises(EtcdRefused) as refused:
        prepare(etcd)  # type: ignore[operator]
    assert str(refused.value) == words


def test_no_voter_is_added_while_one_has_not_started() -> None:
    """Strict reconfiguration: it would take the majority away."""
    etcd, _, _ = etcd_of("n1", "n2")
    etcd.add(PEERS["n3"])
    with pytest.raises(EtcdRefused, match="not enough started members"):
        etcd.add(PEERS["n4"])


def test_no_member_is_added_while_one_is_down() -> None:
    etcd, hosts, _ = etcd_of("n1", "n2", "n3")
    etcd.stop(hosts["n3"])
    with pytest.raises(EtcdRefused, match="etcdserver: unhealthy cluster"):
        etcd.add(PEERS["n4"])


def test_a_learner_is_promoted_once_it_has_the_data() -> None:
    etcd, hosts, clock = etcd_of("n1")
    etcd.add(PEERS["n2"], learner=True)
    start(etcd, hosts["n2"], "n2")
    clock.now += 5
    etcd.promote(PEERS["n2"])
    assert len(etcd.voters) == 2


def test_a_static_bootstrap_has_a_quorum_when_most_run() -> None:
    """All start with the same list, in any order; the second of three makes the majority."""
    breaches: list[tuple[str, str]] = []
    etcd, hosts, _ = etcd_of(breaches=breaches)
    initial = {name: PEERS[name] for name in ("n1", "n2", "n3")}
    seen = []
    for name in ("n3", "n1", "n2"):
        etcd.start(hosts[name], name, PEERS[name], initial, new=True, has_data=False)
        seen.append(etcd.has_quorum)
    assert (seen, etcd.bootstraps, breaches) == ([False, True, True], ["n3"], [])


def test_a_second_cluster_is_a_breach() -> None:
    breaches: list[tuple[str, str]] = []
    etcd, hosts, _ = etcd_of("n1", breaches=breaches)
    with pytest.raises(ServiceFailed):
        etcd.start(hosts["n2"], "n2", PEERS["n2"], {"n2": PEERS["n2"]}, new=True, has_data=False)
    assert breaches == [("one-cluster", "n2 made a second etcd cluster; n1 had made the first one")]


def test_a_removed_member_never_runs_again_with_its_data() -> None:
    etcd, hosts, _ = etcd_of("n1", "n2", "n3")
    etcd.remove(PEERS["n3"])
    with pytest.raises(ServiceFailed, match="permanently removed"):
        start(etcd, hosts["n3"], "n3", has_data=True)


def test_a_member_that_lost_its_data_does_not_come_back_by_itself() -> None:
    etcd, hosts, _ = etcd_of("n1", "n2", "n3")
    etcd.stop(hosts["n3"])
    with pytest.raises(ServiceFailed, match="already been bootstrapped"):
        start(etcd, hosts["n3"], "n3", has_data=False)
