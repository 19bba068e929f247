"""Mistakes in mirrors, components, images, registries, groups and rates, and what a person reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.distros.upstream import components
from mk8s.errors import ManifestError
from mk8s.manifest import load_cluster, supply
from tests.mk8s.manifest.manifests import SOUND, cluster_of, faults_of, loaded, refusal_of, with_nodes

BAD = {
    "a mirror of no URL": (
        f"{SOUND}mirrors: {{github: 'https://m.example'}}\n",
        ["5:11: mirrors.github: 'github' is not the beginning of a URL"],
    ),
    "a mirror of a local file": (
        f"{SOUND}mirrors: {{'file:///srv': 'https://m.example'}}\n",
        ["5:11: mirrors.file:///srv: 'file:///srv' is not the beginning of a URL"],
    ),
    "a mirror that is no URL": (
        f"{SOUND}mirrors: {{'*': mirror.example}}\n",
        ["5:11: mirrors.*: 'mirror.example' is not a URL"],
    ),
    "a mirror with a port that is none": (
        f"{SOUND}mirrors: {{'*': 'http://m.example:99999'}}\n",
        ["5:11: mirrors.*: 'http://m.example:99999' is not a URL"],
    ),
    "a mirror with a password": (
        f"{SOUND}mirrors: {{'*': 'https://me:hush@m.example'}}\n",
        ["5:11: mirrors.*: this URL has a password in it"],
    ),
    "a mirror with a query": (
        f"{SOUND}mirrors: {{'*': 'https://m.example/?to='}}\n",
        ["5:11: mirrors.*: 'https://m.example/?to=' has a query"],
    ),
    "a misspelt component": (
        f"{SOUND}components: {{contanerd: 1.7.27}}\n",
        ["5:14: components.contanerd: 'contanerd' is no component with a version of its own"],
    ),
    "a component's minor version": (
        f"{SOUND}components: {{containerd: 1.7}}\n",
        ["5:14: components.containerd: '1.7' is not a whole version"],
    ),
    "a component's version that is a path": (
        f"{SOUND}components: {{containerd: ../../x}}\n",
        ["5:14: components.containerd: '../../x' is not a version"],
    ),
    "an image without a tag": (
        f"{SOUND}images: [registry.example/shop]\n",
        ["5:10: images[0]: 'registry.example/shop' says no version"],
    ),
    "a rate without a unit": (
        f"{SOUND}limits: {{bandwidth: 20}}\n",
        ["5:10: limits.bandwidth: '20' is not a rate"],
    ),
    "a rate of next to nothing": (
        f"{SOUND}limits: {{bandwidth: 100B/s}}\n",
        ["5:10: limits.bandwidth: '100B/s' is too slow to be meant"],
    ),
    "a group that is no name": (
        with_nodes("{address: 10.0.0.1, role: server, group: Rack 2}"),
        ["4:39: nodes[0].group: 'Rack 2' is not a name"],
    ),
    "a registry with a scheme": (
        f"{SOUND}registries: {{default: 'https://r.example:5000/x'}}\n",
        ["5:14: registries.default: 'https://r.example:5000/x' is not a registry"],
    ),
    "a registry with a port that is none": (
        f"{SOUND}registries: {{mirrors: {{'r.example:99999': {{endpoints: []}}}}}}\n",
        ["5:24: registries.mirrors[\"r.example:99999\"]: 'r.example:99999' is not a registry"],
    ),
    "an endpoint without a scheme": (
        f"{SOUND}registries: {{mirrors: {{docker.io: {{endpoints: [r.example]}}}}}}\n",
        ["5:48: registries.mirrors[\"docker.io\"].endpoints[0]: 'r.example' is not the address of a mirror"],
    ),
    "an endpoint with a password": (
        f"{SOUND}registries: {{mirrors: {{docker.io: {{endpoints: ['https://a:hush@r.example']}}}}}}\n",
        ['5:48: registries.mirrors["docker.io"].endpoints[0]: this address has a password or a query in it'],
    ),
    "an empty pattern": (
        f"{SOUND}registries: {{mirrors: {{docker.io: {{endpoints: [], rewrite: {{a: ''}}}}}}}}\n",
        ["5:61: registries.mirrors[\"docker.io\"].rewrite.a: '' is not a pattern"],
    ),
    "access to everything": (
        f"{SOUND}registries: {{access: {{'*': {{insecure: true}}}}}}\n",
        ["5:23: registries.access.*: '*' is not a registry"],
    ),
    "a password as the name of a variable": (
        f"{SOUND}registries: {{access: {{r.example: {{username: a, password_env: 'hush!'}}}}}}\n",
        [
            '5:48: registries.access["r.example"].password_env: '
            "this is not the name of an environment variable"
        ],
    ),
    "a user without a password": (
        f"{SOUND}registries: {{access: {{r.example: {{username: a}}}}}}\n",
        ['5:35: registries.access["r.example"].username: stands without `password_env`'],
    ),
}


@pytest.mark.parametrize("text_and_faults", BAD.values(), ids=BAD)
def test_a_mistake_is_told_at_its_place(text_and_faults: tuple[str, list[str]]) -> None:
    text, faults = text_and_faults
    assert faults_of(text) == faults


@pytest.mark.parametrize(
    "text",
    [
        "mirrors: {'*': 'file:///srv/mirror', 'https://github.com/rancher/': 'http://10.0.0.9:8080/r'}",
        "mirrors: {'http://a.example': 'https://[fd00::1]:8443'}",
        "mirrors: {ghcr.io/shop: 'https://m.example', 'localhost:5000': 'http://10.0.0.9:5000'}",
        "images: ['busybox:1.36', 'r.example:5000/a/b@sha256:" + "a" * 64 + "']",
        "limits: {bandwidth: 100Mbit/s}",
        "registries: {default: 'r.example:5000', mirrors: {'*': {endpoints: []}}}",
        "registries: {mirrors: {'[fd00::1]:5000': {endpoints: ['http://10.0.0.1:5000/v2']}}}",
        "registries: {access: {localhost: {username: 'robot$mk8s', password_env: P}}}",
    ],
)
def test_what_is_meant_is_taken(text: str) -> None:
    assert cluster_of(f"{SOUND}{text}\n").name == "my"


def test_a_password_is_never_quoted() -> None:
    """It is in no message, wherever it was written."""
    told = str(refusal_of(f"{SOUND}mirrors: {{'*': 'https://me:hush@m.example'}}\n"))
    assert "hush" not in told


def test_a_version_may_have_its_v() -> None:
    text = f"{SOUND}components: {{containerd: v1.7.27}}\n".replace("rke2\n", "kubeadm\n", 1)
    assert cluster_of(text.replace("v1.28.3+rke2r2", "v1.28.3")).components == {"containerd": "1.7.27"}


def test_the_components_are_those_that_are_fetched() -> None:
    assert supply.COMPONENTS == components.COMPONENTS


def test_a_certificate_that_is_not_there_is_found_now(tmp_path: Path) -> None:
    manifest = tmp_path / "my.yaml"
    manifest.write_text(f"{SOUND}registries: {{access: {{r.example: {{ca_file: ca.pem}}}}}}\n")

    with pytest.raises(ManifestError, match=r"ca_file: .*ca\.pem cannot be read: No such file"):
        load_cluster(manifest)


@pytest.mark.parametrize(
    ("distro", "version", "wrong", "hint"),
    [
        ("k3s", "v1.33.4", "'v1.33.4' is not a release of K3s", 'such as "v1.33.4+k3s1"'),
        ("k3s", "1.33.4+k3s1", "'1.33.4+k3s1' is not a release of K3s", 'it begins with v: "v1.33.4+k3s1"'),
        ("k0s", "v1.33", "'v1.33' is not a release of k0s", 'such as "v1.33.0+k0s.0"'),
        ("k0s", "v1.33.4+k0s1", "'v1.33.4+k0s1' is not a release of k0s", 'such as "v1.28.3+k0s.0"'),
    ],
)
def test_versions_of_k3s_and_k0s_have_their_form(distro: str, version: str, wrong: str, hint: str) -> None:
    """As their makers write them."""
    text = SOUND.replace("rke2\n", f"{distro}\n", 1).replace("v1.28.3+rke2r2", version)
    told = str(refusal_of(text))

    assert wrong in told
    assert hint in told


def test_mirrors_are_kept_as_they_are_written() -> None:
    found = loaded(f"{SOUND}mirrors: {{'*': 'https://m.example/all/'}}\n").cluster
    assert found.mirrors == {"*": "https://m.example/all/"}
