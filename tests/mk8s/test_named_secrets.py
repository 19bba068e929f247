"""What a manifest only names is looked up before any node is touched, and hidden everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.cluster import ControlPlane, Datastore
from mk8s.errors import ManifestError
from mk8s.named_secrets import configs_of, join_token, missing_secrets, named_secrets, with_named
from mk8s.needs import Kept
from tests.mk8s.examples import cluster

STORE = Datastore("postgres://mk8s@db:5432/k", "DB")


def test_a_variable_that_is_not_set_is_told_before_anything_happens() -> None:
    """Named by the manifest's key, with what it is to hold."""
    given = replace(cluster(), datastore=STORE, joins=ControlPlane("10.0.0.9", "TOKEN"))

    assert missing_secrets(given, {"DB": "a\x1bb"}) == [
        "datastore: the environment variable DB holds a control character; "
        "it is to hold the datastore's password",
        "join: the environment variable TOKEN is not set; it is to hold the join token of 10.0.0.9",
    ]
    assert missing_secrets(given, {"DB": "pw", "TOKEN": "t"}) == []


def test_everything_that_was_named_is_hidden() -> None:
    """Also where it is only used much later."""
    given = replace(cluster(), datastore=STORE, joins=ControlPlane("10.0.0.9", "TOKEN"))

    assert named_secrets(given, {"DB": "p w", "TOKEN": "t\n"}) == ["p w", "p%20w", "t"]


def test_a_drop_in_is_searched_for_secrets_as_the_config_is() -> None:
    """What is no mapping holds no settings."""
    texts = {"a.yaml": "token: hush\n", "b.yaml": "- x", "c.toml": "a = [b"}
    node = replace(cluster().primary, config={"cni": "none"}, drop_ins=texts)

    assert list(configs_of(node)) == [{"cni": "none"}, {"token": "hush"}]


def test_the_join_token_is_the_words_alone() -> None:
    """A newline from ``$(cat token)`` is no part of it."""
    given = replace(cluster(), joins=ControlPlane("10.0.0.9", "TOKEN"))

    assert join_token(given, {"TOKEN": "K10::server:x\n"}) == "K10::server:x"
    assert join_token(cluster(), {"TOKEN": "x"}) == ""


def test_drivers_get_the_password_and_the_files(tmp_path: Path) -> None:
    """The password as a word that is never shown, the files as they are."""
    authority = tmp_path / "ca.pem"
    authority.write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    given = replace(cluster(), datastore=replace(STORE, ca_file=authority))

    kept = with_named(Kept(words={"other": "w"}), given, {"DB": "pw"})

    assert kept.words == {
        "other": "w",
        "datastore-password": "pw",
        "datastore-ca": "-----BEGIN CERTIFICATE-----\n",
    }
    assert "pw" not in repr(kept)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    """Here, and not by a database at three in the morning."""
    wrong = tmp_path / "ca.pem"
    wrong.write_text("hello")
    given = replace(cluster(), datastore=replace(STORE, ca_file=wrong))

    with pytest.raises(ManifestError, match=r"datastore.ca_file: .*holds nothing in PEM form"):
        with_named(Kept(), given, {})
