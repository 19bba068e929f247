"""mk8s.simulating.selecting: words for nodes that fit any manifest."""

from __future__ import annotations

import pytest

from mk8s.simulating.selecting import selector_fault, selector_of, selects
from tests.mk8s.examples import cluster, node

FIVE = cluster(servers=3, agents=2)


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("*", ("srv-1", "srv-2", "srv-3", "agent-1", "agent-2")),
        ("primary", ("srv-1",)),
        ("servers", ("srv-1", "srv-2", "srv-3")),
        ("server[1]", ("srv-2",)),
        ("servers[1:]", ("srv-2", "srv-3")),
        ("agents[0:1]", ("agent-1",)),
        ("agent[1]", ("agent-2",)),
        ("agents[:5]", ("agent-1", "agent-2")),
        ("srv-3", ("srv-3",)),
    ],
)
def test_words_select_nodes_by_their_role_and_place(selector: str, names: tuple[str, ...]) -> None:
    """Servers count from the primary, agents from the first."""
    assert selects(selector, FIVE) == names


@pytest.mark.parametrize("selector", ["agent[2]", "server[9]", "nobody"])
def test_words_may_select_nobody(selector: str) -> None:
    """A scenario fits manifests that are smaller than it."""
    assert selects(selector, FIVE) == ()


def test_a_nodes_own_name_wins_over_the_words() -> None:
    """Somebody may call a node so."""
    named = cluster(node("agents", "primary", "10.0.0.1"), node("a", "agent", "10.0.0.2"))
    assert selects("agents", named) == ("agents",)


def test_every_node_has_words_that_select_it_alone() -> None:
    """What shrinking writes selects the same node again."""
    assert [selects(selector_of(one.name, FIVE), FIVE) for one in FIVE.nodes] == [
        (one.name,) for one in FIVE.nodes
    ]


@pytest.mark.parametrize("selector", ["agents[", "server[1", "agents[a:b]", "", "Über", "agents[0:1:2]"])
def test_words_that_can_select_nobody_in_any_manifest_are_faults(selector: str) -> None:
    """They are told when the file is read."""
    assert selector_fault(selector) is not None
