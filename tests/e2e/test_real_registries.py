"""The files about registries that mk8s renders, in the hands of a real containerd."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mk8s.cluster import Registries, RegistryAccess, RegistryMirror
from mk8s.needs import Authority, Certificate
from mk8s.pki import Chance, make_authority, make_leaf
from mk8s.registries import Given
from mk8s.registries.hosts import PLUGIN_1, auth_toml, host_files
from mk8s.registries.known import AUTHORITIES
from tests.e2e.test_real_images import TOOL, Containerd, containerd, layer
from tests.registryd import RegistryServer, Store, put_image

__all__ = ["containerd"]  # a fixture

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.timeout(1800)]

IMAGE = f"docker.io/{TOOL}:1"
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture
def store() -> Store:
    found = Store()
    put_image(found, TOOL, "1", [layer()])
    return found


@pytest.fixture
def server(store: Store) -> Iterator[RegistryServer]:
    with RegistryServer(store) as running:
        yield running


def pull(daemon: Containerd, given: Given, image: str = IMAGE) -> subprocess.CompletedProcess[str]:
    """Fetch an image with certs.d as it would stand on a node; authorities lie in the daemon's folder."""
    certs_d = daemon.folder / "certs.d"
    for path, content in host_files(given).items():
        target = certs_d / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content.decode().replace(str(AUTHORITIES), str(daemon.folder)))
    command = daemon.command("images", "pull", "--hosts-dir", str(certs_d), image)
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def mirrored(*endpoints: str, name: str = "docker.io", folder: str = "") -> Registries:
    rewrite = {"^(.*)$": f"{folder}/$1"} if folder else {}
    return Registries({name: RegistryMirror(endpoints, rewrite)})


@pytest.mark.parametrize("name", ["docker.io", "*"])
def test_an_image_comes_from_the_mirror_under_its_own_name(
    containerd: Containerd, server: RegistryServer, name: str
) -> None:
    """Of a registry by its name, and of every registry (`_default`)."""
    done = pull(containerd, Given(mirrored(server.url, name=name)))

    assert done.returncode == 0, done.stderr
    assert containerd.ctr("images", "ls", "-q").split() == [IMAGE]
    assert server.requests


def test_a_folder_stands_before_every_image(containerd: Containerd, server: RegistryServer) -> None:
    done = pull(containerd, Given(mirrored(server.url, folder="hub/shop")))

    assert done.returncode == 0, done.stderr
    assert {request.path.partition("/tools")[0] for request in server.requests} == {"/v2/hub/shop"}


def test_the_next_mirror_is_asked_where_one_is_away(containerd: Containerd, server: RegistryServer) -> None:
    done = pull(containerd, Given(mirrored(NOBODY, server.url)))

    assert done.returncode == 0, done.stderr


def test_the_registry_itself_is_never_asked(containerd: Containerd, server: RegistryServer) -> None:
    """What no mirror has is told as missing, in the mirror's words."""
    done = pull(containerd, Given(mirrored(server.url)), "docker.io/tools/other:1")

    assert done.returncode != 0
    assert "not found" in done.stderr
    assert "registry-1.docker.io" not in done.stderr


@pytest.mark.parametrize("trusted", [True, False])
def test_a_mirror_is_known_by_its_authority(containerd: Containerd, store: Store, trusted: bool) -> None:
    """And without its certificate it is refused."""
    with RegistryServer(store) as server:
        authority = encrypt(server, containerd.folder)
        access = RegistryAccess(ca_file=Path("ca.pem") if trusted else None)
        registries = Registries(mirrored(f"https://{server.host}").mirrors, {server.host: access})
        given = Given(registries, authorities={server.host: authority})
        target = given.authority_of(server.host)
        if target:
            (containerd.folder / target.name).write_bytes(given.authorities[server.host])
        done = pull(containerd, given)

    assert (done.returncode == 0) is trusted, done.stderr
    assert trusted or "certificate" in done.stderr


def encrypt(server: RegistryServer, folder: Path) -> bytes:
    """Let the server speak TLS. The result: its authority's certificate."""
    now = datetime.now(UTC)
    authority = make_authority(Authority("ca", "registry"), now, Chance())
    asked = Certificate("m", "ca", "mirror", server=True, ips=("127.0.0.1",))
    leaf = make_leaf(asked, authority, now, Chance())
    (folder / "mirror.pem").write_bytes(leaf.public + leaf.private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mirror.pem")
    server.encrypt(context)
    return authority.public


def test_containerd_reads_its_logins_beside_the_folder_of_registries(containerd: Containerd) -> None:
    """Both together, in the config that a node gets."""
    given = Given(Registries(access={"m:5000": RegistryAccess("puller", "P")}), {"m:5000": 'a"b\\c'})
    config = containerd.folder / "node.toml"
    path = f'[plugins."{PLUGIN_1}".registry]\nconfig_path = "/etc/containerd/certs.d"\n'
    config.write_text(f"version = 2\n{path}{auth_toml(given, PLUGIN_1)}")
    command = [str(containerd.folder / "bin/containerd"), "-c", str(config), "config", "dump"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout

    assert 'password = "a\\"b\\\\c"' in said
    assert 'config_path = "/etc/containerd/certs.d"' in said
