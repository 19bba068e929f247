"""The names of images in an archive: read without unpacking, whatever the archive claims."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mk8s.images import image_names, images_in, is_cut
from transports.base import File

PAUSE, ETCD = "registry.example/pause:3.2", "registry.example/etcd:3.4.13-0"
DOCKER = [{"Config": "a.json", "RepoTags": [PAUSE], "Layers": []}, {"RepoTags": [ETCD]}]
OCI = {
    "schemaVersion": 2,
    "manifests": [
        {"annotations": {"io.containerd.image.name": PAUSE, "org.opencontainers.image.ref.name": "3.2"}},
        {"annotations": {"org.opencontainers.image.ref.name": ETCD}},
        {"annotations": {"org.opencontainers.image.ref.name": "latest"}},
        {"digest": "sha256:0"},
    ],
}


def tar_of(**members: Any) -> bytes:
    """A tar with JSON members; a layer stands before them as in real archives."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, value in {"layer": "x" * 2000, **members}.items():
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            member = tarfile.TarInfo(name.replace("_json", ".json"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def written(folder: Path, content: bytes, name: str = "images.tar") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("members", [{"manifest_json": DOCKER}, {"index_json": OCI}])
def test_names_are_read_from_either_kind_packed_or_not(pack: Any, members: Any, tmp_path: Path) -> None:
    """docker save and OCI layouts, tar and tar.gz, say the same."""
    assert image_names(written(tmp_path, pack(tar_of(**members)))) == (PAUSE, ETCD)


def test_dockers_list_goes_before_the_layouts(tmp_path: Path) -> None:
    """An archive may hold both; docker's has the whole names."""
    bare = {"manifests": [{"annotations": {"org.opencontainers.image.ref.name": "other:1"}}]}
    assert image_names(written(tmp_path, tar_of(index_json=bare, manifest_json=DOCKER))) == (PAUSE, ETCD)


def test_a_list_without_names_gives_way_to_the_other(tmp_path: Path) -> None:
    """Images that were saved by their digest have no RepoTags."""
    nameless = [{"RepoTags": None}]
    assert image_names(written(tmp_path, tar_of(manifest_json=nameless, index_json=OCI))) == (PAUSE, ETCD)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x28\xb5\x2f\xfdzstd",
        b"\x1f\x8bno gzip",
        gzip.compress(tar_of(manifest_json=DOCKER))[:-300],
        tar_of(manifest_json=DOCKER)[:1300],
        tar_of(other=1),
        tar_of(manifest_json=b"{"),
        tar_of(manifest_json={"RepoTags": [PAUSE]}),
        tar_of(manifest_json=b"[" * 100_000),
        tar_of(index_json=[1]),
        tar_of(manifest_json=b" " * (5 << 20)),
    ],
)
def test_what_cannot_be_read_is_not_known(content: bytes, tmp_path: Path) -> None:
    """None, which is not the same as an archive without images."""
    assert image_names(written(tmp_path, content)) is None


def test_an_archive_without_images_is_empty_and_known(tmp_path: Path) -> None:
    """So that a check can say that an image is missing."""
    assert image_names(written(tmp_path, tar_of(manifest_json=[]))) == ()


def test_a_header_that_claims_a_huge_name_is_not_believed(tmp_path: Path) -> None:
    """A few packed bytes may unpack to gigabytes: they are never read in one piece."""
    member = tarfile.TarInfo("x")
    member.type, member.size = b"x", 1 << 32  # a header of extended names, 4 GiB long
    assert image_names(written(tmp_path, gzip.compress(member.tobuf(tarfile.GNU_FORMAT)))) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A member that points elsewhere is not the list of images."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    assert image_names(written(tmp_path, stream.getvalue())) is None


@pytest.mark.parametrize("name", ["-x:1", "a b:1", "a:1\nb", "a:\x1b[2J", "", 7, "x" * 600 + ":1"])
def test_names_that_nothing_could_be_called_are_left_out(name: Any, tmp_path: Path) -> None:
    """They would become arguments of commands and lines of configuration."""
    archive = tar_of(manifest_json=[{"RepoTags": [name, PAUSE]}])
    assert image_names(written(tmp_path, archive)) == (PAUSE,)


def test_a_releases_images_are_those_of_all_its_archives(tmp_path: Path) -> None:
    """Items by their id; each name once, in order; what cannot be read adds nothing."""
    first = written(tmp_path, tar_of(manifest_json=DOCKER), "first.tar")
    more = written(tmp_path, tar_of(manifest_json=[{"RepoTags": [ETCD, "own/app:1"]}]), "more.tar")
    odd = written(tmp_path, b"\x28\xb5\x2f\xfd", "odd.tar.zst")
    items = {"images": first, "images-own": more, "images-odd": odd, "kubelet": first}
    release = {name: File(path, 0, "") for name, path in items.items()}
    assert images_in(release) == (PAUSE, ETCD, "own/app:1")


def test_a_file_that_is_gone_is_not_known(tmp_path: Path) -> None:
    assert image_names(tmp_path / "nothing.tar") is None


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_that_was_not_copied_whole_is_known_by_its_end(pack: Any, tmp_path: Path) -> None:
    """Its list of images comes first and is whole: without this look it would pass."""
    content = tar_of(manifest_json=DOCKER, layer_2=b"y" * 60_000)
    cut = io.BytesIO(content).read(20_000)
    assert image_names(written(tmp_path, pack(cut))) == (PAUSE, ETCD)
    assert is_cut(written(tmp_path, pack(cut)))
    assert not is_cut(written(tmp_path, pack(content)))
    assert not is_cut(written(tmp_path, b"no archive at all"))
