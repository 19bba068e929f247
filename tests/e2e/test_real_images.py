"""An archive of images that was fetched from a registry, in the hands of a real containerd."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio

from mk8s.artifacts.cache import Cache
from mk8s.artifacts.egress import Egress
from mk8s.artifacts.fetch import Fetcher
from mk8s.artifacts.image_archive import write_images
from mk8s.artifacts.logins import Logins
from mk8s.artifacts.registry import Registry
from mk8s.artifacts.web import Web
from mk8s.images import image_names
from tests.e2e.driving import wait_until
from tests.registryd import RegistryServer, load_archive, put_image
from tests.transports.sshd import short_folder

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.timeout(1800)]

CONFIG = """
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
"""
ANSWERS = 300.0  # seconds until containerd does
LAYOUT = ("index.json", "oci-layout")
TOOL, TOOL_NAME = "tools/hello", "docker.io/tools/hello:1"


@dataclass(frozen=True)
class Containerd:
    """One of our own, apart from any other on this machine."""

    folder: Path
    socket: Path  # elsewhere: its path has to be short

    def command(self, *words: str) -> list[str]:
        return [str(self.folder / "bin/ctr"), "-a", str(self.socket), "-n", "k8s.io", *words]

    def ctr(self, *words: str, check: bool = True) -> str:
        command = self.command(*words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout if done.returncode == 0 else ""

    def imported(self, archive: Path) -> set[str]:
        """The names that are there after the import; each has all of its layers, unpacked."""
        self.ctr("images", "import", str(archive))
        names = set(self.ctr("images", "ls", "-q").split())
        assert set(self.ctr("images", "check", "-q").split()) == names
        return names


@pytest.fixture
def containerd(lab: object, real_release: dict[str, Path], tmp_path: Path) -> Iterator[Containerd]:
    """containerd of the release, started and ended here. (`lab` asks for root.)"""
    with tarfile.open(real_release["kubeadm"] / "containerd-linux-amd64.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    with short_folder() as short, started(Containerd(tmp_path, short / "socket")) as daemon:
        wait_until(lambda: daemon.ctr("version", check=False) != "", "containerd answers", ANSWERS)
        yield daemon


@contextmanager
def started(daemon: Containerd) -> Iterator[Containerd]:
    config, log = daemon.folder / "config.toml", daemon.folder / "log"
    config.write_text(CONFIG.format(folder=daemon.folder, socket=daemon.socket))
    command = [str(daemon.folder / "bin/containerd"), "-c", str(config), "-l", "warn"]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            yield daemon
        finally:
            process.terminate()


@pytest.fixture
def archive(real_release: dict[str, Path], tmp_path: Path) -> Path:
    """vanilla's images and one more, by way of a registry: Docker's manifests, OCI's, and a packed layer."""
    source = real_release["vanilla"] / "images-linux-amd64.tar"
    store = load_archive(source)
    put_image(store, TOOL, "1", [layer()], ("arm64", "amd64"), packed=True)
    names = [*(image_names(source) or ()), "tools/hello:1"]
    target = tmp_path / "images-linux-amd64.tar"
    with RegistryServer(store, tokens=True) as server:
        trio.run(_fetch, server.url, names, target)
    return target


async def _fetch(url: str, names: list[str], target: Path) -> None:
    mirrors = dict.fromkeys(("k8s.gcr.io", "registry.local", "docker.io"), url)
    async with httpx.AsyncClient(trust_env=False) as client:
        web = Web(client, Egress(frozenset({url})))
        fetcher = Fetcher(web, Cache.open(target.parent / "cache", lambda _words: None))
        registry = Registry(web, fetcher, mirrors, Logins())
        images = await registry.resolve_all(names, "amd64")
        write_images(images, await registry.fetch(images), target, "amd64")


def layer() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo("hello")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    return stream.getvalue()


def test_containerd_takes_the_layout_with_all_names(containerd: Containerd, archive: Path) -> None:
    """Under whole names: that is how kubelet asks for them."""
    names = containerd.imported(archive)
    assert names == {
        "k8s.gcr.io/pause:3.2",
        "k8s.gcr.io/coredns:1.7.0",
        "registry.local/busybox:1.35",
        TOOL_NAME,
    }


def test_dockers_list_in_the_same_archive_says_the_same(
    containerd: Containerd, archive: Path, tmp_path: Path
) -> None:
    """For whoever reads only that: the archive without its layout is one that docker saved."""
    docker = tmp_path / "docker.tar"
    with tarfile.open(archive) as source, tarfile.open(docker, "w") as target:
        for member in source:
            if member.name not in LAYOUT:
                target.addfile(member, source.extractfile(member))
    assert containerd.imported(docker) == containerd.imported(archive)
