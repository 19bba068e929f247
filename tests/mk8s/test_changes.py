"""mk8s.changes: what a run can follow when the manifest has changed, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

from mk8s.changes import refusals
from mk8s.cluster import Cluster
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
