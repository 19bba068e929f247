"""The pod network: who has which subnet, which routes, and what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from mk8s.cluster import Network
from mk8s.distros.base import Situation
from mk8s.distros.upstream import network
from mk8s.needs import Number
from mk8s.steps import Step, WriteFile
from tests.mk8s.distros.situations import make_node
from tests.mk8s.distros.upstream.made import cluster, situation
from transports.base import Outcome


def written(steps: list[Step], path: str) -> str:
    return next(
        step.content.decode() for step in steps if isinstance(step, WriteFile) and str(step.target) == path
    )


def test_each_node_has_a_number_for_ever() -> None:
    """One pool, as large as the network: growth takes the next number and moves nobody."""
    assert network.needs(cluster()) == [
        Number(f"pod-subnet/{name}", "pod-subnets", 256) for name in ("srv-1", "srv-2", "agent-1")
    ]


@pytest.mark.parametrize(
    ("pods", "subnets"),
    [
        ("10.244.0.0/16", ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]),
        ("10.1.254.0/23", ["10.1.254.0/24", "10.1.255.0/24", None]),
        ("172.16.0.0/12", ["172.16.0.0/24", "172.16.1.0/24", "172.16.2.0/24"]),
    ],
)
def test_a_number_is_a_subnet(pods: str, subnets: list[str | None]) -> None:
    s = situation(cluster(pods=pods))
    for name, subnet in zip(("srv-1", "srv-2", "agent-1"), subnets, strict=True):
        assert subnet is None or network.pod_cidr(s, name) == subnet


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ("10.244.0.0/23", "room for 2 nodes"),
        ("10.244.0.0/25", "room for 1 node"),
        ("fd00::/48", "no IPv4 network"),
        ("10.244.0.1/16", "no IPv4 network"),
        ("pods", "no IPv4 network"),
    ],
)
def test_a_network_that_cannot_be_is_a_fault(pods: str, words: str) -> None:
    """Named by its place in the manifest, before any node is touched."""
    (fault,) = network.faults(cluster(pods=pods))
    assert fault.startswith("network.pod_cidr: ")
    assert words in fault


def test_a_network_with_room_is_none() -> None:
    assert network.faults(cluster()) == []


def test_the_bridge_hands_out_the_nodes_own_subnet_and_keeps_addresses() -> None:
    """ipMasq of the plugin would hide a pod's address from pods on other nodes."""
    steps = network.install(situation(cluster(), "srv-2"))
    bridge, portmap = json.loads(written(steps, "/etc/cni/net.d/10-mk8s.conflist"))["plugins"]

    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert (bridge["ipMasq"], bridge["hairpinMode"], bridge["isGateway"]) == (False, True, True)
    assert portmap["capabilities"] == {"portMappings": True}


def test_every_other_node_has_a_route_by_its_address_in_the_cluster() -> None:
    """`address` may be a name or one that only the operator can use; `node_ip` is what nodes use."""
    named = replace(make_node("agent-1", "agent", "a.example"), node_ip="192.168.7.21")
    steps = network.install(situation(cluster(make_node("srv-1", "primary", "10.0.0.11"), named)))

    assert written(steps, "/etc/mk8s/routes") == "10.244.1.0/24 via 192.168.7.21\n"


def test_a_cluster_of_one_has_no_routes_and_still_masquerades() -> None:
    steps = network.install(situation(cluster(make_node("srv-1", "primary", "10.0.0.11"))))

    assert written(steps, "/etc/mk8s/routes") == ""
    assert "routes.sh set /etc/mk8s/routes 10.244.0.0/16\n" in written(
        steps, "/etc/systemd/system/mk8s-routes.service"
    )


def test_the_users_own_network_is_left_to_the_user() -> None:
    s = situation(cluster(network=Network(cni="none")))
    assert (network.install(s), network.refresh(s), network.questions(s)) == ([], [], [])


def test_a_refresh_brings_routes_and_names_only() -> None:
    """What a healthy node must know of new ones; nothing that runs is restarted but the routes' own unit."""

    def titles(s: Situation) -> list[str]:
        return [step.title for step in network.refresh(s)]

    assert titles(situation(cluster())) == [
        "write /etc/mk8s/routes",
        "set the routes to the other nodes' pods",
    ]
    assert titles(situation(cluster(hosts_entries=True)))[2:] == ["write the nodes' names to /etc/hosts"]


@pytest.mark.parametrize(
    ("outcome", "met", "reason"),
    [
        (Outcome(status=0), True, ""),
        (
            Outcome(status=1, stdout=b"no route 10.244.1.0/24 via 10.0.0.12\nmore\n"),
            False,
            "no route 10.244.1.0/24",
        ),
        (Outcome(status=127), False, ""),
    ],
)
def test_a_missing_route_is_named(outcome: Outcome, met: bool, reason: str) -> None:
    (question,) = network.questions(situation(cluster()))
    verdict = question.judge(outcome)

    assert verdict.met is met
    assert verdict.reason.startswith(reason)


def test_the_question_names_the_files_on_the_node() -> None:
    (question,) = network.questions(situation(cluster()))
    assert question.command.args == ("/etc/mk8s/routes.sh", "/etc/mk8s/routes", "10.244.0.0/16")
    assert PurePosixPath(question.command.args[0]) == network.SCRIPT
