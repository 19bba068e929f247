"""Tokens and other secrets."""

from __future__ import annotations

from mk8s.distros.rancher.tokens import redact
from mk8s.distros.rke2 import DISTRO
from tests.mk8s.distros.situations import make_cluster, make_node

FULL = f"K10{'0a' * 32}::server:pass-word"


def test_a_token_is_made_up_when_nobody_gave_one() -> None:
    assert DISTRO.needs_token(make_cluster())


def test_a_token_from_any_server_is_taken_over() -> None:
    cluster = make_cluster(
        make_node("srv-1", "primary", "10.0.0.11"), make_node("srv-2", "server", "10.0.0.12", "token: mine")
    )

    assert DISTRO.user_token(cluster) == "mine"
    assert not DISTRO.needs_token(cluster)


def test_an_agents_token_counts_unless_agents_have_their_own() -> None:
    agent = make_node("agent-1", "agent", "10.0.0.21", "token: mine")
    shared = make_cluster(make_node("srv-1", "primary", "10.0.0.11"), agent)
    apart = make_cluster(make_node("srv-1", "primary", "10.0.0.11", "agent-token: mine"), agent)

    assert DISTRO.user_token(shared) == "mine"
    assert DISTRO.user_token(apart) is None


def test_a_token_in_a_file_on_the_host_is_neither_known_nor_made_up() -> None:
    cluster = make_cluster(make_node("srv-1", "primary", "10.0.0.11", "token-file: /root/token"))

    assert DISTRO.user_token(cluster) is None
    assert not DISTRO.needs_token(cluster)


def test_secrets_are_found_with_the_parts_that_appear_alone() -> None:
    """The password inside a full token or a URL is as secret as the whole."""
    config = {
        "token": FULL,
        "datastore-endpoint": "postgres://rke2:p%40ss@10.0.0.5:5432/rke2",
        "etcd-s3-secret-key": "s3-secret",
        "cni": "cilium",
    }

    found = DISTRO.secrets_in(config)

    assert set(found) == {
        FULL, "pass-word", "postgres://rke2:p%40ss@10.0.0.5:5432/rke2", "p%40ss", "p@ss", "s3-secret",
    }  # fmt: skip
    assert found[0] == FULL


def test_redaction_leaves_no_rest() -> None:
    secrets = DISTRO.secrets_in({"token": FULL})

    assert redact(f"joining with {FULL} as pass-word", secrets) == "joining with [redacted] as [redacted]"


def test_a_full_token_is_hidden_even_if_nobody_knew_it() -> None:
    assert redact(f"token={FULL}", []) == "token=[redacted]"
