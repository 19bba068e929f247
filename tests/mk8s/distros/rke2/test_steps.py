"""The steps of every edge, for a table of manifests, against files that a person has read.

After a wanted change run the test with UPDATE_GOLDEN=1, and read the difference before it is committed.
Scripts are left out here: `test_scripts` runs them.
"""

from __future__ import annotations

import pytest

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.rke2 import DISTRO
from mk8s.steps import WriteFile
from tests.mk8s.distros.rancher.shown import (
    begun_early,
    compare,
    every_command,
    every_situation,
    every_step,
    rendered,
)
from tests.mk8s.distros.situations import TOKEN, make_cluster, make_node, situation

BY_HAND = """\
# servers of the shop
cni:
- multus
- cilium   # with hubble
node-label: ["shop=1"]
"""

CLUSTERS: dict[str, Cluster] = {
    "plain": make_cluster(),
    "script-and-endpoint": make_cluster(install_method="script", endpoint="api.shop.example"),
    "by-hand-in-opt": make_cluster(
        make_node("srv-1", "primary", "10.0.0.11", BY_HAND),
        make_node("srv-2", "server", "10.0.0.12", BY_HAND + "node-name: second\n"),
        make_node("arm-1", "agent", "fd00::21", arch="arm64"),
    ),
    "old-without-network": make_cluster(
        make_node("srv-1", "primary", "10.0.0.11", {"cni": "none"}),
        make_node("srv-2", "server", "10.0.0.12", {"cni": "none"}),
        make_node("agent-1", "agent", "10.0.0.21"),
        version="v1.21.14+rke2r1",
    ),
    "external-datastore-and-cis": make_cluster(
        make_node(
            "srv-1", "primary", "fd00::11", {"datastore-endpoint": "postgres://u:p@db/k", "profile": "cis"}
        ),
        make_node(
            "srv-2",
            "server",
            "fd00::12",
            {
                "datastore-endpoint": "postgres://u:p@db/k",
                "profile": "cis",
                "data-dir": "/data",
                "token": "own",
            },
        ),
    ),
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_steps_are_the_ones_that_were_read(name: str) -> None:
    """Every file, command and wait of every node and edge."""
    usr_local = "mount" if "opt" in name else "writable"
    text, golden = compare(f"rke2/{name}.txt", "\n".join(rendered(DISTRO, CLUSTERS[name], usr_local)) + "\n")

    assert text == golden


def situations() -> list[Situation]:
    return list(every_situation(DISTRO, CLUSTERS.values()))


def test_no_secret_stands_in_a_title_a_description_or_an_argument() -> None:
    """Those go to screens, transcripts and process lists. The token travels in a file of mode 0600."""
    secrets = [TOKEN, "own", "postgres://u:p@db/k"]
    words = [step.title for s in situations() for step in every_step(DISTRO, s)]
    for command in every_command(DISTRO, situations()):
        words += [command.description, command.script, *command.args, *command.env.values()]

    assert [word for word in words for secret in secrets[::2] if secret in word] == []
    assert "own" not in words


def test_every_file_that_holds_the_token_is_secret_and_roots_alone() -> None:
    files = [step for s in situations() for step in every_step(DISTRO, s) if isinstance(step, WriteFile)]

    assert [
        f.target for f in files if TOKEN.encode() in f.content and not (f.secret and f.mode == 0o600)
    ] == []


def test_nothing_is_started_before_its_edge() -> None:
    """All nodes bootstrap at once; a unit that starts there would join before its signal."""
    assert not begun_early(DISTRO, situations()) & {"rke2.start", "unit.start"}


def test_a_node_is_named_by_its_config_or_by_its_hostname_in_lower_case() -> None:
    node = make_node("srv-1", "primary", "10.0.0.11")
    cluster = make_cluster(node)

    question = DISTRO.has_joined(situation(cluster, node, DISTRO, hostname="Web01.Example"))[-1]

    assert "web01.example" in question.command.args


def _asked(cluster: Cluster, node: Node) -> list[str | None]:
    return [question.on for question in DISTRO.is_healthy(situation(cluster, node, DISTRO))]


def test_an_agent_is_judged_by_the_primary_and_a_server_by_itself() -> None:
    """An agent has no kubeconfig of root's, and a server's own API is part of what is asked."""
    cluster = make_cluster()

    assert _asked(cluster, cluster.nodes[1]) == [None, None, None, None]
    assert _asked(cluster, cluster.nodes[2]) == [None, "srv-1"]
