"""Judges, held against what a real cluster answered."""

from __future__ import annotations

import json

import pytest

from mk8s.kube import judges
from mk8s.steps import Judge
from tests.mk8s.kube.answers import failed, said
from transports.base import Outcome


@pytest.mark.parametrize(
    ("judge", "outcome", "met", "reason"),
    [
        (judges.node_is_ready("q1"), said("node.jsonl"), True, "node q1 is Ready"),
        (judges.node_is_ready("q1", version="v1.20.2"), said("node.jsonl"), True, "node q1 is Ready"),
        (
            judges.node_is_ready("q1", version="v1.21.0"),
            said("node.jsonl"),
            False,
            "node q1 runs v1.20.2, not v1.21.0",
        ),
        (judges.node_is_ready("q9"), failed("no-node.err"), False, "node q9 is not registered yet"),
        (judges.node_is_ready("q9"), said("node.jsonl"), False, "node q9 is not registered yet"),
        (
            judges.node_is_ready("q1"),
            failed("etcd-timed-out.err"),
            False,
            "Error from server: etcdserver: request timed out",
        ),
        (
            judges.nodes_are_ready(["q1", "q2"], version="v1.20.2"),
            said("nodes.jsonl"),
            True,
            "2 of 2 in v1.20.2",
        ),
        (
            judges.nodes_are_ready(["q1", "q2", "q3"]),
            said("nodes.jsonl"),
            False,
            "1 of 3 not: q3 is not registered",
        ),
        (judges.nodes_are_registered(["q1", "q2"]), said("nodes.jsonl"), True, "2 of 2"),
        (
            judges.nodes_are_registered(["q1"]),
            said("nodes.jsonl"),
            True,
            "1 of 1, and q2, not in the manifest",
        ),
        (judges.nodes_are_registered(["q1", "q7"]), said("nodes.jsonl"), False, "not registered: q7"),
        (
            judges.nodes_are_schedulable(["q1", "q2"]),
            said("nodes.jsonl"),
            True,
            "no node is cordoned; kept for their own by a taint: q1, q2",
        ),
        (judges.readyz_is_ok(), said("readyz.txt"), True, "24 checks ok"),
        (judges.readyz_is_ok(), failed("readyz-cut.err"), False, "checks that fail: etcd"),
        (
            judges.readyz_is_ok(),
            failed("refused.err"),
            False,
            "The connection to the server 127.0.0.1:6443 was refused - "
            "did you specify the right host or port?",
        ),
        (judges.someone_leads(), said("lease.txt"), True, "q1 leads"),
        (judges.is_ok(), said("healthz-proxy.txt"), True, "ok"),
        (judges.workload_is_ready(), said("workload.txt"), True, "2 of 2 ready"),
        (judges.workload_is_ready(at_least=3), said("workload.txt"), False, "2 of 3 ready"),
        (judges.etcd_members_are(["n1", "n2"]), said("etcd-two.json"), True, "2 started: n1, n2"),
        (judges.etcd_members_are(["n1"]), said("etcd-two.json"), False, "n2 is a member and no server"),
        (
            judges.etcd_members_are(["n1"], exactly=False),
            said("etcd-two.json"),
            True,
            "2 started: n1, n2",
        ),
        (
            judges.etcd_members_are(["n1", "n2", "n3"]),
            said("etcd-unstarted.json"),
            False,
            "n3 is no member; the member at http://127.0.0.1:24384 has not started",
        ),
        (
            judges.etcd_members_are(["n1", "n2"]),
            said("etcd-learner-started.json"),
            False,
            "n2 is a learner still",
        ),
        (judges.etcd_is_healthy(), said("etcd-health-two.json"), True, "all members answer"),
        (
            judges.etcd_is_healthy(),
            said("etcd-health-cut.json", 1),
            False,
            "http://127.0.0.1:24381: context deadline exceeded; "
            "http://127.0.0.1:24379: rpc error: code = Unknown desc = context deadline exceeded",
        ),
        (
            judges.etcd_is_healthy(),
            said("etcd-health-learner.json", 1),
            False,
            "http://127.0.0.1:24381: etcdserver: rpc not supported for learner",
        ),
    ],
)
def test_a_judge_says_what_it_saw_or_what_is_missing(
    judge: Judge, outcome: Outcome, met: bool, reason: str
) -> None:
    """A verdict's reason is evidence when it is met, and names what is missing when it is not."""
    verdict = judge(outcome)
    assert (verdict.met, verdict.reason) == (met, reason)


@pytest.mark.parametrize(
    "judge",
    [
        judges.node_is_ready("q1"),
        judges.nodes_are_ready(["q1"]),
        judges.someone_leads(),
        judges.workload_is_ready(),
        judges.etcd_members_are(["n1"]),
        judges.etcd_is_healthy(),
    ],
)
@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"1 x", b'{"members":[{}]}', b"[1]"]
)
def test_no_answer_breaks_a_judge_or_is_taken_for_a_yes(judge: Judge, text: bytes) -> None:
    """A node may say anything."""
    assert not judge(Outcome(status=0, stdout=text)).met


def test_a_joining_server_holds_back_the_next_one() -> None:
    """Not met is a failure of the class etcd.busy: the join is tried again later."""
    verdict = judges.no_other_is_joining("n9")(said("etcd-unstarted.json"))
    assert not verdict.met
    assert verdict.lineage == ("etcd.busy", "etcd.learner", "etcd")
    assert "the member at http://127.0.0.1:24384" in verdict.reason


def test_a_server_is_not_held_back_by_its_own_unstarted_member() -> None:
    """A join that was cut off behind `member add` goes on: its member has no name yet, but its address."""
    first = {"ID": 1, "name": "n1", "peerURLs": ["https://10.0.0.1:2380"], "clientURLs": ["x"]}
    own = {"ID": 2, "peerURLs": ["https://10.0.0.2:2380"]}
    outcome = Outcome(status=0, stdout=json.dumps({"members": [first, own]}).encode())
    assert judges.no_other_is_joining("n2", "10.0.0.2")(outcome).met
    assert not judges.no_other_is_joining("n3", "10.0.0.3")(outcome).met
    assert not judges.no_other_is_joining("n3", "10.0.0.20")(outcome).met


def test_an_old_lease_leads_nobody() -> None:
    """The server's own clock says how old it is, so that the operator's may be wrong."""
    verdict = judges.someone_leads()(
        Outcome(status=0, stdout=b"1795239023\nq1_x 2026-11-21T05:28:42.182759Z\n")
    )
    assert (verdict.met, verdict.reason) == (False, "q1 led last, 101 s ago")
