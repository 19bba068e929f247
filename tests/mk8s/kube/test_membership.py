"""Judges of etcd's members, over the answers of a real etcdctl."""

from __future__ import annotations

from pathlib import Path

import pytest

from machines.errors import ActionError, matches
from mk8s.kube.judges import member_is_full, no_other_is_joining
from mk8s.tables import node_machine
from tests.mk8s.distros.kubeadm.clusters import a_cluster
from transports.base import Outcome

DATA = Path(__file__).parent / "data"


def said(name: str) -> Outcome:
    return Outcome(status=0, stdout=(DATA / name).read_bytes())


@pytest.mark.parametrize(
    ("answer", "name", "peer", "met"),
    [
        ("etcd-two.json", "n3", "127.0.0.2", True),
        ("etcd-learner-started.json", "n3", "127.0.0.2", False),
        ("etcd-learner-unstarted.json", "n3", "127.0.0.2", False),
        ("etcd-learner-started.json", "n2", "127.0.0.2", True),
        ("etcd-unstarted.json", "n3", "127.0.0.2", False),
        ("etcd-unstarted.json", "n3", "127.0.0.1", True),
    ],
)
def test_who_is_joining_is_every_other_that_has_no_vote_yet(
    answer: str, name: str, peer: str, met: bool
) -> None:
    """The own member, known by its name or its address, is in nobody's way."""
    assert no_other_is_joining(name, peer)(said(answer)).met is met


def test_a_server_that_waits_for_another_has_the_class_that_the_node_table_waits_for() -> None:
    """Each distro joins through this judge, so none has to know the table's word."""
    verdict = no_other_is_joining("n3")(said("etcd-learner-started.json"))
    edge = next(edge for edge in node_machine(a_cluster()).edges if edge.name == "join-server")

    clause = next(
        clause for clause in edge.retry if matches(clause.match, ActionError(*verdict.lineage).failure)
    )

    assert not verdict.final
    assert clause.attempts == 60


def test_no_answer_is_waited_for() -> None:
    verdict = no_other_is_joining("n3")(Outcome(status=1, stderr=b"Error: context deadline exceeded\n"))

    assert (verdict.met, verdict.lineage) == (False, ())


@pytest.mark.parametrize(
    ("answer", "met", "reason"),
    [
        ("etcd-two.json", True, "etcd has n2 among 2 members"),
        ("etcd-learner-started.json", False, "etcd's member n2 is a learner still"),
        ("etcd-one.json", False, "etcd has no started member n2"),
    ],
)
def test_a_full_member_has_started_and_votes(answer: str, met: bool, reason: str) -> None:
    verdict = member_is_full("n2")(said(answer))

    assert (verdict.met, verdict.reason) == (met, reason)
