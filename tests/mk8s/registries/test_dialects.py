"""The rules behind the golden files: what each runtime makes of an address, a login and a fallback."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from mk8s.cluster import Registries, RegistryAccess, RegistryMirror
from mk8s.registries import Given, engine, k0s
from mk8s.registries.hosts import PLUGIN_1, PLUGIN_2, auth_toml, host_files
from mk8s.registries.known import authority_file, endpoint_of, quoted
from mk8s.registries.releases import (
    CERTS_D,
    DEFAULT_FOLDER,
    NO_DEFAULT_ENDPOINT,
    begins_with,
    conditional_import,
)
from mk8s.registries.steps import authority_steps
from mk8s.secrets import HIDDEN
from mk8s.steps import WriteFile
from tests.mk8s.registries.made import AUTHORITY, BUNKER, PASSWORD, WITH_FALLBACK, given, with_mirror


def hosts_toml(of: Given, registry: str) -> dict[str, Any]:
    content = host_files(of)[PurePosixPath(registry) / "hosts.toml"]
    return tomllib.loads(content.decode())


@pytest.mark.parametrize("registries", [BUNKER, WITH_FALLBACK])
def test_every_file_can_be_read_back(registries: Registries) -> None:
    """TOML and YAML, with a password that has quotes, backslashes and other letters."""
    of = given(registries)
    for plugin in (PLUGIN_1, PLUGIN_2):
        tables = tomllib.loads(auth_toml(of, plugin))["plugins"][plugin]["registry"]["configs"]
        assert {table["auth"]["password"] for table in tables.values()} == {PASSWORD}
    assert all(tomllib.loads(content.decode()) for content in host_files(of).values())
    configs = yaml.safe_load(engine.registries_yaml(of))["configs"].values()
    assert {config["auth"]["password"] for config in configs if "auth" in config} == {PASSWORD}


@pytest.mark.parametrize("text", ["\x7f", "\x85 \u2028", "\ufeff", "\x01\n\t", "é𐍈", '"\\'])
def test_quotes_hold_in_every_dialect(text: str) -> None:
    """Characters that one of the languages wants escaped."""
    assert tomllib.loads(f"a = {quoted(text)}")["a"] == yaml.safe_load(quoted(text)) == text


def test_the_last_mirror_stands_in_the_registrys_own_place_where_it_may_not_be_asked() -> None:
    """containerd asks `server` last, and it is the registry itself unless another is named."""
    alone = hosts_toml(given(with_mirror("https://one", "https://two")), "docker.io")
    both = hosts_toml(given(replace(with_mirror("https://one"), fallback=True)), "docker.io")

    assert (alone["server"], list(alone["host"])) == ("https://two/v2", ["https://one/v2"])
    assert (both["server"], list(both["host"])) == ("https://registry-1.docker.io", ["https://one/v2"])


def test_every_other_registry_is_asked_itself_where_it_may_be() -> None:
    """`_default` then names no server: containerd takes the registry of the image."""
    assert "server" not in hosts_toml(given(WITH_FALLBACK), "_default")
    assert "server" in hosts_toml(given(BUNKER), "_default")


def test_a_registry_of_ones_own_is_asked_itself_beside_mirrors_of_all_others() -> None:
    assert hosts_toml(given(BUNKER), "own.bunker") == {"server": "https://own.bunker", "host": {}}


def test_every_file_has_a_table_of_hosts() -> None:
    """containerd 1.x passes over a file without one, and asks the registry itself."""
    assert all("host" in tomllib.loads(content.decode()) for content in host_files(given(BUNKER)).values())


def test_an_address_with_a_path_is_taken_as_it_is() -> None:
    """And a folder of `rewrite` comes behind it."""
    found = hosts_toml(given(with_mirror("https://m/v2/hub/", **{"(.*)": "a/b/$1"})), "docker.io")

    assert (found["server"], found["override_path"]) == ("https://m/v2/hub/a/b", True)
    assert "override_path" not in hosts_toml(given(with_mirror("https://m/v2")), "docker.io")


def test_docker_hubs_login_stands_under_the_host_that_is_asked() -> None:
    assert '"registry-1.docker.io".auth' in auth_toml(given(WITH_FALLBACK), PLUGIN_2)


def test_a_login_counts_for_the_usual_port_too() -> None:
    """containerd looks it up by the host exactly as an endpoint spells it."""
    access = {"m": RegistryAccess("u", "P", Path("ca.pem"))}
    of = Given(replace(with_mirror("https://m:443"), access=access), {"m": "secret"})

    assert '"m:443".auth' in auth_toml(of, PLUGIN_1)
    assert hosts_toml(of, "docker.io")["ca"] == str(authority_file("m"))


def test_a_name_without_a_password_is_a_login() -> None:
    of = Given(Registries(access={"m": RegistryAccess("u")}))

    assert 'password = ""' in auth_toml(of, PLUGIN_1)
    assert of.has_passwords


def test_a_plan_shows_marks_in_place_of_what_it_was_not_given() -> None:
    """Neither a password nor a certificate is read for it."""
    of = Given(BUNKER)
    [_, certificate] = authority_steps(of)

    assert f'password: "{HIDDEN}"' in engine.registries_yaml(of).decode()
    assert isinstance(certificate, WriteFile)
    assert certificate.content == b"the content of /home/op/ca.pem\n"


def test_certificates_come_to_the_nodes_as_they_are() -> None:
    [_, certificate] = authority_steps(given(BUNKER))

    assert isinstance(certificate, WriteFile)
    assert (certificate.content, certificate.mode) == (AUTHORITY, 0o644)


@pytest.mark.parametrize(
    "text", ["ftp://m", "https://", "https://u:p@m", "https://m:port", "https://[fd00::1", ""]
)
def test_what_is_no_address_of_a_registry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        endpoint_of(text)


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ("v1.30.12+rke2r1", False), ("v1.30.13+rke2r1", True), ("v1.31.8+k3s1", False),
        ("v1.31.9+k3s1", True), ("v1.32.4+rke2r1", False), ("v1.32.5+rke2r1", True),
        ("v1.33.0+rke2r1", False), ("v1.33.1+rke2r1", True), ("v1.34.0+k3s1", True), ("v1.29.15+k3s1", False),
    ],
)  # fmt: skip
def test_images_are_imported_by_condition_from_these_releases_on(version: str, has: bool) -> None:
    assert conditional_import(version) is has


def test_what_a_version_lacks_is_not_asked_of_it() -> None:
    """The engine knows no such key before; containerd neither reads hosts.toml nor _default."""
    assert not engine.settings(given(), "v1.26.12+rke2r1", server=True)
    assert begins_with("v1.26.13+k3s1", NO_DEFAULT_ENDPOINT)
    assert not begins_with("1.4.13", CERTS_D)
    assert not any(begins_with(version, DEFAULT_FOLDER) for version in ("1.5.18", "1.6.16"))
    assert all(begins_with(version, DEFAULT_FOLDER) for version in ("1.6.17", "1.7.0", "2.0.5"))


@pytest.mark.parametrize(
    ("version", "number", "plugin"), [("v1.35.4+k0s.0", 2, PLUGIN_1), ("v1.36.1+k0s.0", 3, PLUGIN_2)]
)
def test_k0s_gets_its_drop_in_in_the_form_of_its_containerd(version: str, number: int, plugin: str) -> None:
    """The other form makes k0s refuse to start."""
    found = tomllib.loads(k0s.drop_in(given(), version).decode())

    assert (found["version"], list(found["plugins"])) == (number, [plugin])


def test_rewriting_is_the_engines_own() -> None:
    """It takes any regular expression."""
    rules = {"^rancher/(.*)": "mirrored/$1", "^x": "y"}
    of = Given(Registries({"docker.io": RegistryMirror(("https://m",), rules)}))

    assert yaml.safe_load(engine.registries_yaml(of))["mirrors"]["docker.io"]["rewrite"] == rules
