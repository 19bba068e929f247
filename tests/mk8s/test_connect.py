"""Secrets that the manifest names: told to be missing before any node is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mk8s.cluster import Cluster, Login
from mk8s.connect import passwords_of, refuse_missing_secrets
from mk8s.errors import ExitCode, ManifestError
from tests.mk8s.examples import cluster as make_cluster


def with_sudo_password(variable: str) -> Cluster:
    found = make_cluster()
    nodes = tuple(
        replace(node, login=replace(node.login, user="dev", sudo_password_env=variable))
        for node in found.nodes
    )
    return replace(found, nodes=nodes)


def test_a_sudo_password_that_is_not_set_is_told_by_its_variable() -> None:
    """The variable, the user and what to type."""
    with pytest.raises(ManifestError) as refused:
        refuse_missing_secrets(with_sudo_password("SUDO_WORDS"), {})
    words = "the environment variable SUDO_WORDS is not set; it is to hold the sudo password of dev"
    assert words in str(refused.value)
    assert refused.value.exit_code == ExitCode.MANIFEST_NEEDS_YOU


def test_a_sudo_password_that_is_set_is_not_looked_at() -> None:
    """It may be empty: some people's are."""
    refuse_missing_secrets(with_sudo_password("SUDO_WORDS"), {"SUDO_WORDS": ""})


def test_every_password_that_is_there_is_known_to_be_hidden() -> None:
    """A node that was told one could say it again."""
    login = Login(user="dev", password_env="A", passphrase_env="B", sudo_password_env="C")
    assert passwords_of(login, {"A": "one", "C": "three", "D": "other"}) == ["one", "three"]
