"""Passwords and certificates: looked up before any node is touched, and never shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.changes import refusals
from mk8s.cluster import Cluster, Registries, RegistryAccess
from mk8s.connect import refuse_missing_secrets
from mk8s.errors import ManifestError
from mk8s.manifest import load_cluster
from mk8s.needs import Kept
from mk8s.registries import engine, given_of
from mk8s.registries.given import missing_passwords, registry_passwords, with_registries
from mk8s.registries.hosts import PLUGIN_2, auth_toml
from mk8s.secrets import Secrets
from tests.mk8s.distros.situations import make_cluster
from tests.mk8s.registries.made import AUTHORITY, PASSWORD

ENVIRONMENT = {"REGISTRY_PASSWORD": PASSWORD}


def cluster_with(ca_file: Path | None = None) -> Cluster:
    access = RegistryAccess("puller", "REGISTRY_PASSWORD", ca_file)
    return make_cluster(registries=Registries(access={"m:5000": access}))


def test_a_variable_that_is_not_set_is_told_before_any_node_is_touched() -> None:
    """With the host it belongs to, and never with a value."""
    with pytest.raises(ManifestError, match=r"access\.m:5000: .* REGISTRY_PASSWORD is not set"):
        refuse_missing_secrets(cluster_with(), {"REGISTRY_PASSWORD": ""})


def test_a_password_with_a_line_break_is_told_without_showing_it() -> None:
    [words] = missing_passwords(cluster_with(), {"REGISTRY_PASSWORD": "tip\ntop"})

    assert "control character" in words
    assert "top" not in words


def test_a_cluster_without_registries_asks_for_nothing() -> None:
    refuse_missing_secrets(make_cluster(), {})

    assert with_registries(Kept(), make_cluster(), {}) == Kept()


def test_drivers_get_what_the_manifest_names(tmp_path: Path) -> None:
    """By the host's name; nothing of it is shown when the value is printed."""
    (tmp_path / "ca.pem").write_bytes(AUTHORITY)
    kept = with_registries(Kept(), cluster_with(tmp_path / "ca.pem"), ENVIRONMENT)

    assert kept.registry_passwords == {"m:5000": PASSWORD}
    assert kept.registry_authorities == {"m:5000": AUTHORITY}
    assert PASSWORD not in repr(kept)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no certificate", "holds no certificate"),
        (AUTHORITY + b"-----BEGIN RSA PRIVATE KEY-----\n", "holds a private key"),
        (AUTHORITY + b"#" * (1 << 20), "holds no certificate"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    """Every node would get what is in it."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ManifestError, match=why):
        with_registries(Kept(), cluster_with(file), ENVIRONMENT)


def test_a_password_is_hidden_in_every_form_in_which_files_hold_it(tmp_path: Path) -> None:
    """So the copies of rendered files in the state folder do not have it."""
    cluster = cluster_with()
    of = given_of(cluster, with_registries(Kept(), cluster, ENVIRONMENT))
    assert of is not None
    secrets = Secrets(tmp_path)
    for value in registry_passwords(cluster, ENVIRONMENT).values():
        secrets.remember(value)

    shown = secrets.redact(engine.registries_yaml(of).decode() + auth_toml(of, PLUGIN_2))

    assert "***" in shown
    assert not any(part in shown for part in (PASSWORD, 'pa\\"ss', "wörd"))


def test_a_name_for_a_registry_without_a_password_needs_no_variable() -> None:
    registries = Registries(access={"m": RegistryAccess("u")})

    assert not missing_passwords(replace(cluster_with(), registries=registries), {})


def test_a_certificate_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    """When the manifest is read, with everything else that is wrong."""
    manifest = tmp_path / "cluster.yaml"
    manifest.write_text(
        "distro: rke2\nversion: v1.33.4+rke2r1\nnodes:\n- {address: 10.0.0.1, role: server, user: root}\n"
        "registries:\n  access:\n    m:5000: {ca_file: gone.pem}\n"
    )

    with pytest.raises(ManifestError, match=r":7:\d+: registries\.access\.\S+: gone\.pem cannot be read"):
        load_cluster(manifest, distros=["rke2"])


def test_registries_cannot_change_under_installed_nodes() -> None:
    """They were told when they were installed; nobody tells them again."""
    old, new = make_cluster(), cluster_with()

    assert not refusals(old, new, {"srv-1": "staged"})
    assert any("registries changed" in words for words in refusals(old, new, {"srv-1": "healthy"}))
