"""The connected side of an air gap, each distro: list, download, bundle; and then verify and unpack.

The server has the layout of upstream's release pages, and a stand-in registry holds the images. Everything
runs in a process of its own, as a user would do it. Running a cluster from a bundle is e2e/test_airgap.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mk8s.images import image_names
from mk8s.project import load_listing
from tests.httpd import Server
from tests.registryd import RegistryServer, Store, put_image
from tests.upstream_tree import IMAGES_OF_KUBEADM, upstream_tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

VERSIONS = {
    "rke2": "v1.33.4+rke2r1",
    "k3s": "v1.33.4+k3s1",
    "k0s": "v1.33.4+k0s.0",
    "kubeadm": "v1.33.4",
    "vanilla": "v1.20.15",
}
IMAGES_OF_VANILLA = ("k8s.gcr.io/pause:3.2", "k8s.gcr.io/coredns:1.7.0")
MANIFEST = """\
distro: {distro}
version: {version}
mirrors: {{"*": "{server}", "registry.k8s.io": "{registry}", "k8s.gcr.io": "{registry}"}}
nodes:
  - {{address: 10.0.0.11, role: server, user: ops}}
  - {{address: 10.0.0.21, role: agent, user: ops, arch: {arch}}}
"""


@dataclass(frozen=True)
class Site:
    """A folder with a manifest, and what serves it."""

    folder: Path
    server: Server
    hashes: dict[str, str]  # of the published files, by item id

    def mk8s(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache"), "TERM": "dumb"}
        done = subprocess.run(
            [sys.executable, "-m", "mk8s", *words],
            cwd=self.folder, env=env, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        print(f"$ mk8s {' '.join(words)}\n{done.stdout}{done.stderr}(exit code {done.returncode})")
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stderr
        return done

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    """Holds what kubeadm and vanilla want, for both architectures."""
    store = Store()
    for image in (*(name.format(v=VERSIONS["kubeadm"]) for name in IMAGES_OF_KUBEADM), *IMAGES_OF_VANILLA):
        repository, _, tag = image.partition("/")[2].rpartition(":")
        put_image(store, repository, tag, [image.encode() * 100], ("amd64", "arm64"))
    with RegistryServer(store, tokens=True) as server:
        yield server


@pytest.fixture(params=sorted(VERSIONS))
def site(request: pytest.FixtureRequest, tmp_path: Path, registry: RegistryServer) -> Iterator[Site]:
    """One distro's site, with nodes of both architectures."""
    distro = str(request.param)
    with Server(tmp_path / "upstream") as server:
        text = MANIFEST.format(
            distro=distro, version=VERSIONS[distro], server=server.url(), registry=registry.url, arch="arm64"
        )
        (tmp_path / "cluster.yaml").write_text(text)
        project = load_listing(tmp_path / "cluster.yaml")
        hashes = upstream_tree(tmp_path / "upstream", project.catalogue.artifacts(project.cluster))
        yield Site(tmp_path, server, hashes)


def test_what_is_listed_is_fetched_bundled_carried_and_unpacked(site: Site) -> None:
    """The whole connected side for a release of mixed architectures, from its manifest alone."""
    listed = json.loads(site.mk8s("artifacts", "list", "cluster.yaml", "--output", "json").stdout)
    site.mk8s("tools", "check-artifacts", "cluster.yaml", code=2)

    site.mk8s("download", "cluster.yaml")

    fetched = {entry["id"]: site.artifacts / entry["file"] for entry in listed["artifacts"]}
    for item, digest in site.hashes.items():
        assert hashlib.sha256(fetched[item].read_bytes()).hexdigest() == digest
    site.mk8s("tools", "check-artifacts", "cluster.yaml")
    asked = len(site.server.asked)
    site.mk8s("bundle", "create", "cluster.yaml", "-o", "site.mk8s.tar", "--without-mk8s")
    site.mk8s("bundle", "verify", "site.mk8s.tar")
    site.mk8s("bundle", "unpack", "site.mk8s.tar", "other-side")
    site.mk8s("tools", "check-artifacts", "other-side/cluster.yaml")

    unpacked = {path.name: path.read_bytes() for path in (site.folder / "other-side/artifacts").iterdir()}
    assert all(unpacked[path.name] == path.read_bytes() for path in fetched.values() if path.exists())
    assert len(site.server.asked) == asked, "only `download` asks the server"


def test_a_second_download_asks_for_no_file_again(site: Site) -> None:
    """What is whole here is not fetched, by this cluster or by another one of this user."""
    site.mk8s("download", "cluster.yaml")
    sent = dict(site.server.sent)
    site.mk8s("download", "cluster.yaml")
    site.mk8s("download", "cluster.yaml", "--to", "elsewhere")
    again = {path for path, count in site.server.sent.items() if count > sent.get(path, 0)}
    assert not {path for path in again if "sha256" not in path.lower()}


@pytest.mark.parametrize("site", ["kubeadm"], indirect=True)
def test_the_archive_of_images_holds_what_kubeadm_itself_names(site: Site) -> None:
    """In the right architecture each; kubeadm is asked on this machine, once its hash was verified."""
    site.mk8s("download", "cluster.yaml")
    wanted = {image.format(v=VERSIONS["kubeadm"]) for image in IMAGES_OF_KUBEADM}
    for arch in ("amd64", "arm64"):
        assert wanted <= set(image_names(site.artifacts / f"images-linux-{arch}.tar") or ())
