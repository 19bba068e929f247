"""Joining nodes believe the holder of the cluster's CA alone: its hash is read on the first server."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.cluster import Cluster, ControlPlane, Datastore
from mk8s.distros.base import Distro, load_distro
from mk8s.distros.rancher.authority import AUTHORITY
from mk8s.steps import WriteFile
from tests.mk8s.distros.situations import TOKEN, make_cluster, make_node, outcome, situation
from tests.mk8s.shells import SHELLS

HASH = "K10" + "0123456789abcdef" * 4
DISTROS = {"rke2": "v1.33.4+rke2r1", "k3s": "v1.33.4+k3s1"}


@pytest.fixture(params=DISTROS)
def distro(request: pytest.FixtureRequest) -> Distro:
    return load_distro(request.param)


def cluster_of(distro: Distro, *nodes: object, **more: object) -> Cluster:
    made = make_cluster(*nodes, version=DISTROS[distro.name], **more)  # type: ignore[arg-type]
    return replace(made, distro=distro.name)


def config_at_join(distro: Distro, cluster: Cluster, name: str) -> str:
    """What stands in config.yaml when the node is started."""
    node = next(node for node in cluster.nodes if node.name == name)
    s = situation(cluster, node, distro)
    learned = {lookup.name: HASH for lookup in distro.lookups(s)}
    steps = (distro.start if node.role == "primary" else distro.join)(replace(s, learned=learned))
    files = [step for step in steps if isinstance(step, WriteFile)]
    (content,) = [step.content for step in files if step.target.name == "config.yaml"]
    return content.decode()


@pytest.mark.parametrize("name", ["srv-2", "agent-1"])
def test_who_joins_believes_only_the_holder_of_the_ca(distro: Distro, name: str) -> None:
    """The secure form, in the words that the engine's own token file has."""
    assert f'token: "{HASH}::server:{TOKEN}"' in config_at_join(distro, cluster_of(distro), name)


def test_the_first_server_has_nobody_to_believe(distro: Distro) -> None:
    """It makes the CA."""
    text = config_at_join(distro, cluster_of(distro), "srv-1")
    assert f'token: "{TOKEN}"' in text


def test_the_hash_is_asked_of_the_first_server_and_is_no_secret(distro: Distro) -> None:
    """The password that stands beside it is not printed."""
    cluster = cluster_of(distro)
    (lookup,) = distro.lookups(situation(cluster, cluster.agents[0], distro))
    assert (lookup.name, lookup.on, lookup.secret) == (AUTHORITY, "srv-1", False)
    assert lookup.read(outcome(f"{HASH}\n")) == HASH


@pytest.mark.parametrize("said", ["", "K10", "K10" + "g" * 64, f"{HASH}::server:{TOKEN}"])
def test_an_answer_that_is_no_hash_is_refused(distro: Distro, said: str) -> None:
    """Nothing strange gets into a config."""
    cluster = cluster_of(distro)
    (lookup,) = distro.lookups(situation(cluster, cluster.agents[0], distro))
    with pytest.raises(ValueError, match="no hash"):
        lookup.read(outcome(said))


@pytest.mark.parametrize("shell", SHELLS, ids=str)
def test_only_what_stands_before_the_password_is_printed(distro: Distro, shell: str, tmp_path: Path) -> None:
    """In every shell; a short token, or no file, is a failure and not an empty answer."""
    cluster = cluster_of(distro)
    (lookup,) = distro.lookups(situation(cluster, cluster.agents[0], distro))
    file = tmp_path / "token"

    def ask() -> subprocess.CompletedProcess[str]:
        words = [*(["busybox", "sh"] if shell == "busybox" else [shell])]
        words += ["-c", lookup.command.script, "sh", str(file)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    absent = ask()
    file.write_text(f"{HASH}::server:{TOKEN}\n")
    whole = ask()
    file.write_text(f"{TOKEN}\n")
    short = ask()

    assert (whole.returncode, whole.stdout) == (0, f"{HASH}\n")
    assert absent.returncode != 0
    assert (short.returncode, short.stdout) == (1, "")
    assert TOKEN not in short.stderr


@pytest.mark.parametrize("given", ["token: mine", "token-file: /root/token"])
def test_a_token_that_the_user_gave_the_node_stays_his(distro: Distro, given: str) -> None:
    """Word for word; nothing is asked for it."""
    nodes = (
        make_node("srv-1", "primary", "10.0.0.11", given),
        make_node("agent-1", "agent", "10.0.0.21", given),
    )
    cluster = cluster_of(distro, *nodes)
    assert distro.lookups(situation(cluster, cluster.agents[0], distro)) == []


def test_servers_with_a_common_datastore_keep_the_short_form(distro: Distro) -> None:
    """They find each other in it; their agents do not."""
    cluster = cluster_of(distro, datastore=Datastore("postgres://u@db:5432/k"))
    server, agent = cluster.nodes[1], cluster.nodes[2]
    assert distro.lookups(situation(cluster, server, distro)) == []
    assert distro.lookups(situation(cluster, agent, distro)) != []


def test_where_the_servers_are_somebody_elses_none_is_asked(distro: Distro) -> None:
    """The token is what was given."""
    cluster = cluster_of(
        distro, make_node("agent-1", "agent", "10.0.0.21"), joins=ControlPlane("10.0.0.9", "TOKEN")
    )
    assert distro.lookups(situation(cluster, cluster.nodes[0], distro)) == []


def test_the_agents_own_token_is_left_as_it_is(distro: Distro) -> None:
    """`agent-token` is another user's password: the servers' prefix does not fit it."""
    server = make_node("srv-1", "primary", "10.0.0.11", "agent-token: theirs")
    cluster = cluster_of(distro, server, make_node("agent-1", "agent", "10.0.0.21"))
    assert 'token: "theirs"' in config_at_join(distro, cluster, "agent-1")
