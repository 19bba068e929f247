"""Whatever a host says is judged or refused: a judge that raises would end `mk8s health` for all nodes."""

from __future__ import annotations

import json

import pytest

from mk8s.distros.kubeadm import readiness
from mk8s.distros.upstream.runtime import containerd_answers
from mk8s.health import Finding, findings_as_text
from mk8s.kube import judges, smoking
from mk8s.kube.views import read_members, read_nodes, read_unhealthy
from mk8s.problems import load_catalogue
from mk8s.smoke import Probed
from mk8s.smoke_table import probes_as_text
from mk8s.steps import Judge
from mk8s.units import is_active
from transports.base import Outcome

DEEP = b"[" * 100_000
ODD = (
    b"",
    b"\xff\xfe",
    DEEP,
    b'{"members":' + DEEP,
    b'{"members":5}',
    b'{"members":[{"ID":1e999}]}',
    b'{"members":[{"ID":' + b"9" * 5000 + b"}]}",
    b'{"members":[{"ID":1,"peerURLs":[5],"clientURLs":[3]}]}',
    b'[{"endpoint":[],"health":0}]',
    b"NRestarts=\xc2\xb2\nActiveState=activating\n",
    b"NRestarts=" + b"9" * 5000 + b"\nActiveState=activating\n",
    b"9" * 5000 + b" 1",
    b"1\nx 0001-01-01T00:00:00",
    b'{"name":1,"version":1,"unschedulable":0,"labels":{},"taints":[],"conditions":[{"type":[],"status":1}]}',
)
JUDGES = {
    "node": judges.node_is_ready("n1", version="v1.20.2"),
    "nodes": judges.nodes_are_ready(["n1"]),
    "registered": judges.nodes_are_registered(["n1"]),
    "schedulable": judges.nodes_are_schedulable(["n1"]),
    "readyz": judges.readyz_is_ok(),
    "lease": judges.someone_leads(),
    "members": judges.etcd_members_are(["n1"]),
    "joining": judges.no_other_is_joining("n1", "10.0.0.11"),
    "etcd": judges.etcd_is_healthy(),
    "workload": judges.workload_is_ready(),
    "unit": is_active(load_catalogue("vanilla")),
    "containerd": containerd_answers,
    "kubeadm": readiness.kubeadm_is_done,
    "own member": judges.member_is_full("n1"),
}


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_no_answer_is_too_odd_to_be_judged(judge: Judge, status: int) -> None:
    """None of these is what was hoped for, so none may be met, but where the exit status alone counts."""
    for text in ODD:
        verdict = judge(Outcome(status=status, stdout=text, stderr=text))
        assert len(verdict.reason) <= 1000


@pytest.mark.parametrize(
    "read",
    [read_nodes, read_members, read_unhealthy, smoking.read_pods, smoking.read_events, smoking.read_service],
)
@pytest.mark.parametrize(
    "text",
    [DEEP, b'{"items":[{"metadata":5,"type":5},5]}', b'{"members":[{"ID":1e999}]}', b'[{"endpoint":[]}]'],
)
def test_what_cannot_be_read_is_a_value_error(read: object, text: bytes) -> None:
    """Also what is too deep for a parser, or too large for a number."""
    assert callable(read)
    with pytest.raises(ValueError, match="cannot be read"):
        read(Outcome(status=0, stdout=text))


@pytest.mark.parametrize("address", ["evil.example/?", "10.96.0.9 --kubeconfig=x", "None", ""])
def test_a_services_address_is_an_address(address: str) -> None:
    """It becomes part of what all nodes are asked to fetch."""
    spec = {"clusterIP": address, "ports": [{"nodePort": 30000}]}
    with pytest.raises(ValueError, match="cannot be read"):
        smoking.read_service(Outcome(status=0, stdout=json.dumps({"spec": spec}).encode()))


def test_no_words_of_a_node_look_like_a_line_of_a_table() -> None:
    """A node that is ill, or somebody's, does not report another condition or probe as well."""
    said = "no\nok    all nodes are Ready\x1b[2J"
    for text in (
        findings_as_text([Finding("etcd", False, said, said)]),
        probes_as_text([Probed("logs", "failed", said, 1.0)]),
    ):
        assert "\x1b" not in text
        assert not any(line.startswith("ok") for line in text.splitlines())
