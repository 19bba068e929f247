"""A release's archive of images, from the list to the file: over HTTP, with a stand-in registry."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from mk8s.artifacts.cache import Cache
from mk8s.artifacts.egress import egress_in_air_gap
from mk8s.artifacts.fetch import Fetcher, Patience
from mk8s.artifacts.filing import CacheError
from mk8s.artifacts.image_download import ImageMaker
from mk8s.artifacts.image_list import ImageListError
from mk8s.artifacts.logins import Logins
from mk8s.artifacts.web import Web
from mk8s.cluster import ArtifactSource, Cluster
from mk8s.distros.base import ArtifactItem, load_catalogue
from mk8s.images import image_names
from tests.mk8s.artifacts.fetching import HANG
from tests.mk8s.distros.situations import make_cluster
from tests.registryd import Fault, RegistryServer, Store, digest_of, put_image

VERSION = "v1.34.1"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
NAMES = (
    *(f"registry.k8s.io/{name}:{VERSION}" for name in PROGRAMS),
    "registry.k8s.io/pause:3.10.1",
    "registry.k8s.io/etcd:3.6.4-0",
    "registry.k8s.io/coredns/coredns:v1.12.1",
)
BASE = b"shared by all" * 5000


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    store = Store()
    for name in (*NAMES, "x/busybox:1"):
        repository, _, tag = name.partition("/")[2].rpartition(":")
        put_image(store, repository, tag, [BASE, name.encode()], ("amd64", "arm64"))
    with RegistryServer(store, tokens=True) as server:
        yield server


@dataclass(frozen=True)
class Case:
    """A cluster whose kubeadm is a stand-in: it lists `NAMES` and leaves a trace."""

    folder: Path
    registry: RegistryServer

    @property
    def trace(self) -> Path:
        return self.folder / "kubeadm-ran"

    def kubeadm(self) -> ArtifactSource:
        path = self.folder / "upstream-kubeadm"
        path.write_text(f"#!/bin/sh\necho x >>{self.trace}\nprintf '%s\\n' {' '.join(NAMES)}\n")
        return ArtifactSource("", path.as_uri(), f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")

    def cluster(self, **more: Any) -> Cluster:
        made: Cluster = replace(
            make_cluster(),
            **{
                "distro": "kubeadm",
                "version": VERSION,
                "artifacts": {"kubeadm": self.kubeadm()},
                "mirrors": {"registry.k8s.io": self.registry.url, "r.example": self.registry.url},
                **more,
            },
        )
        return made

    @asynccontextmanager
    async def maker(
        self, cluster: Cluster, arch: str = "amd64", free: int = 1 << 40
    ) -> AsyncIterator[ImageMaker]:
        egress = egress_in_air_gap(cluster)
        async with httpx.AsyncClient(trust_env=False, timeout=HANG) as client:
            cache = Cache.open(self.folder / "cache", lambda _words: None)
            fetcher = Fetcher(Web(client, egress), cache, Patience(first=0.001))
            yield ImageMaker(cluster, fetcher, Logins(), arch=arch, free=lambda _path: free)

    @property
    def target(self) -> Path:
        return self.folder / "images-linux-amd64.tar"


@pytest.fixture
def case(tmp_path: Path, registry: RegistryServer) -> Case:
    return Case(tmp_path, registry)


def item_of(cluster: Cluster, item_id: str = "images") -> ArtifactItem:
    return next(item for item in load_catalogue(cluster.distro).artifacts(cluster) if item.id == item_id)


@pytest.mark.anyio
async def test_the_archive_holds_what_kubeadm_names(case: Case) -> None:
    """Fetched through the manifest's mirrors alone, as in an air gap."""
    cluster = case.cluster()
    async with case.maker(cluster) as maker:
        assert await maker.make(item_of(cluster), case.target)
    assert set(image_names(case.target) or ()) == set(NAMES)
    assert stat.S_IMODE(case.target.stat().st_mode) == 0o644


@pytest.mark.anyio
async def test_a_finished_archive_is_not_made_again(case: Case) -> None:
    """Nothing is asked of the registry then."""
    cluster = case.cluster()
    async with case.maker(cluster) as maker:
        await maker.make(item_of(cluster), case.target)
        case.registry.requests.clear()
        assert not await maker.make(item_of(cluster), case.target)
    assert case.registry.requests == []


@pytest.mark.anyio
async def test_one_more_image_fetches_only_that(case: Case) -> None:
    """What the archive had is in the cache."""
    cluster = case.cluster()
    async with case.maker(cluster) as maker:
        await maker.make(item_of(cluster), case.target)
    case.registry.requests.clear()
    more = case.cluster(images=("r.example/x/busybox:1",))
    async with case.maker(more) as maker:
        assert await maker.make(item_of(more), case.target)
    assert set(image_names(case.target) or ()) == {*NAMES, "r.example/x/busybox:1"}
    assert {request.path.rpartition("/blobs/")[0] for request in case.registry.asked("/blobs/")} == {
        "/v2/x/busybox"
    }


@pytest.mark.anyio
async def test_kubeadm_is_asked_once_for_all_architectures(case: Case) -> None:
    """A release for both is the same list."""
    nodes = make_cluster().nodes
    cluster = case.cluster(nodes=(*nodes[:2], replace(nodes[2], arch="arm64")))
    async with case.maker(cluster) as maker:
        assert (
            await maker.needed(item_of(cluster))
            == await maker.needed(item_of(cluster, "images-arm64"))
            == NAMES
        )
    assert case.trace.read_text() == "x\n"


@pytest.mark.anyio
async def test_a_cut_layer_is_taken_up_where_it_ended(case: Case) -> None:
    """Layers are the larger part of a release."""
    case.registry.faults.append(Fault(f"/blobs/{digest_of(BASE)}", cut_after=40_000))
    cluster = case.cluster()
    async with case.maker(cluster) as maker:
        await maker.make(item_of(cluster), case.target)
    assert [request.range for request in case.registry.requests if request.range] == ["bytes=40000-"]


@pytest.mark.anyio
async def test_the_user_sees_how_much_of_all_layers_is_here(case: Case) -> None:
    """Together, because they become one file."""
    seen: list[tuple[int, int | None]] = []
    cluster = case.cluster()
    async with case.maker(cluster) as maker:
        await maker.make(item_of(cluster), case.target, lambda here, all_: seen.append((here, all_)))
    assert len({total for _, total in seen}) == 1
    assert [here for here, _ in seen] == sorted(here for here, _ in seen)
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.anyio
async def test_room_is_looked_for_before_the_first_layer(case: Case) -> None:
    """For the layers and for the archive: they lie on one disk here."""
    cluster = case.cluster()
    async with case.maker(cluster, free=2 * len(BASE)) as maker:
        with pytest.raises(CacheError, match=r"images-linux-amd64.tar takes .* are free"):
            await maker.make(item_of(cluster), case.target)
    assert case.registry.asked("/blobs/") == []


@pytest.mark.anyio
async def test_where_kubeadm_cannot_run_the_manifest_must_name_the_images(case: Case) -> None:
    """On a machine of another kind."""
    cluster = case.cluster()
    async with case.maker(cluster, arch="") as maker:
        with pytest.raises(ImageListError, match="is not known here"):
            await maker.make(item_of(cluster), case.target)
    assert not case.trace.exists()


@pytest.mark.anyio
async def test_a_release_that_is_certain_needs_no_kubeadm(case: Case) -> None:
    """v1.20: the table knows all of it, whatever is wrong with kubeadm."""
    cluster = case.cluster(
        version="v1.20.2", artifacts={"kubeadm": ArtifactSource("", "file:///none", "0" * 64)}
    )
    async with case.maker(cluster) as maker:
        assert "k8s.gcr.io/pause:3.2" in await maker.needed(item_of(cluster))


@pytest.mark.anyio
async def test_images_of_the_users_own_pods_are_added_and_replace_nothing(case: Case) -> None:
    """An etcd of an application is another than the cluster's."""
    cluster = case.cluster()
    item = item_of(cluster)
    more = replace(item, origin=replace(item.origin, images=(*item.origin.images, "r.example/app/etcd:1")))
    async with case.maker(cluster) as maker:
        assert await maker.needed(more) == (*NAMES, "r.example/app/etcd:1")


@pytest.mark.anyio
async def test_a_distro_with_archives_of_its_own_gets_one_of_what_the_manifest_adds(case: Case) -> None:
    """Beside its own, in the same place on the nodes."""
    cluster = case.cluster(
        distro="rke2", version="v1.33.4+rke2r1", images=("r.example/x/busybox:1",), artifacts={}
    )
    async with case.maker(cluster) as maker:
        await maker.make(item_of(cluster, "imagesAdded"), case.target)
    assert image_names(case.target) == ("r.example/x/busybox:1",)
