"""mk8s.changes: what a run can follow when the manifest has changed, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.changes import come_and_gone, refusals
from mk8s.cluster import Balancer, Cluster, Network
from tests.mk8s.examples import cluster, node

HEALTHY = {"srv-1": "healthy", "srv-2": "healthy", "srv-3": "healthy"}


def three() -> Cluster:
    return cluster(servers=3, agents=0)


def test_an_unchanged_manifest_is_followed() -> None:
    """The ordinary second run."""
    assert refusals(three(), three(), HEALTHY) == []


def test_a_new_node_is_followed() -> None:
    """Growth needs no permission."""
    old = three()
    new = replace(old, nodes=(*old.nodes, node("agent-9")))
    assert refusals(old, new, HEALTHY) == []


SQLITE, ETCD = {"cluster-init": False, "a": 1}, {"a": 1}


@pytest.mark.parametrize(
    ("distro", "before", "after", "followed"),
    [
        ("k3s", SQLITE, ETCD, True),
        ("k3s", SQLITE, {"cluster-init": True, "a": 1}, True),
        ("k3s", ETCD, SQLITE, False),
        ("k3s", SQLITE, {"a": 2}, False),
        ("rke2", SQLITE, ETCD, False),
    ],
)
def test_k3s_may_leave_sqlite_and_nothing_else_changes_with_it(
    distro: str, before: dict[str, Any], after: dict[str, Any], followed: bool
) -> None:
    """The run moves its state into etcd; there is no way back."""
    old, new = (
        replace(cluster(replace(node("srv-1", "primary"), config=config)), distro=distro)
        for config in (before, after)
    )
    assert (refusals(old, new, {"srv-1": "healthy"}) == []) is followed


def test_who_only_reads_hears_of_nodes_that_came_and_went() -> None:
    """A sentence for each kind, however many; none where both know the same nodes."""
    assert come_and_gone(["srv-3", "srv-2", "srv-1"], three()) == []
    assert come_and_gone(["srv-1", "old"], three()) == [
        "node old stands in the journal but not in the manifest any more; removing nodes is not built yet",
        "nodes srv-2, srv-3 stand in the manifest but not in the journal: not in a run yet",
    ]


def test_limits_and_policy_may_change_at_any_time() -> None:
    """They say how a run works, not what stands on the nodes."""
    new = replace(three(), limits={"uploads": 1}, budgets={"agent": "1"})
    assert refusals(three(), new, HEALTHY) == []


def test_a_removed_node_is_refused_by_name() -> None:
    """Dropping it from the manifest would leave it in the cluster, unseen."""
    old = three()
    new = replace(old, nodes=old.nodes[:2])
    assert refusals(old, new, HEALTHY) == [
        "node srv-3 stands in the journal but not in the manifest any more; removing nodes is not built yet"
    ]


def test_another_version_is_refused_once_something_is_installed() -> None:
    """An upgrade is another machine than an installation."""
    new = replace(three(), version="v1.34.3+rke2r1")
    (found,) = refusals(three(), new, HEALTHY)
    assert found.startswith("version was 'v1.33.4+rke2r1' and is now 'v1.34.3+rke2r1'")


def test_another_version_is_followed_while_nothing_is_installed() -> None:
    """Files that only lie there do no harm."""
    new = replace(three(), version="v1.34.3+rke2r1")
    assert refusals(three(), new, {"srv-1": "pending", "srv-2": "staged", "srv-3": "pending~stage"}) == []


def test_a_changed_config_is_refused_for_the_nodes_that_have_the_old_one() -> None:
    """Ignoring it would be a lie: the node would keep the old one."""
    old = three()
    nodes = tuple(replace(n, config={"debug": True}, config_text="debug: true\n") for n in old.nodes)
    states = {"srv-1": "healthy", "srv-2": "waiting", "srv-3": "pending"}
    found = refusals(old, replace(old, nodes=nodes), states)
    assert [line.split(":")[0] for line in found] == ["node srv-1", "node srv-2"]


def test_a_config_may_be_mended_where_a_rejected_join_was_taken_back() -> None:
    """RKE2 said what is wrong with it, and nothing runs with it any more."""
    old = three()
    mended = replace(old.nodes[2], config={"debug": True}, config_text="debug: true\n")
    new = replace(old, nodes=(*old.nodes[:2], mended))
    assert refusals(old, new, HEALTHY | {"srv-3": "rolled-back"}) == []


def test_a_rejected_node_is_still_the_same_machine() -> None:
    """Its next start is on the host that was installed, not on another one."""
    old = three()
    moved = replace(old.nodes[2], address="10.0.0.99")
    new = replace(old, nodes=(*old.nodes[:2], moved))
    (found,) = refusals(old, new, HEALTHY | {"srv-3": "rolled-back"})
    assert found.startswith("node srv-3: its address changed")


def test_another_way_to_install_is_refused_once_something_is_installed() -> None:
    """A healthy node would not be installed that way, whatever the manifest says."""
    new = replace(three(), install_method="script")
    (found,) = refusals(three(), new, HEALTHY)
    assert found.startswith("install_method was 'tar' and is now 'script'")


NETWORK = Network("10.32.0.0/16", "10.33.0.0/16", "k8s.example", "none")
VIP = Balancer("kube-vip", "eth0", "kube-vip:v0.8.0")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            {"network": Network()},
            {"network": replace(Network(), pod_cidr="10.32.0.0/16")},
            "network.pod_cidr was '10.244.0.0/16' and is now '10.32.0.0/16'; changing it is not built yet",
        ),
        (
            {},
            {"network": replace(Network(), service_cidr="10.33.0.0/16")},
            "network.service_cidr was '10.96.0.0/16' and is now '10.33.0.0/16'; changing it is not built yet",
        ),
        (
            {"network": NETWORK},
            {"network": replace(NETWORK, dns_domain="other.example")},
            "network.dns_domain was 'k8s.example' and is now 'other.example'; changing it is not built yet",
        ),
        (
            {"network": NETWORK},
            {"network": replace(NETWORK, cni="bridge")},
            "network.cni was 'none' and is now 'bridge'; changing it is not built yet",
        ),
        (
            {"balancer": VIP},
            {"balancer": replace(VIP, interface="eth1")},
            "endpoint.interface was 'eth0' and is now 'eth1'; changing it is not built yet",
        ),
        (
            {"balancer": VIP},
            {"balancer": replace(VIP, image="kube-vip:v0.9.0")},
            "endpoint.image was 'kube-vip:v0.8.0' and is now 'kube-vip:v0.9.0'; changing it is not built yet",
        ),
        (
            {},
            {"swap": "allow"},
            "swap was 'refuse' and is now 'allow'; changing it is not built yet",
        ),
        (
            {"hosts_entries": True},
            {"hosts_entries": False},
            "hosts_entries was true and is not now; taking the entries back is not built yet",
        ),
    ],
)
def test_what_all_nodes_were_made_for_is_refused_once_a_node_has_begun(
    old: dict[str, Any], new: dict[str, Any], sentence: str
) -> None:
    """Certificates, routes and flags hold it; while nothing is installed it may be corrected."""
    before, after = replace(three(), **old), replace(three(), **new)

    assert refusals(before, after, HEALTHY) == [sentence]
    assert refusals(before, after, dict.fromkeys(HEALTHY, "staged")) == []


def test_kube_vip_that_comes_later_is_refused() -> None:
    """Nothing would place it on the servers that stand."""
    found = refusals(three(), replace(three(), balancer=VIP), HEALTHY)

    assert [line.split(" was ")[0] for line in found] == [
        "endpoint.by",
        "endpoint.interface",
        "endpoint.image",
    ]


def test_networks_may_be_written_out_as_they_are_by_default() -> None:
    """Nothing changes by it."""
    assert refusals(three(), replace(three(), network=Network()), HEALTHY) == []


def test_another_node_ip_is_refused_once_the_node_has_begun() -> None:
    """Its certificates and its etcd member have the old one."""
    old = three()
    moved = replace(old.nodes[2], node_ip="10.0.0.99")
    new = replace(old, nodes=(*old.nodes[:2], moved))

    assert refusals(old, new, HEALTHY) == [
        "node srv-3: its node_ip changed after it was installed; rolling such a change is not built yet"
    ]


def test_a_node_ip_that_says_what_the_address_said_is_followed() -> None:
    """Nothing changes by it."""
    old = three()
    said = replace(old.nodes[2], node_ip=old.nodes[2].address)

    assert refusals(old, replace(old, nodes=(*old.nodes[:2], said)), HEALTHY) == []


@pytest.mark.parametrize(
    "new",
    [
        {"manifests": (Path("/srv/a.yaml"),)},
        {"smoke_image": "busybox:1.36"},
        {"waived": frozenset({"memory"})},
        {"hosts_entries": True},
    ],
)
def test_what_is_read_anew_in_every_run_may_change(new: dict[str, Any]) -> None:
    """No node was installed with it."""
    assert refusals(three(), replace(three(), **new), HEALTHY) == []


def test_a_cluster_of_one_server_may_grow_to_three() -> None:
    """Other servers and agents join the primary, which stays what it is."""
    one = cluster(servers=1, agents=0)
    grown = cluster(servers=3, agents=2)

    assert refusals(one, grown, {"srv-1": "healthy"}) == []
